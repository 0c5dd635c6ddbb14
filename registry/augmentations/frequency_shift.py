"""Shift of a spectrogram along frequency."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig


class FrequencyShift(Augmentation):
    """Shifts the bins up or down by an integer uniform in [-bins, bins]; vacated bins get the example's lowest value.

    Wang 2021 fills them with zero energy. On a logarithmic scale this is not 0, so the lowest value stands for it.
    """

    domain = "spectrogram"
    source: ClassVar[str] = "Wang 2021 (F of about half the mel bins is best there)"

    class Config(AugmentationConfig):
        bins: int = Field(10, ge=0, description="largest shift, in bins")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.bins = config.bins

    def apply_batch(self, x: Tensor) -> Tensor:
        bins = x.shape[2]
        shift_B1 = torch.randint(-self.bins, self.bins + 1, (len(x), 1), device=x.device)
        origin_BF = torch.arange(bins, device=x.device) - shift_B1
        moved = x.gather(2, origin_BF.clamp(0, bins - 1)[:, None, :, None].expand_as(x))
        vacated = ((origin_BF < 0) | (origin_BF >= bins))[:, None, :, None]
        return torch.where(vacated, x.amin((1, 2, 3), keepdim=True), moved)
