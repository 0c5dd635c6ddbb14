"""ESResNet: an image ResNet over spectrograms."""

from pathlib import Path
from typing import ClassVar, Literal

import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.encoders.timm import timm_net
from registry.errors import Mistake
from registry.settings import Settings

_KERNELS = ((3, 1), (1, 5), (3, 1), (1, 5), (3, 5))  # (frequency, time), of the attention branches


class ESResNet(Encoder["ESResNet.Config"]):
    """A torchvision-style ResNet with a spectrogram of three channels as its input.

    Input ``[B, 3, F, N]``, such as the three bands of the front end ``esresnet`` (Guzhov et al.), or ``[B, 1, F, N]``,
    which is repeated three times (Lin 2022: three identical log-mels). Frames ``[B, ceil(N / 32), D]`` are the mean
    over frequency of the last stage; the embedding is their mean (the net's adaptive average pooling). D is 2048 for
    depth 50 and more, and 512 below. Recordings are mono here; the source sums the features of two channels. 23,508,032
    parameters at depth 50, 30,531,648 with attention.
    """

    source: ClassVar[str] = "Guzhov et al. 2020; ESResNet:model/esresnet.py; Lin 2022"

    class Config(Settings):
        depth: Literal[18, 34, 50, 101, 152] = Field(50, description="layers of the ResNet")
        attention: bool = Field(False, description="a branch beside every stage that gates its output")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        if channels not in (1, 3):
            raise Mistake(
                f"esresnet takes one channel or three, and the front end gives {channels}",
                fix="use a log-mel, or the front end esresnet",
            )
        self.model = self.imagenet(config)
        self.net = timm_net(self.model, 3)
        sizes = [int(stage["num_chs"]) for stage in self.net.feature_info]  # type: ignore[union-attr]
        self.embedding_dim = sizes[-1]
        sizes.append(sizes[-1])
        self.gates = nn.ModuleList(
            _Gate(sizes[i], sizes[i + 1], kernel) for i, kernel in enumerate(_KERNELS) if config.attention
        )

    def forward(self, x_BCFN: Tensor) -> Tensor:
        net = self.net
        x = net.maxpool(net.act1(net.bn1(net.conv1(x_BCFN.expand(-1, 3, -1, -1)))))  # type: ignore[operator]
        for i, stage in enumerate((net.layer1, net.layer2, net.layer3, net.layer4)):
            out = stage(x)  # type: ignore[operator]
            x = out * self.gates[i](x, out.shape[2:]) if self.gates else out
        if self.gates:  # the last gate has one value for each channel of the pooled feature
            x = x * self.gates[-1](x, (1, 1))
        frames_BND: Tensor = x.mean(2).transpose(1, 2)
        return frames_BND

    @classmethod
    def imagenet(cls, config: Config) -> str:
        return f"resnet{config.depth}.tv_in1k"  # the torchvision weights that ESResNet used

    def load_imagenet(self, path: Path | None) -> None:
        self.net = timm_net(self.model, 3, pretrained=True, path=path)


class _Gate(nn.Module):
    """Factors in (0, 1) for a stage's output, ``[B, channels, *size]``, computed from the stage's input."""

    def __init__(self, channels_in: int, channels: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.depthwise = nn.Conv2d(channels_in, channels_in, kernel, padding=padding, groups=channels_in)
        self.pointwise = nn.Conv2d(channels_in, channels, 1)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        gate: Tensor = self.bn(self.pointwise(self.depthwise(F.adaptive_max_pool2d(x, size)))).sigmoid()
        return gate
