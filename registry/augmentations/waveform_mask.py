"""Noise in place of a stretch of a waveform."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig


class WaveformMask(Augmentation):
    """Replaces one stretch of each waveform, at a random place, by faint Gaussian noise."""

    domain = "waveform"
    source: ClassVar[str] = "Al-Tahan & Mohsenzadeh 2021, CLAR (code)"

    class Config(AugmentationConfig):
        share: float = Field(0.125, ge=0, le=1, description="length of the stretch, as share of the waveform")
        deviation: float = Field(0.01, ge=0, description="of the noise, at full scale 1")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.share, self.deviation = config.share, config.deviation

    def apply_batch(self, x: Tensor) -> Tensor:
        width = int(self.share * x.shape[1])
        start_B1 = (torch.rand(len(x), 1, device=x.device) * (x.shape[1] - width + 1)).long()
        place_BW = start_B1 + torch.arange(width, device=x.device)
        noise_BW = self.deviation * torch.randn(len(x), width, device=x.device)
        return x.scatter(1, place_BW, noise_BW)
