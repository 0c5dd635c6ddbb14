"""CLAR's one-dimensional ResNet-18."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.settings import Settings


class ResNet18OneD(Encoder):
    """ResNet-18 in one dimension, with kernels of 9, over raw audio.

    ``[B, 1, T]`` to frames ``[B, T // 32, 512]``. One strided convolution of 7, one maximum pooling of 9, then four
    stages of two basic blocks.
    """

    source: ClassVar[str] = "Al-Tahan & Mohsenzadeh 2021, CLAR; haideraltahan/CLAR:models.py"
    takes = "waveform"
    shortest = 13  # the pooling has a kernel of 9: seven values and its padding

    class Config(Settings):
        width: int = Field(64, ge=1, description="channels of the first stage; each stage doubles them")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        widths = [config.width * 2**i for i in range(4)]
        self.embedding_dim = widths[-1]
        self.stem = nn.Sequential(
            nn.Conv1d(1, widths[0], 7, stride=2, padding=3, bias=False),
            nn.BatchNorm1d(widths[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool1d(9, stride=2, padding=1),
        )
        stages = []
        for size_in, size in zip([widths[0], *widths[:-1]], widths, strict=True):
            stages += [
                _Block(size_in, size, stride=1 if size == widths[0] else 2),
                _Block(size, size, stride=1),
            ]
        self.stages = nn.Sequential(*stages)
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x_B1T: Tensor) -> Tensor:
        self.check_length(x_B1T)
        frames_BND: Tensor = self.stages(self.stem(x_B1T)).transpose(1, 2)
        return frames_BND


class _Block(nn.Module):
    """Two convolutions. Their input, or a strided 1x1 convolution of it, is added to their output."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels_in, channels, 9, stride=stride, padding=4, bias=False)
        self.bn1 = nn.BatchNorm1d(channels)
        self.conv2 = nn.Conv1d(channels, channels, 9, padding=4, bias=False)
        self.bn2 = nn.BatchNorm1d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv1d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm1d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = torch.relu_(self.bn1(self.conv1(x)))
        return torch.relu_(self.bn2(self.conv2(out)) + self.shortcut(x))
