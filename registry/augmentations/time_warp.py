"""Warp of a spectrogram along time."""

from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig, uniform


class TimeWarp(Augmentation):
    """Moves one random frame by up to W frames; the frames before and after it are stretched or squeezed linearly.

    The frame is uniform over those at least W from either end, and its shift is uniform in [-W, W). If the spectrogram
    has fewer than 4 W frames, W is a quarter of its frames, so that neither side vanishes; the source has long
    utterances.
    """

    domain = "spectrogram"
    source: ClassVar[str] = "Park et al. 2019, SpecAugment; W of 80 and 40 from memory"

    class Config(AugmentationConfig):
        frames: int = Field(80, ge=0, description="W, the furthest that the frame is moved")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.frames = config.frames

    def apply_batch(self, x: Tensor) -> Tensor:
        rows, last = x.shape[2], x.shape[3] - 1
        reach = min(self.frames, x.shape[3] // 4)
        origin_B1 = uniform(reach, last - reach, x[:, 0, 0])
        target_B1 = origin_B1 + uniform(-reach, reach, x[:, 0, 0])
        frame_N = torch.arange(x.shape[3], device=x.device)
        before_BN = frame_N * origin_B1 / target_B1.clamp_min(1e-6)
        after_BN = last - (last - frame_N) * (last - origin_B1) / (last - target_B1).clamp_min(1e-6)
        column_BN = torch.where(frame_N < target_B1, before_BN, after_BN) * (2 / max(last, 1)) - 1
        row_F = torch.linspace(-1, 1, rows, device=x.device)
        grid = torch.stack(
            [column_BN[:, None].expand(-1, rows, -1), row_F[:, None].expand(len(x), -1, x.shape[3])], dim=3
        )
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=True)
