"""PANNs' residual nets over log-mels."""

from collections import OrderedDict
from typing import ClassVar

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from registry.encoders._panns import ConvBlock, PannsSettings, SpectralPanns, conv

_DROPOUT = 0.1  # inside a residual block, before its last convolution


class PannsResNet(SpectralPanns):
    """A convolution block, four stages of residual blocks, and another convolution block of 2048 channels.

    ``layers`` counts the blocks of each stage; ``bottleneck`` says whether they are bottleneck blocks.
    """

    layers: ClassVar[tuple[int, ...]]
    bottleneck: ClassVar[bool] = False
    halvings, fewest = 5, 32

    def __init__(self, config: PannsSettings, channels: int, bins: int) -> None:
        width = config.width
        super().__init__(config, channels, bins, 32 * width)
        self.conv_block1 = ConvBlock(1, width)
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        channels_in = width
        for stage, blocks in enumerate(self.layers):
            made = []
            for i in range(blocks):
                block = ResidualBlock(channels_in, width * 2**stage, self.bottleneck, halve=stage > 0 and i == 0)
                made.append(block)
                channels_in = block.channels
            stages[f"layer{stage + 1}"] = nn.Sequential(*made)
        self.resnet = nn.Sequential(stages)
        self.conv_block_after1 = ConvBlock(channels_in, 32 * width)

    def body(self, x_B1NF: Tensor) -> Tensor:
        x = self._drop(F.avg_pool2d(self.conv_block1(x_B1NF), 2))
        x = self._drop(F.avg_pool2d(self.resnet(x), 2))
        return self._drop(self.conv_block_after1(x))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, or a bottleneck of 1x1, 3x3 and 1x1 with four times the channels.

    Halving is average pooling, before the convolutions and on the shortcut. The last batch norm starts at zero.
    """

    def __init__(self, channels_in: int, channels: int, bottleneck: bool, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.channels = 4 * channels if bottleneck else channels
        kernels = [1, 3, 1] if bottleneck else [3, 3]
        sizes = [channels_in, *[channels] * (len(kernels) - 1), self.channels]
        for i, kernel in enumerate(kernels, 1):
            self.add_module(f"conv{i}", conv(nn.Conv2d, sizes[i - 1], sizes[i], kernel))
            self.add_module(f"bn{i}", nn.BatchNorm2d(sizes[i]))
        self.depth = len(kernels)
        nn.init.zeros_(self.get_submodule(f"bn{self.depth}").weight)  # type: ignore[arg-type]
        self.downsample: nn.Module = nn.Identity()
        if halve or channels_in != self.channels:
            pool = [nn.AvgPool2d(2)] if halve else []
            self.downsample = nn.Sequential(
                *pool, conv(nn.Conv2d, channels_in, self.channels, 1), nn.BatchNorm2d(self.channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = F.avg_pool2d(x, 2) if self.halve else x
        for i in range(1, self.depth + 1):
            if i == self.depth:
                out = F.dropout(out, _DROPOUT, self.training)
            out = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(out))
            if i < self.depth:
                out = F.relu(out, inplace=True)
        return F.relu(out + self.downsample(x))
