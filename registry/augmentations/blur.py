"""Gaussian blur of a spectrogram."""

from typing import ClassVar, Self

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, model_validator
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig, uniform

_REACH = 3.0  # deviations, beyond which the kernel is cut


class Blur(Augmentation["Blur.Config"]):
    """Blurs time and frequency equally, with a random deviation for each example; edges are replicated."""

    domain = "spectrogram"
    source: ClassVar[str] = "Chen et al. 2020, MoCo v2 and SimCLR (images)"

    class Config(AugmentationConfig):
        p: float = Field(0.5, ge=0, le=1, description="probability, drawn for each example")
        min_sigma: float = Field(0.1, gt=0, description="bins and frames")
        max_sigma: float = Field(2.0, gt=0, description="bins and frames")

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.min_sigma > self.max_sigma:
                raise ValueError(f"min_sigma {self.min_sigma} is above max_sigma {self.max_sigma}")
            return self

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config
        self.radius = int(_REACH * config.max_sigma + 0.5)

    def apply_batch(self, x: Tensor) -> Tensor:
        offset_K = torch.arange(-self.radius, self.radius + 1, device=x.device)
        sigma_B1 = uniform(self.config.min_sigma, self.config.max_sigma, x[:, 0, 0])
        kernel_BK = torch.exp(-0.5 * (offset_K / sigma_B1) ** 2)
        kernel_BK = kernel_BK / kernel_BK.sum(1, keepdim=True)
        kernels = kernel_BK.repeat_interleave(x.shape[1], 0)[:, None]  # one group an example and channel
        flat = F.pad(x.flatten(0, 1)[None], [self.radius] * 4, mode="replicate")
        flat = F.conv2d(flat, kernels[..., None], groups=flat.shape[1])
        return F.conv2d(flat, kernels[:, :, None], groups=flat.shape[1])[0].view_as(x)
