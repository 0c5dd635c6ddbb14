"""The checks of a pretraining method: a few steps on noise, with a small encoder unless the request names another."""

import random
from copy import deepcopy
from functools import cached_property
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from registry import contracts
from registry.audio import FULL_SCALE, Recordings
from registry.contracts import Broken, NotApplicable
from registry.contracts._nets import frontend_before, noise
from registry.contracts._readings import Readings
from registry.encoders import Encoder
from registry.frontends import Frontend
from registry.lookup import ENCODERS, FRONTENDS, Choice
from registry.methods import Corpus, Method
from registry.seeding import seed_everything
from registry.standing import Standing, refuse
from registry.targets.one_label import OneLabel
from registry.targets.several_labels import SeveralLabels
from registry.training import Pretraining
from registry.views import Views

_CLIPS, _BATCH, _CLASSES, _CHUNK = 64, 8, 4, 3
_SECONDS = 1.25  # of a window: with a hop of 5 ms, enough frames for nine tiles
_LEARNING_RATE = 1e-3
_EQUAL = 1e-5  # how much two computations of a loss may differ, as a share of the loss


class Specimen(contracts.Specimen[Method]):
    """A method with an encoder, a front end and a labelled corpus of noise, all small."""

    place = "in the small corpus of the check; --frontend and --encoder name what else is beside it"
    frontend: Choice[Frontend]
    encoder: Choice[Encoder]

    def prepare(self) -> None:
        frontend = self.beside.frontend
        heard = frontend is not None and frontend.component.gives == "waveform"
        plain = {"name": "conv320", "width": 8} if heard else {"name": "cnn6", "width": 2, "dropout": 0.0}
        self.encoder = self.beside.encoder or ENCODERS.choose(plain)
        spectral = self.encoder.component.takes == "spectrogram"
        self.frontend = frontend or FRONTENDS.choose(
            {"name": "logmel", "hop_length": 80, "n_mels": 32} if spectral else "waveform"
        )
        gives = self.frontend.component.gives
        standing = Standing(gives, batch=_BATCH, clips=_CLIPS, classes=_CLASSES, target=OneLabel())
        refuse(self.component.objections(self.choice.settings, standing), self.place)
        self.made(0)

    def made(self, seed: int) -> Method:
        """The method with the weights that a seed draws, in training mode."""
        torch.manual_seed(seed)
        frontend = frontend_before(self.encoder.component, contracts.Beside(frontend=self.frontend))
        encoder = self.encoder.build(frontend.channels, frontend.bins)
        sound_NT = noise(_CLIPS, round(1.2 * _SECONDS * frontend.sample_rate)).clamp(-1, 1) * FULL_SCALE
        offsets = np.arange(_CLIPS + 1) * sound_NT.shape[1]
        recordings = Recordings(sound_NT.flatten().to(torch.int16).numpy(), offsets, frontend.sample_rate)
        corpus = Corpus(recordings, torch.arange(_CLIPS) % _CLASSES, _CLASSES)
        return self.choice.build(encoder, Views(frontend), corpus).train()

    def begun(self) -> Method:
        """The method with the weights that seed 0 draws, at the beginning of its first epoch."""
        method = self.made(0)
        seed_everything(0, "epoch")
        method.before_epoch()
        return method

    @cached_property
    def losses(self) -> Tensor:
        """The losses of the first three steps."""
        return self.losses_again()

    def losses_again(self) -> Tensor:
        """The losses of the first three steps, computed anew."""
        method = self.begun()
        return torch.stack([_take_step(method, step)[0] for step in range(3)])


def _take_step(method: Method, step: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Takes a step of plain gradient descent, and returns its loss and scalars."""
    loss, scalars = _forward(method, step)
    method.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in method.parameters():
            if parameter.grad is not None:
                parameter.sub_(_LEARNING_RATE * parameter.grad)
    method.after_step()
    return loss.detach(), scalars


def _forward(method: Method, step: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss and scalars of a batch that is the same every time, after a seed of the step."""
    rate = method.views.frontend.sample_rate
    wave_BVT = noise(_BATCH, method.windows, round(_SECONDS * rate))
    index_B = (torch.arange(_BATCH) + step * _BATCH) % _CLIPS
    seed_everything(0, "step", step)
    return method(wave_BVT, index_B)  # type: ignore[no-any-return]


def losses_are_finite(specimen: Specimen) -> str:
    """Three steps have a loss each: one finite number, from which a gradient goes back."""
    loss = _forward(specimen.begun(), 0)[0]
    if loss.shape != () or not loss.requires_grad:
        told = f"a tensor {list(loss.shape)}" + ("" if loss.requires_grad else " without a gradient")
        raise Broken("one number with a gradient", told, "return the mean over the batch")
    told = ", ".join(f"{loss:.3f}" for loss in specimen.losses.tolist())
    if not specimen.losses.isfinite().all():
        raise Broken("finite losses", told, "guard divisions, logarithms and roots")
    return told


def scalars_are_tensors(specimen: Specimen) -> str:
    """What it logs beside the loss are tensors of one number, by name, left on the device."""
    scalars: dict[Any, Any] = _take_step(specimen.begun(), 0)[1]
    right = {name for name, scalar in scalars.items() if isinstance(name, str) and isinstance(scalar, Tensor)}
    wrong = [name for name, scalar in scalars.items() if name not in right or scalar.shape != ()]
    if wrong:
        fix = "give tensors of one number, and read none of them"
        raise Broken("tensors []", f"others: {', '.join(map(str, wrong))}", fix)
    return ", ".join(scalars) or "none"


def teaches_the_encoder(specimen: Specimen) -> str:
    """A gradient reaches the encoder's parameters: all of them, unless it trains on frames."""
    method = specimen.begun()
    _forward(method, 0)[0].backward()
    learning = {name: tensor for name, tensor in method.encoder.named_parameters() if tensor.requires_grad}
    reached = [name for name, tensor in learning.items() if tensor.grad is not None and tensor.grad.any()]
    if len(reached) < (1 if method.on_frames else len(learning)):
        fix = "embed what the loss is of by self.embed(x), outside of torch.no_grad"
        raise Broken(f"gradients of {len(learning)} tensors", f"of {len(reached)}", fix)
    return f"{len(reached)} of {len(learning)} tensors"


def draws_from_torch(specimen: Specimen) -> str:
    """The same seed of torch's generator gives the same losses."""
    first, second = specimen.losses, specimen.losses_again()
    if not torch.allclose(first, second, rtol=_EQUAL, atol=0, equal_nan=True):
        losses = f"{first.tolist()} and {second.tolist()}"
        raise Broken(
            "equal losses", losses, "draw from torch's global generator alone, which is seeded before each step"
        )
    return "of three steps"


def goes_on_from_a_checkpoint(specimen: Specimen) -> str:
    """Another copy that takes its ``state_dict`` after two steps has the same third loss."""
    method = specimen.begun()
    for step in range(2):
        _take_step(method, step)
    resumed = specimen.made(1)
    resumed.load_state_dict(deepcopy(method.state_dict()))
    losses = []
    for one in (method, resumed):
        random.seed(0)  # another check finds methods that draw from these generators
        np.random.seed(0)
        losses.append(_take_step(one, 2)[0])
    if not torch.allclose(losses[0], losses[1], rtol=_EQUAL, atol=0, equal_nan=True):
        fix = "keep what outlasts a step in parameters and buffers: queues, banks, counts"
        raise Broken("equal losses", " and ".join(f"{loss.mean():.6g}" for loss in losses), fix)
    return f"{losses[0].mean():.3f}"


def objects_as_its_contract_does(specimen: Specimen) -> str:
    """It objects to batches that are too small, to labels that are not there, and to chunks if it trains on frames."""
    component, settings = specimen.component, specimen.choice.settings
    gives = specimen.frontend.component.gives
    asked = {f"a batch of {_CLIPS + 1} from {_CLIPS} clips": Standing(gives, batch=_CLIPS + 1, clips=_CLIPS)}
    if component.fewest > 1:
        asked["a batch of one"] = Standing(gives, batch=1, clips=_CLIPS)
    if component.uses_labels(settings):
        asked["a corpus without labels"] = Standing(gives, classes=0, target=OneLabel())
        if component.one_label:
            asked["clips of several labels"] = Standing(gives, classes=_CLASSES, target=SeveralLabels())
    if component.on_frames:
        asked["chunks"] = Standing(gives, chunk=_CHUNK)
    silent = [what for what, standing in asked.items() if not list(component.objections(settings, standing))]
    if silent:
        fix = "begin your own objections with: yield from super().objections(config, standing)"
        raise Broken(f"objections to {', '.join(asked)}", f"none to {', '.join(silent)}", fix)
    return ", ".join(asked)


def loses_in_full_precision(specimen: Specimen) -> str:
    """Where the encoder computes in bfloat16, the loss is in float32 all the same, and gradients are finite."""
    method = specimen.begun()
    method.autocast = lambda: torch.autocast("cpu", torch.bfloat16)
    loss = _forward(method, 0)[0]
    if loss.dtype != torch.float32:
        raise Broken("float32", str(loss.dtype)[6:], "leave autocast to self.embed; heads and losses take its float32")
    loss.backward()
    if not all(tensor.grad is None or tensor.grad.isfinite().all() for tensor in method.parameters()):
        raise Broken("finite gradients", "others", "guard divisions, logarithms and roots")
    return f"{loss.item():.3f}"


def takes_chunks(specimen: Specimen) -> str:
    """With ``chunk`` set, no more clips than that go through the encoder at once."""
    if specimen.component.on_frames:
        raise NotApplicable("it trains on frames, of which no gradients are cached")
    method, sizes = specimen.begun(), []

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        sizes.append(len(given[0]))

    for module in (method.encoder, *method.encoder.children()):
        module.register_forward_pre_hook(note)
    method.chunk = _CHUNK
    _forward(method, 0)
    if max(sizes, default=0) > _CHUNK:
        raise Broken(f"{_CHUNK} clips at most", f"{max(sizes)} at once", "embed by self.embed(x), not by the encoder")
    return f"{max(sizes, default=0)} at most"


def waits_for_nothing(specimen: Specimen) -> None:
    """A step reads no value of a tensor, for which a GPU would have to be waited for; an epoch's first may."""
    method = specimen.begun()
    _take_step(method, 0)
    with Readings() as readings:
        loss, _ = _forward(method, 1)
        loss.backward()
        method.after_step()
    if readings.found:
        operations = ", ".join(sorted(readings.found))
        raise Broken("no reading", operations, "leave out item(), float(), if on a tensor, and look-ups by a mask")


def recipe_is_a_budget(specimen: Specimen) -> str:
    """Its recipe names settings of a pretraining, and values that these take."""
    recipe = specimen.component.recipe
    if not recipe:
        raise NotApplicable("it has none, and suites state the budget")
    try:
        Pretraining.model_validate({"epochs": 1, "batch_size": 2, "learning_rate": 1.0, **recipe})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise Broken("a budget, optimiser and schedule", problems, "see the pretrain section of a suite") from error
    return ", ".join(f"{key} {value}" for key, value in recipe.items())
