"""Mixing of spectrograms in the linear domain."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig, uniform


class LogMixup(Augmentation):
    """``log((1 - a) exp(x) + a exp(z))``: another sound z, quiet, behind x. The share a is uniform in [0, ratio).

    z is another example of the batch; the source keeps a memory of 2,048 past inputs.
    """

    domain = "spectrogram"
    source: ClassVar[str] = "Niizumi et al. 2021, BYOL-A; nttcslab/byol-a"

    class Config(AugmentationConfig):
        ratio: float = Field(0.4, gt=0, lt=1, description="largest share of the other sound")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.ratio = config.ratio

    def apply_batch(self, x: Tensor) -> Tensor:
        share = uniform(0, self.ratio, x).clamp_min(1e-6)
        other = x[torch.randperm(len(x), device=x.device)]
        return torch.logaddexp(x + (1 - share).log(), other + share.log())
