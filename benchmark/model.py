"""Builds what a job's configuration names: front end, augmentations, encoder, weights."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError

from benchmark.files import Damaged, read_tensors
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend
from registry.lookup import recall
from registry.views import Views

T = TypeVar("T", bound=torch.nn.Module)


@dataclass(frozen=True)
class Device:
    """Where a job computes, and in which precision."""

    device: torch.device
    precision: str  # "fp32" or "bf16"

    def autocast(self) -> torch.autocast:
        """The context of every forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")


def choose_device(device: str, precision: str) -> Device:
    """``auto`` takes a GPU where there is one, and bf16 on it; a CPU computes in fp32 unless told otherwise."""
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        chosen = torch.device(name)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise Mistake(
            f"device {device!r} cannot be used: {str(error).splitlines()[0]}", fix="use --device cpu"
        ) from error
    if chosen.type == "cpu":
        _keep_freed_memory()
    if precision == "auto":
        precision = "bf16" if chosen.type == "cuda" else "fp32"
    return Device(chosen, precision)


def _keep_freed_memory() -> None:
    """Has the C library hand freed buffers out again instead of returning them to the system, page by page.

    Activations are freed and asked for again at every step: embedding took up to half as long again without this.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone
    if mallopt is not None:
        trim_threshold, mmap_threshold, largest = -1, -3, 32 * 2**20
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, largest)


def build_views(
    frontend: Mapping[str, Any],
    augmentations: Sequence[Mapping[str, Any]] = (),
    statistics: Mapping[str, Sequence[float]] | None = None,
) -> Views:
    """The front end with augmentations around it.

    Args:
        frontend: in canonical form.
        augmentations: likewise, in their order.
        statistics: mean and standard deviation by the name of the module that they normalise, where they are measured.
    """
    steps = []
    for config in augmentations:
        component, settings = recall("augmentations", config)
        steps.append(component(settings))
    built = make_frontend(frontend)
    measured = built.measured()
    for name, (mean, std) in (statistics or {}).items():
        measured[name].set(mean, std)
    return Views(built, steps)


def build_encoder(encoder: Mapping[str, Any], frontend: Frontend) -> Encoder:
    """The encoder with weights as it makes them, drawn from torch's global generator.

    Raises:
        Mistake: if it does not fit the front end.
    """
    component, settings = recall("encoders", encoder)
    built: Encoder = component(settings, frontend.channels, frontend.bins)
    for inner in built.modules():
        if isinstance(inner, Frontend) and inner.sample_rate != frontend.sample_rate:
            raise Mistake(
                f"{encoder['name']} has a front end of {inner.sample_rate} Hz inside, and is fed with "
                f"{frontend.sample_rate} Hz",
                fix="give both front ends one sample_rate",
            )
    return built


def place(module: T, device: Device) -> T:
    """A module on the device, images in channels-last order, which convolutions are faster in."""
    return module.to(device.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def load_weights(encoder: Encoder, weights: Mapping[str, Any], pretrained: Path | None, frontend: Frontend) -> Encoder:
    """Puts the weights in that an entry names.

    Args:
        encoder: freshly built; ``random`` leaves it as it is.
        weights: ``kind`` is random, imagenet, checkpoint or pretrain; ``path`` a local file.
        pretrained: ``encoder.safetensors`` of the finished pretraining, for ``pretrain``.
        frontend: what the encoder is fed with.
    """
    if weights["kind"] == "imagenet":
        encoder.load_imagenet(Path(weights["path"]) if weights.get("path") else None)
    elif weights["kind"] == "checkpoint":
        load_checkpoint(encoder, Path(weights["path"]), frontend)
    elif weights["kind"] == "pretrain":
        assert pretrained is not None
        load_checkpoint(encoder, pretrained, frontend)
    return encoder


def load_checkpoint(encoder: Encoder, path: Path, frontend: Frontend) -> None:
    """Loads an ``encoder.safetensors`` of this architecture, or the source's own ``.pth``.

    Raises:
        Mistake: if it is no such file, or of another architecture (with the names that do not fit).
    """
    own = encoder.state_dict()
    state = _read_tensors(path)
    if path.suffix != ".safetensors":
        state = encoder.translate(state, frontend)
    wrong = [f"missing {k}" for k in own if k not in state] + [f"surplus {k}" for k in state if k not in own]
    wrong += [
        f"{k} is {list(state[k].shape)}, not {list(own[k].shape)}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    if wrong:
        raise Mistake(
            f"the checkpoint is of another architecture than {type(encoder).__name__}: "
            + "; ".join(wrong[:4])
            + (f"; and {len(wrong) - 4} more" if len(wrong) > 4 else ""),
            where=str(path),
            fix="give the entry the encoder settings that the checkpoint was trained with",
        )
    encoder.load_state_dict(state)


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, by name: safetensors, or torch's format read without running what it may hold.

    Of the latter a checkpoint's ``model`` is taken, where it has one.
    """
    try:
        if path.suffix == ".safetensors":
            return read_tensors(path)[0]
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, Damaged, RuntimeError, UnpicklingError, EOFError) as error:
        raise Mistake(
            f"no readable weights: {str(error).strip().splitlines()[0] if str(error) else type(error).__name__}",
            where=str(path),
            fix="name an encoder.safetensors, or a .pth that holds tensors and plain values alone",
        ) from error
    if isinstance(content, dict):
        content = content.get("model", content)
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise Mistake("the file holds no tensors by name", where=str(path), fix="name a checkpoint's state")
    return dict(content)
