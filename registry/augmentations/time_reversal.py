"""Time reversal."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig


class TimeReversal(Augmentation):
    """Plays the waveform backwards.

    ESResNet's RandomFlip is meant to do this, but does nothing on mono input: it flips the channel axis.
    """

    domain = "waveform"
    source: ClassVar[str] = "Guzhov et al. 2020 (time inversion); Lin 2022 (random flip)"

    class Config(AugmentationConfig):
        p: float = Field(0.5, ge=0, le=1, description="probability, drawn for each example")

    def apply_batch(self, x: Tensor) -> Tensor:
        return x.flip(-1)
