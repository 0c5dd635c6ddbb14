"""Shift of pitch at the same length."""

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig
from registry.augmentations._vocoder import frames, sped_up, stretch


class PitchShift(Augmentation):
    """Shifts the pitch by an integer number of semitones, uniform in [-semitones, semitones), drawn for each example.

    The waveform is sped up without aliasing, and a phase vocoder stretches it back to its length. The range is CLAR's;
    Lin 2022 states none.
    """

    domain = "waveform"
    source: ClassVar[str] = "Al-Tahan & Mohsenzadeh 2021, CLAR (code); Lin 2022, range not stated"

    class Config(AugmentationConfig):
        semitones: int = Field(15, ge=1, le=36, description="largest shift; a semitone is a twelfth of an octave")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.semitones = config.semitones

    def apply_batch(self, x: Tensor) -> Tensor:
        samples = x.shape[1]
        shift_B1 = torch.randint(-self.semitones, self.semitones, (len(x), 1), device=x.device)
        factor_B1 = 2 ** (shift_B1 / 12)
        longest = math.ceil(samples * 2 ** (self.semitones / 12))
        position_BM = torch.arange(frames(samples), device=x.device) / factor_B1
        return stretch(sped_up(x, factor_B1, longest), position_BM, samples)
