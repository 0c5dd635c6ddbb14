"""The checks of a source of weights, on a small encoder unless the request names another."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from registry import contracts
from registry.contracts import Broken, NotApplicable
from registry.contracts._nets import frontend_before, model_path, noise
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend
from registry.lookup import ENCODERS, Choice
from registry.seeding import seed_everything
from registry.weights import Weights
from registry.weights.own import OwnWeights, brought
from registry.weights.pretrain import Pretrain

_PLAIN = {"name": "cnn6", "width": 4}


class Specimen(contracts.Specimen[Weights]):
    """A source of weights, an encoder for them, and the front end before it."""

    place = "on the encoder of the check; --encoder and --frontend name others"
    weights: Weights
    encoder: Choice[Encoder]
    frontend: Frontend
    path: Path | None

    def prepare(self) -> None:
        self.weights = self.choice.build()
        self.encoder = self.beside.encoder or ENCODERS.choose(_PLAIN)
        self.frontend = frontend_before(self.encoder.component, self.beside)
        model = brought(self.encoder.component)
        if isinstance(self.weights, OwnWeights):
            if model is None:
                raise Mistake(f"{self.encoder.name} brings no weights of its own", fix="name one that does: --encoder")
            self.path = model_path(model, self.encoder)
        else:
            file = self.weights.file(self.encoder)
            self.path = Path(file) if file else None
        if self.path and not self.path.exists():
            raise Mistake(f"the file {self.path} of {self.name} does not exist", fix="give the path of a file")
        if not issubclass(self.component, Pretrain):
            self.loaded(0)

    def loaded(self, seed: int, device: str = "cpu") -> tuple[Encoder, list[str]]:
        """The encoder with the weights, made as in a job, and what was done to open the weights' file.

        Raises:
            NotApplicable: for weights that a pretraining job learns.
        """
        if issubclass(self.component, Pretrain):
            raise NotApplicable("a pretraining of its own makes their file; check the method")
        stated = self.weights.stated(self.encoder, seed)
        seed_everything(stated.get("seed", 0), "weights")
        with torch.device(device):
            encoder = self.encoder.build(self.frontend.channels, self.frontend.bins)
        return encoder, self.component.load(encoder, self.frontend, stated, self.path)


def names_what_it_loads(specimen: Specimen) -> str:
    """What names its weights in job keys is plain, and the same twice."""
    first, second = (specimen.weights.stated(specimen.encoder, 3) for _ in range(2))
    try:
        text = json.dumps(first, sort_keys=True)
    except TypeError as error:
        raise Broken("what JSON can hold", str(error), "state numbers, words, lists and mappings") from error
    # A key has these for the name, the version and the file.
    taken = {"kind", "version", "sha256", "revision"} & first.keys()
    if taken:
        raise Broken("keys of its own", ", ".join(sorted(taken)), "state it under another key")
    if first != second:
        raise Broken(
            "equal statements", f"{first} and {second}", "state what the weights follow from, and nothing else"
        )
    return text


def takes_its_value(specimen: Specimen) -> str:
    """A suite can name it: by a word, or by the setting that ``value`` names."""
    fields, value = specimen.component.Config.model_fields, specimen.component.value
    required = [name for name, field in fields.items() if field.is_required()]
    if value and value not in fields:
        raise Broken("a value that is one of its settings", repr(value), f"value = one of {', '.join(fields)}")
    if required and not value:
        fix = f'value = "{required[0]}"'
        raise Broken("a value, as it has settings without a default", "none", fix)
    return f"weights: {{{specimen.name}: {value.upper()}}}" if value else f"weights: {specimen.name}"


def fills_every_tensor(specimen: Specimen) -> str:
    """Loaded, an encoder has the tensors that it had, all finite, and embeds noise in finite values."""
    if brought(specimen.encoder.component):
        raise NotApplicable("the model is there once its weights are")
    encoder, said = specimen.loaded(0)
    fresh = specimen.encoder.build(specimen.frontend.channels, specimen.frontend.bins)
    if _shapes(encoder) != _shapes(fresh):
        raise Broken("tensors of the encoder's names and shapes", "others", "fill those that there are, in place")
    wild = [name for name, tensor in encoder.state_dict().items() if not tensor.isfinite().all()]
    if wild:
        raise Broken("finite values", f"others in {', '.join(wild[:5])}", "refuse such files by a Mistake")
    with torch.no_grad():
        embedding_BD = encoder.eval().embed(specimen.frontend(noise(2, specimen.frontend.sample_rate)))
    if not embedding_BD.isfinite().all():
        raise Broken("a finite embedding", "another", "weights of a size that training leaves")
    return f"{len(fresh.state_dict())} tensors" + (f"; opened {', '.join(said)}" if said else "")


def leaves_them_trainable(specimen: Specimen) -> str:
    """What an encoder trains, it trains after its weights were loaded."""
    encoder, _ = specimen.loaded(0)
    fresh = specimen.encoder.build(specimen.frontend.channels, specimen.frontend.bins)
    expected = {name for name, tensor in fresh.named_parameters() if tensor.requires_grad}
    frozen = expected - {name for name, tensor in encoder.named_parameters() if tensor.requires_grad}
    if frozen:
        raise Broken(
            "all of them", f"{len(frozen)} frozen", "fill tensors under torch.no_grad, and leave requires_grad"
        )
    return f"{len(expected)} tensors"


def loads_the_same_twice(specimen: Specimen) -> str:
    """What it states names its weights: equal statements load equal ones."""
    for seed in (0, 1):
        first, second = specimen.loaded(seed)[0].state_dict(), specimen.loaded(seed)[0].state_dict()
        wrong = [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]
        if wrong:
            raise Broken("equal weights", f"others in {', '.join(wrong[:5])}", "draw from torch's global generator")
    return "equal to the last bit"


def follows_the_seed_it_states(specimen: Specimen) -> str:
    """Weights of another seed are others where the seed is stated, and the same where it is not."""
    (one, _), (other, _) = specimen.loaded(0), specimen.loaded(1)
    stated = specimen.weights.stated(specimen.encoder, 0) != specimen.weights.stated(specimen.encoder, 1)
    same = _equal(one.state_dict(), other.state_dict())
    if stated == same:
        loaded = "the same weights of two" if same else "other weights, and the same key"
        raise Broken(
            "a seed in stated where weights follow it", loaded, 'return {"seed": seed} from stated, or leave it'
        )
    return "it counts" if stated else "it does not count"


def is_tried_without_values(specimen: Specimen) -> None:
    """It opens its file for an encoder on the device ``meta``, as ``plan`` does."""
    if specimen.path is None:
        raise NotApplicable("it has no file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of copies to meta, which copy nothing
        specimen.loaded(0, "meta")


def _shapes(encoder: Encoder) -> dict[str, Any]:
    return {name: tensor.shape for name, tensor in encoder.state_dict().items()}


def _equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())
