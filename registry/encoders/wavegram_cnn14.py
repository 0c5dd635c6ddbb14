"""PANNs' Wavegram-CNN14."""

from typing import ClassVar

from torch import Tensor

from registry.encoders._panns import PannsSettings
from registry.encoders._wavegram import WavegramPanns

_ROWS = 32


class WavegramCnn14(WavegramPanns):
    """CNN14 over a learned wavegram of raw audio.

    ``[B, 1, T]`` to frames ``[B, T // 320 // 32, 2048]``. 75,677,760 parameters; the published 75,715,584 include
    37,824 of layers that the forward pass never uses.
    """

    skipped: ClassVar[str] = r"bn0\.|conv_block1\."

    def __init__(self, config: PannsSettings, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins, _ROWS)

    def forward(self, x_B1T: Tensor) -> Tensor:
        self.check_length(x_B1T)
        return self.trunk(self.wavegram(x_B1T))
