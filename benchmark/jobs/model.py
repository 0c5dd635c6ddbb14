"""Builds the components that a job names: front end, augmentations, encoder; and chooses the device."""

import ctypes
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from registry.augmentations import Augmentation
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend
from registry.half_precision import require_right_convolutions
from registry.lookup import Choice
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
    """Resolves ``auto``: a GPU with bf16, if there is one, else the CPU with fp32. It decides on TF32, too."""
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
    _allocate_once()
    if precision == "auto":
        precision = "bf16" if chosen.type == "cuda" else "fp32"
    if chosen.type == "cuda":
        _round_products(precision == "bf16")
    elif chosen.type == "cpu" and precision == "bf16":
        require_right_convolutions()
    return Device(chosen, precision)


def _round_products(rounded: bool) -> None:
    """Whether a GPU rounds the factors of float32 products to ten bits (TF32): beside bf16, which has seven.

    With ``fp32`` products are to be exact; by torch's own defaults convolutions are rounded, and matrices are not.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = rounded


def _keep_freed_memory() -> None:
    """Makes the C library keep freed memory for later, instead of returning it to the system page by page.

    Every step frees and allocates activations: without this, embedding took up to 1.5 times as long.
    """
    if sys.platform != "linux":  # mallopt is glibc's
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        trim_threshold, mmap_threshold, largest = -1, -3, 32 * 2**20
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, largest)


def _allocate_once() -> None:
    """Makes Arrow allocate as all else does: its own allocator keeps tens of megabytes that tables once took."""
    import pyarrow

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())


def give_freed_memory_back() -> None:
    """Returns to the system what the C library has kept, which counts as this process's memory."""
    if sys.platform != "linux":
        return
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


def build_views(
    frontend: Choice[Frontend],
    augmentations: Sequence[Choice[Augmentation]] = (),
    statistics: Mapping[str, Sequence[float]] | None = None,
) -> Views:
    """The front end with augmentations around it.

    Args:
        frontend: with its settings.
        augmentations: in their order.
        statistics: measured mean and standard deviation, by the name of the module that normalises by them.
    """
    built = make_frontend(frontend)
    measured = built.measured()
    for name, (mean, std) in (statistics or {}).items():
        measured[name].set(mean, std)
    return Views(built, [augmentation.build() for augmentation in augmentations])


def build_encoder(encoder: Choice[Encoder], frontend: Frontend) -> Encoder:
    """The encoder with its first weights, drawn from torch's global generator.

    Raises:
        Mistake: if it does not fit the front end.
    """
    built = encoder.build(frontend.channels, frontend.bins)
    for inner in built.modules():
        if isinstance(inner, Frontend) and inner.sample_rate != frontend.sample_rate:
            raise Mistake(
                f"{encoder.name} has a front end of {inner.sample_rate} Hz inside, and is fed with "
                f"{frontend.sample_rate} Hz",
                fix="give both front ends one sample_rate",
            )
    return built


def place(module: T, device: Device) -> T:
    """Moves a module to the device. Images are in channels-last order, which makes convolutions faster."""
    return module.to(device.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
