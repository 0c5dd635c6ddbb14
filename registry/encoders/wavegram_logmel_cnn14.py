"""PANNs' Wavegram-Logmel-CNN14."""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, field_validator
from torch import Tensor, nn

from registry.encoders._panns import ConvBlock, PannsSettings, mel_norm
from registry.encoders._wavegram import HOP, WavegramPanns
from registry.frontends import Frontend, make_frontend
from registry.lookup import FrontendReference, named


class WavegramLogmelCnn14(WavegramPanns):
    """CNN14 over a wavegram and a log-mel side by side.

    ``[B, 1, T]`` to frames ``[B, T // 320 // 32, 2048]``. The best net of PANNs, and the supervised row of Wang 2021.
    The log-mel is computed inside, from the same waveform. 75,789,312 parameters with 64 mels, 75,986,560 with 128.
    """

    planes_in: ClassVar[int] = 2

    class Config(PannsSettings):
        logmel: FrontendReference = Field(named("panns"), description="a log-mel of hop 320, beside the wavegram")

        @field_validator("logmel")
        @classmethod
        def _hop_is_the_wavegrams(cls, given: FrontendReference) -> FrontendReference:
            if given.config.get("hop_length") != HOP or "n_mels" not in given.config:
                raise ValueError(f"the wavegram has a frame every {HOP} samples: name a log-mel of that hop_length")
            return given

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        logmel = make_frontend(config.logmel)
        super().__init__(config, channels, bins, logmel.bins // 2)
        self.logmel = logmel
        self.bn0 = nn.BatchNorm2d(logmel.bins)
        self.conv_block1 = ConvBlock(1, config.width)

    def forward(self, x_B1T: Tensor) -> Tensor:
        self.check_length(x_B1T)
        mel_BCNF = F.avg_pool2d(self.conv_block1(mel_norm(self.bn0, self.logmel(x_B1T.squeeze(1)))), 2)
        wave_BCNF = self.wavegram(x_B1T)
        # The log-mel has centred frames: there can be one more, depending on the length.
        frames = min(mel_BCNF.shape[2], wave_BCNF.shape[2])
        return self.trunk(torch.cat([mel_BCNF[:, :, :frames], wave_BCNF[:, :, :frames]], 1))

    def translate(self, published: Mapping[str, Tensor], frontend: Frontend) -> dict[str, Tensor]:
        """As for every PANNs encoder; the mel matrix is compared with that of the log-mel inside."""
        of_logmel = {name: value for name, value in self.state_dict().items() if name.startswith("logmel.")}
        return {**of_logmel, **super().translate(published, self.logmel)}
