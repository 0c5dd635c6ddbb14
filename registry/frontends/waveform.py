"""Raw audio."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from registry.frontends import Frontend
from registry.settings import Settings


class Waveform(Frontend):
    """The waveform, unchanged.

    ``[B, T]`` to ``[B, 1, T]`` float32.
    """

    source: ClassVar[str] = "Wang 2021 (16 kHz); Kong et al. 2020 (32 kHz)"
    gives = "waveform"

    class Config(Settings):
        sample_rate: int = Field(16000, gt=0, description="Hz; recordings are resampled to it once")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.sample_rate, self.channels, self.bins = config.sample_rate, 1, 0

    def forward(self, wave_BT: Tensor) -> Tensor:
        return wave_BT.float().unsqueeze(1)
