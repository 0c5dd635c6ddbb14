"""ESResNet: an image ResNet over spectrograms."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.encoders.timm import timm_net
from registry.errors import Mistake
from registry.settings import Settings


class ESResNet(Encoder):
    """A torchvision-style ResNet whose three input channels are the spectrogram.

    Input ``[B, 1, F, N]``; frames ``[B, ceil(N / 32), D]`` are the mean over frequency of the last stage, the embedding
    their mean (the net's adaptive average pooling): D = 2048 for depth 50 and more, 512 below. ``bands: repeat`` gives
    each channel the whole spectrogram (Lin 2022); ``bands: split`` cuts it into three bands, lowest first, and
    drops the bins that do not divide by three (the original: 1023 of 1025 bins, 341 a channel).
    Depth 50 has 23,508,032 parameters.
    """

    source: ClassVar[str] = "Guzhov et al. 2020; ESResNet:model/esresnet.py; Lin 2022"

    class Config(Settings):
        depth: Literal[18, 34, 50, 101, 152] = Field(50, description="layers of the ResNet")
        bands: Literal["repeat", "split"] = Field("repeat", description="what the three channels hold")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        if channels != 1 or bins < 3:
            raise Mistake(
                f"esresnet takes one channel of at least 3 bins, and the front end gives {channels} of {bins}",
                fix="use a logmel front end",
            )
        self.bands = config.bands
        self.model = f"resnet{config.depth}.tv_in1k"  # the torchvision weights that ESResNet loaded
        self.net = timm_net(self.model, 3)
        self.embedding_dim = int(self.net.num_features)  # type: ignore[arg-type]

    def forward(self, x_BCFN: Tensor) -> Tensor:
        if self.bands == "repeat":
            x = x_BCFN.expand(-1, 3, -1, -1)
        else:
            height = x_BCFN.shape[2] // 3
            x = x_BCFN[:, 0, : 3 * height].unflatten(1, (3, height))
        return self.net.forward_features(x).mean(2).transpose(1, 2)  # type: ignore[operator, no-any-return]

    def load_imagenet(self, path: Path | None) -> None:
        self.net = timm_net(self.model, 3, pretrained=True, path=path)
