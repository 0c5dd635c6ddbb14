"""Stripes masked along time."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig, stripes


class TimeMask(Augmentation):
    """Replaces stripes of frames by the example's mean, each 0 to ``width`` frames wide."""

    domain = "spectrogram"
    source: ClassVar[str] = "Park et al. 2019, SpecAugment; counts and widths of PANNs"

    class Config(AugmentationConfig):
        width: int = Field(64, ge=0, description="frames, the widest stripe")
        count: int = Field(2, ge=0, description="stripes an example")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.width, self.count = config.width, config.count

    def apply_batch(self, x: Tensor) -> Tensor:
        return x.where(~stripes(x, 3, self.width, self.count), x.mean((1, 2, 3), keepdim=True))
