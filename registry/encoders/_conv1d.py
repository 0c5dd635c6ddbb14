"""The plain convolutional nets over raw audio from the multi-format paper."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.settings import Settings


class Conv1d(Encoder):
    """One convolution of kernel 10 and stride 5, then ``halvings`` convolutions of kernel 4 and stride 2, unpadded.

    Group norm and ReLU follow each convolution. The embedding is the mean over time.
    """

    source: ClassVar[str] = "Wang 2021; bias, groups and padding not stated there: as wav2vec"
    takes = "waveform"
    halvings: ClassVar[int]

    class Config(Settings):
        width: int = Field(512, ge=1, description="channels of every layer, and size of the embedding")
        norm_groups: int = Field(1, ge=1, description="groups of group norm; not stated, 1 as in wav2vec")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.embedding_dim = config.width
        layers: list[nn.Module] = []
        self.shortest = 10 + 5 * 3 * (2**self.halvings - 1)
        for i in range(self.halvings + 1):
            size_in, kernel, stride = (config.width, 4, 2) if i else (1, 10, 5)
            layers += [
                nn.Conv1d(size_in, config.width, kernel, stride, bias=False),
                nn.GroupNorm(config.norm_groups, config.width),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x_B1T: Tensor) -> Tensor:
        self.check_length(x_B1T)
        frames_BND: Tensor = self.layers(x_B1T).transpose(1, 2)
        return frames_BND
