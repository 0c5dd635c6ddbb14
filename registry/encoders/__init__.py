"""Encoders: a front end's output in, frames and one embedding a clip out."""

from pathlib import Path

from torch import Tensor, nn

from registry.errors import Mistake
from registry.settings import Component, Settings


class Encoder(nn.Module, Component):
    """Contract of an encoder.

    Args:
        config: the encoder's own ``Config``.
        channels: C of the front end's output.
        bins: F of the front end's output (1 for raw audio).
    """

    embedding_dim: int

    def __init__(self, config: Settings, channels: int, bins: int) -> None:
        super().__init__()

    def forward(self, x_BCFN: Tensor) -> Tensor:
        """Frames ``[B, N', D]`` of a front end's output."""
        raise NotImplementedError

    def pool(self, frames_BND: Tensor) -> Tensor:
        """One embedding ``[B, D]`` a clip from its frames; the mean over time unless a system says otherwise."""
        return frames_BND.mean(1)

    def embed(self, x_BCFN: Tensor) -> Tensor:
        """One embedding ``[B, D]`` a clip."""
        return self.pool(self(x_BCFN))

    def load_imagenet(self, path: Path | None) -> None:
        """Puts ImageNet weights in: timm's pretrained tag, or a local timm checkpoint.

        Raises:
            Mistake: for an encoder that has none.
        """
        raise Mistake(f"{type(self).__name__} has no ImageNet weights", fix="use weights: random, or a timm encoder")
