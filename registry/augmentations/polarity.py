"""Polarity inversion."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig


class Polarity(Augmentation):
    """Negates the waveform."""

    domain = "waveform"
    source: ClassVar[str] = "one reading of Lin 2022's random flip, whose meaning is not recoverable"

    class Config(AugmentationConfig):
        p: float = Field(0.5, ge=0, le=1, description="probability, drawn for each example")

    def apply_batch(self, x: Tensor) -> Tensor:
        return -x
