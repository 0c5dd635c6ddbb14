"""Builds what a job's configuration names: front end, augmentations, encoder, weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend
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
    if precision == "auto":
        precision = "bf16" if chosen.type == "cuda" else "fp32"
    return Device(chosen, precision)


def build_views(frontend: Mapping[str, Any], augmentations: Sequence[Mapping[str, Any]] = ()) -> Views:
    """The front end with augmentations around it."""
    steps = []
    for config in augmentations:
        component, settings = recall("augmentations", config)
        steps.append(component(settings))
    component, settings = recall("frontends", frontend)
    return Views(component(settings), steps)


def build_encoder(encoder: Mapping[str, Any], frontend: Frontend) -> Encoder:
    """The encoder with weights as it makes them, drawn from torch's global generator."""
    component, settings = recall("encoders", encoder)
    built: Encoder = component(settings, frontend.channels, frontend.bins)
    return built


def place(module: T, device: Device) -> T:
    """A module on the device, images in channels-last order, which convolutions are faster in."""
    return module.to(device.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def load_weights(encoder: Encoder, weights: Mapping[str, Any], pretrained: Path | None) -> Encoder:
    """Puts the weights in that an entry names.

    Args:
        encoder: freshly built; ``random`` leaves it as it is.
        weights: ``kind`` is random, imagenet, checkpoint or pretrain; ``path`` a local file.
        pretrained: ``encoder.safetensors`` of the finished pretraining, for ``pretrain``.
    """
    if weights["kind"] == "imagenet":
        encoder.load_imagenet(Path(weights["path"]) if weights.get("path") else None)
    elif weights["kind"] == "checkpoint":
        load_checkpoint(encoder, Path(weights["path"]))
    elif weights["kind"] == "pretrain":
        assert pretrained is not None
        load_checkpoint(encoder, pretrained)
    return encoder


def load_checkpoint(encoder: Encoder, path: Path) -> None:
    """Loads an ``encoder.safetensors`` of this architecture.

    Raises:
        Mistake: if it is no such file, or of another architecture (with the names that do not fit).
    """
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise Mistake(
            f"no readable safetensors file: {error}", where=str(path), fix="name an encoder.safetensors"
        ) from error
    own = encoder.state_dict()
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
