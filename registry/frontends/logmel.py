"""Log-mel spectrogram."""

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from registry.errors import Mistake
from registry.frontends import Frontend
from registry.settings import Settings


class LogMel(Frontend):
    """Mel filter bank over the power spectrogram, logarithmic: ``[B, T]`` to ``[B, 1, n_mels, T // hop + 1]``.

    Hann window, centred frames with reflected edges. Always float32, inside autocast too. Lin 2022 uses it and states
    none of its numbers; the defaults are those of PANNs at 16 kHz.
    """

    source: ClassVar[str] = "Kong et al. 2020 (16 kHz variant); Lin 2022, numbers not stated there"

    class Config(Settings):
        sample_rate: int = Field(16000, gt=0, description="Hz; recordings are resampled to it once")
        n_fft: int = Field(512, gt=0, description="samples")
        win_length: int = Field(512, gt=0, description="samples, at most n_fft")
        hop_length: int = Field(160, gt=0, description="samples between frames")
        n_mels: int = Field(64, gt=0, description="mel bands")
        fmin: float = Field(50.0, ge=0, description="Hz, lower edge of the lowest band")
        fmax: float = Field(
            8000.0, gt=0, description="Hz, upper edge of the highest band; at most half the sample rate"
        )
        mel: Literal["slaney", "htk"] = Field("slaney", description="mel formula; slaney's bands have unit area")
        log: Literal["db", "ln"] = Field("db", description="10 log10, or natural logarithm")
        floor: float = Field(1e-10, gt=0, description="power below which the logarithm is cut")
        normalise: Literal["none", "clip"] = Field("clip", description="clip: zero mean, unit variance a window")

        @model_validator(mode="after")
        def _consistent(self) -> Self:
            if self.win_length > self.n_fft:
                raise ValueError(f"win_length {self.win_length} is longer than n_fft {self.n_fft}")
            if not self.fmin < self.fmax <= self.sample_rate / 2:
                raise ValueError(
                    f"need fmin < fmax <= sample_rate / 2, got {self.fmin}, {self.fmax}, {self.sample_rate}"
                )
            return self

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        from torchaudio.transforms import MelSpectrogram  # a second to import: only when a front end is built

        self.config = config
        self.sample_rate, self.channels, self.bins = config.sample_rate, 1, config.n_mels
        self.mel = MelSpectrogram(
            sample_rate=config.sample_rate,
            n_fft=config.n_fft,
            win_length=config.win_length,
            hop_length=config.hop_length,
            f_min=config.fmin,
            f_max=config.fmax,
            n_mels=config.n_mels,
            norm="slaney" if config.mel == "slaney" else None,
            mel_scale=config.mel,
        )

    def forward(self, wave_BT: Tensor) -> Tensor:
        if wave_BT.shape[-1] <= self.config.n_fft // 2:
            raise Mistake(
                f"logmel needs more than {self.config.n_fft // 2} samples, and got {wave_BT.shape[-1]}",
                fix="use longer windows or a smaller n_fft",
            )
        with torch.autocast(wave_BT.device.type, enabled=False):
            power_BFN: Tensor = self.mel(wave_BT.float()).clamp_min(self.config.floor)
            log_BFN: Tensor = 10 * power_BFN.log10() if self.config.log == "db" else power_BFN.log()
            if self.config.normalise == "clip":
                # A silent window has no variance and stays all zeros.
                log_BFN = log_BFN - log_BFN.mean((1, 2), keepdim=True)
                log_BFN = log_BFN / log_BFN.std((1, 2), keepdim=True).clamp_min(1e-3)
            return log_BFN.unsqueeze(1)
