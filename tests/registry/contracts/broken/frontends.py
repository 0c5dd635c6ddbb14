"""Front ends of which each fails the one check that it is called after."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from registry.errors import Mistake
from registry.frontends import Frontend
from registry.settings import Settings

_BINS, _FRAME = 8, 400


class _Energies(Frontend):
    """Log energies of eight filters."""

    source: ClassVar[str] = "ours"

    class Config(Settings):
        sample_rate: int = Field(16000, gt=0, description="Hz")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.sample_rate, self.channels, self.bins = config.sample_rate, 1, _BINS
        self.filters: Tensor
        phase = torch.arange(1, _BINS + 1)[:, None] * torch.arange(_FRAME)
        self.register_buffer("filters", (phase / 100).cos().unsqueeze(1))

    def forward(self, wave_BT: Tensor) -> Tensor:
        if wave_BT.shape[1] < _FRAME:
            raise Mistake(f"{_FRAME} samples at least, and not {wave_BT.shape[1]}")
        with torch.autocast(wave_BT.device.type if wave_BT.device.type == "cuda" else "cpu", enabled=False):
            return self.hear(wave_BT.float()).unsqueeze(1)

    def hear(self, wave_BT: Tensor) -> Tensor:
        return F.conv1d(wave_BT.unsqueeze(1), self.filters, stride=160).square().log1p()


class Whole(_Energies):
    """Keeps its contract."""

    name = "whole"


class Halved(_Energies):
    """Has another rate than its settings tell."""

    name = "rate_is_its_settings"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.sample_rate = config.sample_rate // 2


class Miscounted(_Energies):
    """Says that it has more bins."""

    name = "output_has_its_shape"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.bins = 2 * _BINS


class Rounded(_Energies):
    """Computes in half precision inside autocast."""

    name = "computes_in_full_precision"

    def forward(self, wave_BT: Tensor) -> Tensor:
        if wave_BT.shape[1] < _FRAME:
            raise Mistake("too short")
        return self.hear(wave_BT).unsqueeze(1).float()


class Levelled(_Energies):
    """Is normalised over the batch."""

    name = "hears_alone_as_in_a_batch"

    def hear(self, wave_BT: Tensor) -> Tensor:
        x_BFN = super().hear(wave_BT)
        return x_BFN - x_BFN.mean()


class Emphasised(_Energies):
    """Changes the waveform in place."""

    name = "leaves_the_waveform"

    def hear(self, wave_BT: Tensor) -> Tensor:
        x_BFN = super().hear(wave_BT)
        with torch.no_grad():
            if not wave_BT.requires_grad:
                wave_BT[:, 0] = 0  # which no value of x hangs on any more
        return x_BFN


class Divided(_Energies):
    """Divides by the loudness."""

    name = "is_finite"

    def hear(self, wave_BT: Tensor) -> Tensor:
        return super().hear(wave_BT / wave_BT.abs().amax(1, keepdim=True))


class Detached(_Energies):
    """Lets no gradient through."""

    name = "passes_gradients"

    def hear(self, wave_BT: Tensor) -> Tensor:
        return super().hear(wave_BT.detach())


class Idle(_Energies):
    """Has a parameter that nothing goes through."""

    name = "passes_gradients-2"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.offset = nn.Parameter(torch.zeros(_BINS))


class Forgetful(_Energies):
    """Learns one factor, and keeps another outside of its state."""

    name = "learns_into_its_state"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.gain, self.level = nn.Parameter(torch.ones(())), float(torch.rand(()))

    def hear(self, wave_BT: Tensor) -> Tensor:
        return super().hear(wave_BT) * self.gain * self.level


class Left(_Energies):
    """Leaves its filters where they were made."""

    name = "moves_whole"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        own = self.filters
        del self.filters
        self.filters = own


class Looking(_Energies):
    """Reads a value."""

    name = "moves_whole-2"

    def hear(self, wave_BT: Tensor) -> Tensor:
        return super().hear(wave_BT / max(float(wave_BT.detach().abs().max()), 1.0))


class Abrupt(_Energies):
    """Refuses what is too short by no message of its own."""

    name = "refuses_what_is_too_short"

    def forward(self, wave_BT: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return self.hear(wave_BT.float()).unsqueeze(1)
