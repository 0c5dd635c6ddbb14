"""Zero padding of a waveform."""

from typing import ClassVar

import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig


class Pad(Augmentation):
    """Adds zeros before and after: ``[B, T]`` to ``[B, T + 2 * samples]``. A crop after it shifts the sound."""

    domain = "waveform"
    source: ClassVar[str] = "Lin 2022 (flip, pad, crop), length not stated"

    class Config(AugmentationConfig):
        samples: int = Field(1600, ge=0, description="zeros on either side")
        p: float = Field(1.0, ge=1, le=1, description="always applied: a batch has one length")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.samples = config.samples

    def apply_batch(self, x: Tensor) -> Tensor:
        return F.pad(x, (self.samples, self.samples))
