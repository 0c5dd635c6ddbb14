"""The checks of an encoder behind a front end, on clips of noise, silence, and sound at full scale."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.nn.functional import cosine_similarity, pad
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode

from registry import contracts
from registry.contracts import Broken, NotApplicable
from registry.contracts._nets import frontend_before, model_path, noise, require_equal
from registry.encoders import Encoder
from registry.encoders._brought import Brought
from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend
from registry.standing import Standing
from registry.weights.own import brought

_HALF = 0.99  # least cosine between embeddings in half and in full precision
_APART, _SMALL = 0.2, 1e-3  # of gradients in float32: choices of a ReLU or a maximum differ; smaller ones are rounding
_LONG, _MINUTE, _LARGE = 300, 60, 2 * 2**30  # seconds of a long clip; the seconds of work and bytes a tensor allowed


class Specimen(contracts.Specimen[Encoder]):
    """An encoder behind a front end, in eval mode."""

    place = "while it was checked; --frontend names the front end before it"

    frontend: Frontend
    encoder: Encoder

    def prepare(self) -> None:
        self.path: Path | None = None
        model = brought(self.component)
        if model:
            self.path = model_path(model, self.choice)
            rate = model.own_rate(self.choice.settings, self.path)
            self.frontend = make_frontend(self.beside.frontend or {"name": "waveform", "sample_rate": rate})
        else:
            self.frontend = frontend_before(self.component, self.beside)
        self.encoder = self.drawn(0)

    def drawn(self, seed: int) -> Encoder:
        """The encoder with the weights that a seed draws, or with those that it brings, in eval mode."""
        torch.manual_seed(seed)
        made = self.choice.build(self.frontend.channels, self.frontend.bins)
        if isinstance(made, Brought):
            made.load_own(self.path)
        return made.eval()

    def clips(self, count: int, seconds: float = 1.0) -> Tensor:
        """Waveforms ``[count, T]``, the same every time."""
        return noise(count, round(seconds * self.frontend.sample_rate))

    @torch.no_grad()
    def embed(self, wave_BT: Tensor, encoder: Encoder | None = None) -> Tensor:
        """Embeddings ``[B, D]``; an encoder that draws from torch's generator draws the same every time."""
        torch.manual_seed(0)
        return (encoder or self.encoder).embed(self.frontend(wave_BT.clone()))

    def require_finite(self, wave_BT: Tensor, of: str) -> None:
        """Raises ``Broken`` unless the embeddings of clips are finite."""
        lost = int((~self.embed(wave_BT).isfinite()).sum())
        if lost:
            raise Broken(f"finite values of {of}", f"{lost} that are not", "guard divisions, logarithms and roots")


def refuses_the_other_input(specimen: Specimen) -> str:
    """It objects to a front end of the kind that it does not take."""
    takes = specimen.component.takes
    other: Any = "waveform" if takes == "spectrogram" else "spectrogram"
    if not list(specimen.component.objections(specimen.choice.settings, Standing(other))):
        raise Broken(
            f"an objection to a {other}, as it takes a {takes}",
            "none",
            "begin your own objections with: yield from super().objections(config, standing)",
        )
    return f"it takes a {takes}"


def embeddings_have_their_size(specimen: Specimen) -> str:
    """Clips of any length have an embedding each: ``[B, D]``, D its ``embedding_dim``."""
    size = specimen.encoder.embedding_dim
    for seconds in (1, 2):
        shape = list(specimen.embed(specimen.clips(3, seconds)).shape)
        if shape != [3, size]:
            raise Broken(f"[3, {size}] of 3 clips of {seconds} s", str(shape), "set embedding_dim, or mend embed")
    return f"[3, {size}] of 3 clips"


def frames_have_their_size(specimen: Specimen) -> str:
    """Frames ``[B, N', D]`` of a clip, in their order, D its ``embedding_dim``."""
    with torch.no_grad():
        shape = list(specimen.encoder(specimen.frontend(specimen.clips(3))).shape)
    size = specimen.encoder.embedding_dim
    if len(shape) != 3 or shape[0] != 3 or shape[2] != size or shape[1] < 1:
        raise Broken(f"[3, N', {size}] of 3 clips", str(shape), "give frames from forward, and their pooling from pool")
    return str(shape)


def embeds_alone_as_in_a_batch(specimen: Specimen) -> str:
    """The same clip has the same embedding alone and in a batch."""
    wave_BT = specimen.clips(4)
    together = specimen.embed(wave_BT)
    alone = torch.cat([specimen.embed(wave_T[None]) for wave_T in wave_BT])
    return require_equal(alone, together, "statistics of the batch must not count in eval mode")


def embeds_the_same_twice(specimen: Specimen) -> str:
    """In eval mode a clip has the same embedding twice, and what is embedded stays as it is."""
    x = specimen.frontend(specimen.clips(2))
    before = x.clone()
    with torch.no_grad():
        first, second = specimen.encoder.embed(x), specimen.encoder.embed(x)
    if not torch.equal(x, before):
        raise Broken("its input as it was", "another", "change no tensor in place that was given")
    if not torch.equal(first, second):
        fix = "leave chance to training: if self.training"
        raise Broken("equal embeddings", f"a difference of {_largest(first - second):.1e}", fix)
    return "equal to the last bit"


def embeds_silence(specimen: Specimen) -> None:
    """Silence has a finite embedding."""
    specimen.require_finite(torch.zeros_like(specimen.clips(2)), "silence")


def embeds_full_scale(specimen: Specimen) -> None:
    """Sound at full scale has a finite embedding."""
    specimen.require_finite(specimen.clips(2).sign(), "samples of -1 and 1")


def embeds_padded_clips(specimen: Specimen) -> str:
    """A clip with as much silence after it has a finite embedding."""
    wave_BT = specimen.clips(2)
    specimen.require_finite(pad(wave_BT, (0, wave_BT.shape[1])), "clips and as much silence")
    distance = 1 - cosine_similarity(specimen.embed(wave_BT), specimen.embed(pad(wave_BT, (0, wave_BT.shape[1]))))
    return f"at a cosine of {1 - _largest(distance):.3f} from that without it"


def embeds_short_clips(specimen: Specimen) -> str:
    """It embeds input as short as ``shortest``, and embeds what is shorter or refuses it by a message."""
    encoder, given = specimen.encoder, specimen.frontend(specimen.clips(2))
    shortest, unit = encoder.shortest, "frames" if specimen.component.takes == "spectrogram" else "samples"
    x = pad(given, (0, max(shortest - given.shape[-1], 0)))[..., :shortest]
    told = _embedded_or_refused(lambda: encoder.embed(x))
    if told != "embedded" and (told, shortest) != ("refused", 1):  # a shortest of 1 says that nothing is known
        raise Broken(f"{shortest} {unit}, its shortest, to be embedded in finite values", told, "set self.shortest")
    shorter = {"one sample": lambda: specimen.embed(specimen.clips(2)[:, :1])}
    if shortest > 1:
        shorter[f"{shortest - 1} {unit}"] = lambda: encoder.embed(x[..., :-1])
    results = {name: _embedded_or_refused(act) for name, act in shorter.items()}
    wrong = [f"{result} of {name}" for name, result in results.items() if result not in ("embedded", "refused")]
    if wrong:
        raise Broken("finite values, or a Mistake", " and ".join(wrong), "begin forward with self.check_length(x)")
    return f"{shortest} {unit}: {told}; " + "; ".join(f"{name}: {result}" for name, result in results.items())


@torch.no_grad()
def _embedded_or_refused(act: Callable[[], Tensor]) -> str:
    try:
        return "embedded" if act().isfinite().all() else "others"
    except Mistake:
        return "refused"
    except Exception as error:
        return f"a {type(error).__name__}"


def embeds_five_minutes(specimen: Specimen) -> str:
    """Five minutes of sound have a finite embedding."""
    quarter, half = (_cost(specimen, seconds) for seconds in (15, 30))
    spent, largest = (_extrapolated(one, two, _LONG / 30) for one, two in zip(quarter, half, strict=True))
    if spent > _MINUTE or largest > _LARGE:
        raise NotApplicable(
            f"too long for this machine: by 15 s and 30 s of sound, five minutes would take {spent:,.0f} s "
            f"and a tensor of {largest / 2**30:.1f} GiB"
        )
    began = time.monotonic()
    specimen.require_finite(specimen.clips(1, _LONG), "five minutes")
    return f"{time.monotonic() - began:.1f} s of work"


def embeds_in_half_precision(specimen: Specimen) -> str:
    """Under autocast in bfloat16 embeddings point where they do in full precision."""
    wave_BT = specimen.clips(3)
    with torch.autocast("cpu", torch.bfloat16):
        low_BD = specimen.embed(wave_BT).float()
    cosine = float(cosine_similarity(low_BD, specimen.embed(wave_BT)).min())
    if not cosine >= _HALF:
        fix = "compute in float32 what loses too much: with torch.autocast(x.device.type, enabled=False)"
        raise Broken(f"a cosine of {_HALF} at least", f"{cosine:.3f}", fix)
    return f"cosine {cosine:.4f}"


def learns_with_every_parameter(specimen: Specimen) -> str:
    """In training a gradient reaches every parameter of the embedding's way, and is finite."""
    if not specimen.component.gives_gradients:
        raise NotApplicable("it gives no gradients: finetune refuses it")
    encoder = specimen.drawn(0).train()
    parameters = {name: tensor for name, tensor in encoder.named_parameters() if tensor.requires_grad}
    if not parameters:
        raise NotApplicable("it has no parameters to train: finetune and pretraining cannot use it")
    torch.manual_seed(0)
    encoder.embed(specimen.frontend(specimen.clips(4))).float().square().sum().backward()
    bare = [name for name, tensor in parameters.items() if tensor.grad is None]
    if bare:
        fix = "leave out what the embedding does not need, or requires_grad_(False)"
        raise Broken(f"gradients of all {len(parameters)}", f"none of {_few(bare)}", fix)
    wild = [name for name, tensor in parameters.items() if tensor.grad is None or not tensor.grad.isfinite().all()]
    if wild:
        raise Broken("finite gradients", f"others of {_few(wild)}", "guard divisions, logarithms and roots")
    return f"{sum(tensor.numel() for tensor in parameters.values()):,} parameters"


def learns_as_in_float64(specimen: Specimen) -> str:
    """In the order of memory in which it trains, its gradients are those of float64, but for rounding."""
    if not specimen.component.gives_gradients:
        raise NotApplicable("it gives no gradients: finetune refuses it")
    if brought(specimen.component):
        raise NotApplicable("others' models may compute in one precision alone")
    x = specimen.frontend(specimen.clips(4))
    found = _gradients(specimen, x, torch.float32)
    try:
        exact = _gradients(specimen, x, torch.float64)
    except RuntimeError as error:  # a tensor that it makes itself may be of float32
        raise NotApplicable(f"it does not compute in float64: {str(error).splitlines()[0]}") from error
    if not exact:
        raise NotApplicable("it has no parameters to train: finetune and pretraining cannot use it")
    largest = max(float(gradient.norm()) for gradient in exact.values())
    apart = {name: float((found[name] - g).norm() / g.norm().clamp(_SMALL * largest)) for name, g in exact.items()}
    wrong = [name for name, difference in apart.items() if not difference <= _APART]
    if wrong:
        fix = "compare your own backward, and torch's for your layout, with finite differences"
        raise Broken(f"gradients within {_APART:.0%} of those in float64", f"others of {_few(wrong)}", fix)
    return f"within {max(apart.values()):.1e}"


def is_whole_in_its_state(specimen: Specimen) -> str:
    """Another copy that takes its ``state_dict``, as stored in a file, has its embeddings."""
    state = {name: tensor.contiguous() for name, tensor in specimen.encoder.state_dict().items()}
    other = specimen.drawn(1)
    other.load_state_dict(load(save(state)))
    wave_BT = specimen.clips(2)
    expected, of_copy = specimen.embed(wave_BT), specimen.embed(wave_BT, other)
    return require_equal(of_copy, expected, "keep in parameters and buffers whatever the embedding depends on")


def is_tried_without_values(specimen: Specimen) -> str:
    """It is made and embeds on the device ``meta``, which knows shapes alone: so ``plan`` tries windows and weights."""
    if brought(specimen.component):
        raise NotApplicable("plan loads the model, and tries a window")
    with torch.device("meta"):
        frontend = frontend_before(specimen.component, specimen.beside)
        encoder = specimen.choice.build(frontend.channels, frontend.bins).eval()
        try:
            embedding_BD = encoder.embed(frontend(torch.empty(2, specimen.frontend.sample_rate)))
        except NotImplementedError as error:
            raise NotApplicable(f"torch cannot: {str(error).splitlines()[0]}") from error
    return f"{list(embedding_BD.shape)}"


def parts_are_the_embedding(specimen: Specimen) -> str:
    """Its ``parts`` are whole stretches that make up the embedding."""
    parts: Mapping[str, int] = specimen.encoder.parts
    if not parts:
        raise NotApplicable("it names none")
    if sum(parts.values()) != specimen.encoder.embedding_dim or min(parts.values()) < 1:
        raise Broken(
            f"sizes that add up to {specimen.encoder.embedding_dim}", str(dict(parts)), "name every stretch, in order"
        )
    return ", ".join(f"{name} {size}" for name, size in parts.items())


def _gradients(specimen: Specimen, x: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
    """The gradients of the parameters by name; in float32 with images in channels-last order, as jobs train.

    Norms take the statistics of the batch; nothing is dropped, as draws differ between precisions.
    """
    order = torch.channels_last if dtype == torch.float32 else torch.contiguous_format
    encoder = specimen.drawn(0).to(dtype, memory_format=order)  # type: ignore[call-overload]
    for module in encoder.modules():
        if isinstance(module, _BatchNorm):
            module.train()
        if isinstance(module, Frontend):  # inside: a spectrum is of float32
            module.float().register_forward_pre_hook(lambda _, given: (given[0].float(),))
            module.register_forward_hook(lambda _, __, gave: gave.to(dtype))
    given = x.to(dtype, copy=True)
    encoder.embed(given.contiguous(memory_format=order) if given.ndim == 4 else given).square().sum().backward()
    return {name: p.grad.double() for name, p in encoder.named_parameters() if p.grad is not None}


def _largest(x: Tensor) -> float:
    return float(x.abs().max())


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


class _Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, Tensor):
                self.bytes = max(self.bytes, one.numel() * one.element_size())
        return made


def _cost(specimen: Specimen, seconds: int) -> tuple[float, float]:
    """For a clip of so many seconds: the seconds of work, and the bytes of the largest tensor."""
    wave_BT = specimen.clips(1, seconds)
    began = time.monotonic()
    with _Largest() as largest:
        specimen.embed(wave_BT)
    return time.monotonic() - began, largest.bytes


def _extrapolated(at_half: float, at_one: float, longer: float) -> float:
    """A cost at the length ``longer``, from the costs at 0.5 and 1: a power of length, from linear to quadratic."""
    power = min(max(math.log2(at_one / at_half), 1.0), 2.0)
    return float(at_one * longer**power)
