"""Circular shift in time."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig


class TimeShift(Augmentation):
    """Shifts the waveform by an integer uniform in [-samples, samples], and wraps it round at the ends."""

    domain = "waveform"
    source: ClassVar[str] = "Al-Tahan & Mohsenzadeh 2021, CLAR (code)"

    class Config(AugmentationConfig):
        samples: int = Field(8000, ge=0, description="largest shift, in samples")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.samples = config.samples

    def apply_batch(self, x: Tensor) -> Tensor:
        shift_B1 = torch.randint(-self.samples, self.samples + 1, (len(x), 1), device=x.device)
        return x.gather(1, (torch.arange(x.shape[1], device=x.device) - shift_B1) % x.shape[1])
