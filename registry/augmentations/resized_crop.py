"""Random resized crop of a spectrogram."""

from typing import ClassVar, Self

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, model_validator
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig, uniform


class ResizedCrop(Augmentation["ResizedCrop.Config"]):
    """A crop of random height, width and place, resized (bicubic) to full size: shifts and stretches pitch and time.

    The spectrogram lies in the middle of a canvas of zeros, 1.5 times as long and equally high; the crop is taken from
    the canvas. With a normalised front end the zeros are the data set's mean.
    """

    domain = "spectrogram"
    source: ClassVar[str] = "Niizumi et al. 2021, BYOL-A; nttcslab/byol-a"

    class Config(AugmentationConfig):
        min_scale: float = Field(0.6, gt=0, description="smallest height and width of the crop; 1 is the input's")
        max_scale: float = Field(1.5, gt=0, description="largest height and width, cut to the canvas")
        canvas: float = Field(1.5, ge=1, description="length of the canvas; 1 is the input's")

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.min_scale > self.max_scale:
                raise ValueError(f"min_scale {self.min_scale} is above max_scale {self.max_scale}")
            return self

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config

    def apply_batch(self, x: Tensor) -> Tensor:
        rows_BF = self._axis(x, x.shape[2], 1.0)
        columns_BN = self._axis(x, x.shape[3], self.config.canvas)
        grid = torch.stack(
            [columns_BN[:, None].expand(-1, x.shape[2], -1), rows_BF[:, :, None].expand(-1, -1, x.shape[3])], 3
        )
        return F.grid_sample(x, grid, mode="bicubic", padding_mode="zeros", align_corners=True)

    def _axis(self, x: Tensor, length: int, canvas: float) -> Tensor:
        """Where each of ``length`` outputs lies in the input, -1 at its first and 1 at its last: ``[B, length]``."""
        whole = int(length * canvas)
        scale_B1 = uniform(self.config.min_scale, self.config.max_scale, x[:, 0, 0])
        size_B1 = (scale_B1 * length).floor().clamp(1, whole)
        start_B1 = (uniform(0, 1, x[:, 0, 0]) * (whole - size_B1 + 1)).floor()
        place_BN = start_B1 + torch.linspace(0, 1, length, device=x.device) * (size_B1 - 1)
        return 2 * (place_BN - (whole - length) // 2) / max(length - 1, 1) - 1
