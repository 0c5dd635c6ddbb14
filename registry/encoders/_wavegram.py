"""PANNs' wavegram: a learned time-frequency plane of raw audio."""

from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from registry.encoders._panns import ConvBlock, Panns, PannsSettings, conv

HOP = 5 * 4**3  # samples between the wavegram's frames, before its last block halves their number
_PLANES = 4  # the channels are folded into this many planes of frequency
_BLOCKS = 6


class WavegramPanns(Panns):
    """CNN14 with the wavegram instead of its first block, or beside it.

    ``rows`` is the height of the wavegram, equal to the height of the log-mel's first block's output. ``planes_in``
    counts the channels that enter the second block, in multiples of the width.
    """

    takes = "waveform"
    planes_in: ClassVar[int] = 1
    shortest = 32 * HOP - 4  # the first convolution has stride 5 and rounds up

    def __init__(self, config: PannsSettings, channels: int, bins: int, rows: int) -> None:
        width = config.width
        super().__init__(config, channels, bins, 32 * width)
        self.rows = rows
        self.pre_conv0 = conv(nn.Conv1d, 1, width, 11, stride=5)
        self.pre_bn0 = nn.BatchNorm1d(width)
        self.pre_block1 = _PreBlock(width, width)
        self.pre_block2 = _PreBlock(width, 2 * width)
        self.pre_block3 = _PreBlock(2 * width, _PLANES * rows)
        self.pre_block4 = ConvBlock(_PLANES, width)
        sizes = [self.planes_in * width, *(width * 2**i for i in range(1, _BLOCKS))]
        for i in range(1, _BLOCKS):
            self.add_module(f"conv_block{i + 1}", ConvBlock(sizes[i - 1], sizes[i]))

    def wavegram(self, x_B1T: Tensor) -> Tensor:
        """``[B, width, N // 2, rows]``, N frames of 320 samples."""
        x = torch.relu_(self.pre_bn0(self.pre_conv0(x_B1T)))
        x = self.pre_block3(self.pre_block2(self.pre_block1(x)))
        planes_BCNF = x.unflatten(1, (_PLANES, self.rows)).transpose(2, 3)
        return F.avg_pool2d(self.pre_block4(planes_BCNF), (2, 1))

    def trunk(self, x_BCNF: Tensor) -> Tensor:
        """Blocks two to six, which give frames ``[B, N', D]``."""
        x = self._drop(x_BCNF)
        for i in range(2, _BLOCKS + 1):
            x = self.get_submodule(f"conv_block{i}")(x)
            x = self._drop(F.avg_pool2d(x, 2) if i < _BLOCKS else x)
        return x.mean(3).transpose(1, 2)


class _PreBlock(nn.Module):
    """Two convolutions, the second dilated, and maximum pooling by four."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv1 = conv(nn.Conv1d, channels_in, channels, 3)
        self.bn1 = nn.BatchNorm1d(channels)
        self.conv2 = conv(nn.Conv1d, channels, channels, 3, dilation=2)
        self.bn2 = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.bn1(self.conv1(x)))
        return F.max_pool1d(torch.relu_(self.bn2(self.conv2(x))), 4)
