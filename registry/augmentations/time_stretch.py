"""Stretch of time at the same pitch."""

from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig, uniform
from registry.augmentations._vocoder import frames, stretch


class TimeStretch(Augmentation):
    """Plays each waveform at a rate uniform in [min_rate, max_rate) times its speed, with the same pitch and length.

    A slower waveform is cut to its old length at a random place; a faster one lies at a random place between zeros.
    CLAR keeps the beginning and pads the end; its code then also resamples to the old length, which shifts the pitch
    instead.
    """

    domain = "waveform"
    source: ClassVar[str] = "Al-Tahan & Mohsenzadeh 2021, CLAR (code)"

    class Config(AugmentationConfig):
        min_rate: float = Field(0.5, gt=0, description="times the speed; below 1 is slower")
        max_rate: float = Field(1.5, gt=0, description="times the speed")

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.min_rate > self.max_rate:
                raise ValueError(f"min_rate {self.min_rate} is above max_rate {self.max_rate}")
            return self

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.min_rate, self.max_rate = config.min_rate, config.max_rate

    def apply_batch(self, x: Tensor) -> Tensor:
        count = frames(x.shape[1])
        rate_B1 = uniform(self.min_rate, self.max_rate, x)
        # Frames that are cut off at the beginning; a negative number means silent frames before a shorter waveform.
        first_B1 = (uniform(0, 1, x) * (count / rate_B1 - count)).trunc()
        return stretch(x, (torch.arange(count, device=x.device) + first_B1) * rate_B1, x.shape[1])
