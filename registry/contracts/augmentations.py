"""The checks of an augmentation, on a batch of noise: a waveform ``[B, T]`` or a spectrogram ``[B, C, F, N]``."""

import torch
from pydantic import ValidationError
from torch import Tensor

from registry import contracts
from registry.augmentations import Augmentation
from registry.contracts import Broken, NotApplicable
from registry.contracts._nets import noise
from registry.contracts._readings import Readings

_SHAPES = {"waveform": (6, 20_000), "spectrogram": (6, 1, 64, 100)}


class Specimen(contracts.Specimen[Augmentation]):
    """An augmentation with its settings, in training mode."""

    augmentation: Augmentation

    def prepare(self) -> None:
        if self.component.domain not in _SHAPES:
            raise ValueError(f"domain is {self.component.domain!r}, and not one of {', '.join(_SHAPES)}")
        self.augmentation = self.choice.build()

    def batch(self) -> Tensor:
        """A batch in the augmentation's domain, the same every time."""
        return noise(*_SHAPES[self.component.domain])

    def changed(self, x: Tensor, seed: int = 0) -> Tensor:
        """The augmented batch, after a seed."""
        torch.manual_seed(seed)
        return self.augmentation(x)  # type: ignore[no-any-return]

    def with_probability(self, p: float) -> Augmentation | None:
        """The augmentation with another probability; None where its settings do not allow that."""
        settings = {"name": self.name} if isinstance(self.reference, str) else dict(self.reference)
        try:
            return self.kind.choose({**settings, "p": p}).build()
        except ValidationError:
            return None


def keeps_shape_and_type(specimen: Specimen) -> str:
    """A batch stays a batch: of its shape, unless it is always applied, and in float32."""
    x = specimen.batch()
    changed = specimen.changed(x)
    same = changed.shape == x.shape
    cut = changed.shape[:-1] == x.shape[:-1] and specimen.with_probability(0.5) is None  # a batch has one length
    if changed.dtype != torch.float32 or not (same or cut):
        expected = f"{list(x.shape)} in float32"
        fix = "keep the shape; what changes the length is always applied: p: float = Field(1.0, ge=1, le=1)"
        raise Broken(expected, f"{list(changed.shape)} in {str(changed.dtype)[6:]}", fix)
    return f"{list(x.shape)} to {list(changed.shape)}"


def changes_nothing_at_probability_0(specimen: Specimen) -> None:
    """With ``p: 0`` every example stays as it is."""
    never = specimen.with_probability(0.0)
    if never is None:
        raise NotApplicable("it is always applied")
    x = specimen.batch()
    if not torch.equal(never(x), x):
        raise Broken("the batch as it was", "another", "change examples in apply_batch, and leave forward as it is")


def draws_from_torch(specimen: Specimen) -> None:
    """The same seed of torch's generator gives the same."""
    first, second = specimen.changed(specimen.batch()), specimen.changed(specimen.batch())
    if not torch.equal(first, second):
        raise Broken("equal results", "two", "draw from torch's global generator alone, and keep nothing between calls")


def leaves_its_input(specimen: Specimen) -> None:
    """What is given stays as it is."""
    x = specimen.batch()
    specimen.changed(x)
    if not torch.equal(x, specimen.batch()):
        raise Broken("the batch as it was", "another", "change no tensor in place that was given")


def is_finite(specimen: Specimen) -> None:
    """Noise and silence become finite values."""
    for name, x in {"noise": specimen.batch(), "silence": torch.zeros_like(specimen.batch())}.items():
        lost = int((~specimen.changed(x).isfinite()).sum())
        if lost:
            raise Broken(f"finite values of {name}", f"{lost} that are not", "guard divisions, logarithms and roots")


def takes_one_example(specimen: Specimen) -> None:
    """A batch of one example is a batch."""
    examples = len(specimen.changed(specimen.batch()[:1]))
    if examples != 1:
        raise Broken("one example", str(examples), "draw for each of the examples that there are")


def reads_nothing_back(specimen: Specimen) -> None:
    """It reads no value of a tensor, for which a GPU would have to be waited for."""
    with Readings() as readings:
        specimen.changed(specimen.batch())
    if readings.found:
        operations = ", ".join(sorted(readings.found))
        raise Broken("no reading", operations, "leave out item(), float(), if on a tensor, and look-ups by a mask")
