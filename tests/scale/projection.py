"""An encoder that costs next to nothing: what is measured is what lies around it."""

import torch
from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.settings import Settings

_FRAME = 80  # samples


class Projection(Encoder):
    """Frames of 80 samples through a random layer; the embedding is the mean over frames."""

    takes = "waveform"

    class Config(Settings):
        dim: int = Field(256, description="of the embedding")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.embedding_dim = config.dim
        self.layer = torch.nn.Linear(_FRAME, config.dim)

    def forward(self, x_B1T: Tensor) -> Tensor:
        frames_BND: Tensor = torch.tanh(8 * self.layer(x_B1T.squeeze(1).unfold(1, _FRAME, _FRAME)))
        return frames_BND
