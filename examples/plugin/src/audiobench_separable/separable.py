"""A small net of separable convolutions."""

from itertools import pairwise

from pydantic import Field
from torch import Tensor, nn

from audiobench import Encoder, Settings


class Separable(Encoder):
    """Blocks of a convolution in every channel by itself, and one over the channels of every place.

    ``[B, C, F, N]`` to frames ``[B, N // 2**depth, D]`` with D = ``width * 2**depth``.
    """

    source = "Howard et al. 2017, MobileNets"

    class Config(Settings):
        """What a suite may set."""

        width: int = Field(16, ge=1, description="channels of the first convolution; each block doubles them")
        depth: int = Field(3, ge=1, le=8, description="blocks; each halves frames and bins")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        widths = [config.width * 2**i for i in range(config.depth + 1)]
        self.embedding_dim = widths[-1]
        self.shortest = 2**config.depth
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.blocks = nn.Sequential(*(_block(a, b) for a, b in pairwise(widths)))

    def forward(self, x_BCFN: Tensor) -> Tensor:
        """Frames: the mean over the bins that are left."""
        self.check_length(x_BCFN)
        frames_BDN: Tensor = self.blocks(self.stem(x_BCFN)).mean(2)
        return frames_BDN.transpose(1, 2)


def _block(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False),
        nn.Conv2d(channels_in, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2, ceil_mode=True),
    )
