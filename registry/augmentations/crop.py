"""Random crop of a waveform."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig
from registry.errors import Mistake


class Crop(Augmentation):
    """Keeps a random stretch of ``samples`` samples, drawn for each example: ``[B, T]`` to ``[B, samples]``."""

    domain = "waveform"
    source: ClassVar[str] = "Lin 2022 (flip, pad, crop); ESResNet RandomCrop"

    class Config(AugmentationConfig):
        samples: int = Field(16000, ge=1, description="samples kept")
        p: float = Field(1.0, ge=1, le=1, description="always applied: a batch has one length")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.samples = config.samples

    def apply_batch(self, x: Tensor) -> Tensor:
        slack = x.shape[1] - self.samples
        if slack < 0:
            raise Mistake(
                f"crop of {self.samples} samples from windows of {x.shape[1]}", fix="crop fewer, or pad first"
            )
        start_B1 = (torch.rand(len(x), 1, device=x.device) * (slack + 1)).long()
        return x.gather(1, start_B1 + torch.arange(self.samples, device=x.device))
