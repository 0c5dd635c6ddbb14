"""Front ends: from a batch of waveforms to what an encoder takes."""

from torch import Tensor, nn

from registry.settings import Component, Settings


class Frontend(nn.Module, Component):
    """Contract of a front end: ``[B, T]`` float32 in [-1, 1] to ``[B, C, F, N]``, or ``[B, 1, T]`` for raw audio."""

    sample_rate: int
    channels: int
    bins: int

    def __init__(self, config: Settings) -> None:
        super().__init__()

    def forward(self, wave_BT: Tensor) -> Tensor:
        """What the encoder takes, float32."""
        raise NotImplementedError
