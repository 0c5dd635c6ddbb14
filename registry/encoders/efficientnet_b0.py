"""COLA's EfficientNet-B0."""

from pathlib import Path
from typing import ClassVar

from torch import Tensor

from registry.encoders import Encoder
from registry.encoders.timm import timm_net
from registry.errors import Mistake
from registry.settings import Settings

_MODEL = "efficientnet_b0.ra_in1k"


class EfficientNetB0(Encoder):
    """EfficientNet-B0 over one log-mel, pooled by its maximum.

    ``[B, 1, F, N]`` to frames ``[B, ceil(N / 32), 1280]``, the maxima over frequency; 4,006,972 parameters.
    """

    source: ClassVar[str] = "Saeed et al. 2021, COLA; google-research/cola (pooling: its code's default)"

    def __init__(self, config: Settings, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        if channels != 1:
            raise Mistake(
                f"efficientnet-b0 takes one channel, and the front end gives {channels}",
                fix="use a log-mel, or {name: timm, model: efficientnet_b0} for three channels",
            )
        self.net = timm_net(_MODEL, 1)
        self.embedding_dim = int(self.net.num_features)  # type: ignore[arg-type]

    def forward(self, x_BCFN: Tensor) -> Tensor:
        frames_BDN: Tensor = self.net.forward_features(x_BCFN).amax(2)  # type: ignore[operator]
        return frames_BDN.transpose(1, 2)

    def pool(self, frames_BND: Tensor) -> Tensor:
        """Maximum over time."""
        return frames_BND.amax(1)

    @classmethod
    def imagenet(cls, config: Settings) -> str:
        return _MODEL

    def load_imagenet(self, path: Path | None) -> None:
        self.net = timm_net(_MODEL, 1, pretrained=True, path=path)
