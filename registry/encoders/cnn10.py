"""PANNs' CNN10."""

from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.settings import Settings


class Cnn10(Encoder):
    """Four blocks of two 3x3 convolutions, each block halving time and frequency by average pooling.

    Input ``[B, 1, F, N]``, output frames ``[B, N // 16, 8 * width]``. Batch norm over the mel axis comes first; the
    embedding is the maximum plus the mean over time of the mean over frequency. The published net has width 64,
    4,686,272 parameters (64 mels) and embeddings of 512; its two last linear layers belong to the protocol's head.
    """

    source: ClassVar[str] = "Kong et al. 2020, PANNs; audioset_tagging_cnn:pytorch/models.py"

    class Config(Settings):
        width: int = Field(64, ge=1, description="channels of the first block; each block doubles them")
        dropout: float = Field(0.2, ge=0, lt=1, description="probability, after every block")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        if channels != 1 or bins < 16:
            raise Mistake(
                f"cnn10 takes one channel of at least 16 bins, and the front end gives {channels} of {bins}",
                fix="use a logmel front end with n_mels of 16 or more",
            )
        widths = [config.width * 2**i for i in range(4)]
        self.bn0 = nn.BatchNorm2d(bins)
        self.blocks = nn.ModuleList(_ConvBlock(i, o) for i, o in zip([1, *widths[:3]], widths, strict=True))
        self.dropout = config.dropout
        self.embedding_dim = widths[-1]

    def forward(self, x_BCFN: Tensor) -> Tensor:
        if x_BCFN.shape[-1] < 16:
            raise Mistake(f"cnn10 needs at least 16 frames, and got {x_BCFN.shape[-1]}", fix="use longer windows")
        x: Tensor = self.bn0(x_BCFN.transpose(1, 2)).permute(
            0, 2, 3, 1
        )  # [B, 1, N, F]: time before frequency, as published
        for block in self.blocks:
            x = F.dropout(F.avg_pool2d(block(x), 2), self.dropout, self.training)
        return x.mean(3).transpose(1, 2)

    def pool(self, frames_BND: Tensor) -> Tensor:
        """Maximum plus mean over time."""
        return frames_BND.amax(1) + frames_BND.mean(1)


class _ConvBlock(nn.Module):
    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        for conv in (self.conv1, self.conv2):
            nn.init.xavier_uniform_(conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.bn1(self.conv1(x)))
        return torch.relu_(self.bn2(self.conv2(x)))
