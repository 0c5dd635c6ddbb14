"""PANNs' residual nets over raw audio."""

from collections import OrderedDict
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from registry.encoders._panns import Panns, PannsSettings, conv

_STAGES = (1, 2, 4, 8, 16, 16, 32)  # channels, in widths
_POOL = 4
_DROPOUT = 0.1  # inside a block, before its last convolution
_STRIDE = 5 * _POOL ** (len(_STAGES) - 1)
_SHORTEST = _STRIDE - 4  # the first convolution has stride 5 and rounds up


class Res1dNet(Panns):
    """A strided convolution, then seven stages of residual blocks; each but the first pools by four: stride 20,480.

    ``[B, 1, T]`` to frames ``[B, N', 2048]``; ``layers`` counts the blocks of each stage. Inputs under 20,476 samples,
    such as the 1-s crops of Wang 2021, are padded with zeros at their end; the published code fails on them. Wang 2021
    replaces batch norm by group norm, calls this important, and does not state the number of groups.
    """

    takes = "waveform"
    layers: ClassVar[tuple[int, ...]]

    class Config(PannsSettings):
        dropout: float = Field(_DROPOUT, ge=0, lt=1, description="probability, inside every block")
        norm: Literal["batch", "group"] = Field("batch", description="batch as published, group as Wang 2021")
        norm_groups: int = Field(1, ge=1, description="groups of norm: group")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        widths = [config.width * factor for factor in _STAGES]
        super().__init__(config, channels, bins, widths[-1])
        self.conv0 = conv(nn.Conv1d, 1, config.width, 11, stride=5)
        self.bn0 = _norm(config, config.width)
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        channels_in = config.width
        for stage, (width, blocks) in enumerate(zip(widths, self.layers, strict=True)):
            pools = [_POOL if stage and i == 0 else 1 for i in range(blocks)]
            sizes = [channels_in, *[width] * (blocks - 1)]
            made = (_DilatedBlock(config, size, width, pool) for size, pool in zip(sizes, pools, strict=True))
            stages[f"layer{stage + 1}"] = nn.Sequential(*made)
            channels_in = width
        self.resnet = nn.Sequential(stages)

    def forward(self, x_B1T: Tensor) -> Tensor:
        missing = max(_SHORTEST - x_B1T.shape[-1], 0)
        x = self.bn0(self.conv0(F.pad(x_B1T, (0, missing))))  # no ReLU here, as published
        frames_BND: Tensor = self.resnet(x).transpose(1, 2)
        return frames_BND


class _DilatedBlock(nn.Module):
    """Two convolutions, the second dilated. Pooling is a maximum before them, and a mean on the shortcut."""

    def __init__(self, config: Res1dNet.Config, channels_in: int, channels: int, pool: int) -> None:
        super().__init__()
        self.pool, self.dropout = pool, config.dropout
        self.conv1 = conv(nn.Conv1d, channels_in, channels, 3)
        self.bn1 = _norm(config, channels)
        self.conv2 = conv(nn.Conv1d, channels, channels, 3, dilation=2)
        self.bn2 = _norm(config, channels)
        nn.init.zeros_(self.bn2.weight)  # type: ignore[arg-type]
        self.downsample: nn.Module = nn.Identity()
        if pool > 1 or channels_in != channels:
            before = [nn.AvgPool1d(pool)] if pool > 1 else []
            self.downsample = nn.Sequential(*before, conv(nn.Conv1d, channels_in, channels, 1), _norm(config, channels))

    def forward(self, x: Tensor) -> Tensor:
        out = F.max_pool1d(x, self.pool) if self.pool > 1 else x
        out = torch.relu_(self.bn1(self.conv1(out)))
        out = self.bn2(self.conv2(F.dropout(out, self.dropout, self.training)))
        return F.relu(out + self.downsample(x))


def _norm(config: Res1dNet.Config, channels: int) -> nn.Module:
    return nn.BatchNorm1d(channels) if config.norm == "batch" else nn.GroupNorm(config.norm_groups, channels)
