"""Front ends: from a batch of waveforms to the input of an encoder."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from registry.errors import Mistake
from registry.lookup import FRONTENDS, Choice
from registry.settings import Component, Own, Settings

_UNSURE = 1e-11  # relative: a hundred times what two ways to sum 1e6 values in float64 differ by


class Frontend(nn.Module, Component[Own]):
    """Contract of a front end: ``[B, T]`` float32 in [-1, 1] to ``[B, C, F, N]``, or ``[B, 1, T]`` for raw audio.

    ``gives`` says which of the two. ``sample_rate`` is in Hz, ``channels`` is C, ``bins`` is F (0 for raw audio). A
    front end is differentiable and computes in float32, also inside autocast. If it has parameters, these train with
    the encoder, in pretraining and in fine-tuning; ``encoder.safetensors`` contains them beside the encoder's.
    """

    gives: ClassVar[Literal["spectrogram", "waveform"]] = "spectrogram"
    sample_rate: int
    channels: int
    bins: int

    def __init__(self, config: Settings) -> None:
        super().__init__()

    @classmethod
    def rate_of(cls, config: Any) -> int:
        """The sample rate in Hz that a front end with these settings has; it need not be made."""
        return int(config.sample_rate)

    def forward(self, wave_BT: Tensor) -> Tensor:
        """The encoder's input, float32."""
        raise NotImplementedError

    def learns(self) -> bool:
        """Whether it has parameters."""
        return next(self.parameters(), None) is not None

    def measured(self) -> "dict[str, Normalisation]":
        """The modules, by name, that normalise by statistics of the training clips."""
        return {name: m for name, m in self.named_modules() if isinstance(m, Normalisation) and m.kind == "dataset"}


def values_only(x: Tensor) -> bool:
    """Whether only values are wanted of ``x``, on a CPU: no gradient, and no graph to compile or export."""
    recorded = torch.is_grad_enabled() and x.requires_grad
    return x.device.type == "cpu" and not recorded and not torch.compiler.is_compiling()


class Normalisation(nn.Module):
    """Shifts and scales a spectrogram to zero mean and unit variance.

    ``kind`` says by which mean and deviation: ``none``; those of each window (``clip``); ``fixed`` ones; or those of
    the ``dataset``, which ``set`` sets once they are measured on the training clips.
    """

    def __init__(self, kind: Literal["none", "clip", "dataset", "fixed"], mean: float, std: float) -> None:
        super().__init__()
        self.kind = kind
        self.known = kind != "dataset"
        self.mean, self.std = mean, std

    def set(self, mean: float, std: float) -> None:
        """Sets the statistics of ``dataset``."""
        self.mean, self.std, self.known = mean, std, True

    def forward(self, x_BCFN: Tensor) -> Tensor:
        if not self.known:
            raise Mistake("normalise: dataset needs statistics, and none were measured", fix="use normalise: clip")
        if self.kind == "none":
            return x_BCFN
        if self.kind != "clip":
            return (x_BCFN - self.mean) / self.std
        # A silent window has no variance: it stays zero.
        x_BCFN = x_BCFN - x_BCFN.mean((1, 2, 3), keepdim=True)
        return x_BCFN / _deviation(x_BCFN, at_least=1e-3)


def _deviation(x_BCFN: Tensor, at_least: float) -> Tensor:
    """The standard deviation ``[B, 1, 1, 1]``, as ``std`` gives it, bit for bit.

    Torch goes from value to value on a CPU, which takes four times as long as two passes. Both compute in float64, and
    differ in its last digits: where these decide about the last bit of float32, torch's own counts.
    """
    over = (1, 2, 3)
    if values_only(x_BCFN):
        x64_BCFN = x_BCFN.double()
        x64_BCFN -= x64_BCFN.mean(over, keepdim=True)
        std_B111 = (x64_BCFN.square_().sum(over, keepdim=True) / (x_BCFN.shape[1:].numel() - 1)).sqrt()
        low, high = ((std_B111 * (1 + by)).float().clamp_min(at_least) for by in (-_UNSURE, _UNSURE))
        if np.array_equal(low.numpy(), high.numpy()):
            return low
    return x_BCFN.std(over, keepdim=True).clamp_min(at_least)


def make_frontend(choice: "Choice[Frontend] | str | Mapping[str, Any]") -> Frontend:
    """Makes the front end that is chosen or named, on torch's default device.

    It is made on the CPU and then moved: filter banks are computed from values, and the device ``meta`` has no values.

    Raises:
        Mistake: if the front end learns, and is normalised by statistics that are measured before it learns.
    """
    chosen = choice if isinstance(choice, Choice) else FRONTENDS.choose(choice)
    with torch.device("cpu"):
        made = chosen.build()
    if made.learns() and made.measured():
        raise Mistake(
            f"{chosen.name} learns, and normalise: dataset takes statistics from before it has learnt",
            fix="use normalise: clip",
        )
    return made.to(torch.get_default_device())
