"""CLAR's three channels."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.frontends._spectral import BandSettings, SpectralFrontend, mel_spectrogram

_FLOOR = 1e-5  # of the mel power
_EPSILON = 1e-8  # added to the power of the first channel, so that its level is at least -100 dB
_REFERENCE_DB = 10.0  # the source passes a 1 where torchaudio expects the reference's logarithm


class Clar(SpectralFrontend["Clar.Config"]):
    """Magnitude and phase at logarithmic frequencies, and a log-mel.

    ``[B, T]`` to ``[B, 3, 128, T // 128 + 1]``. The first two channels have the frequencies ``fmin * (fmax / fmin)^(k /
    bins)`` for k from 0 to bins - 1; levels are in decibels, the phase in radians. The paper states windows of 16 ms
    every 8 ms; the code has windows of 128 ms.
    """

    source: ClassVar[str] = "Al-Tahan & Mohsenzadeh 2021, CLAR; haideraltahan/CLAR (code)"
    version = 2  # magnitudes were cut at 1e-5, where the source adds 1e-8 to their squares

    class Config(BandSettings):
        hop_length: int = Field(128, gt=0, description="samples between frames")
        n_fft: int = Field(2048, gt=0, description="samples, of the window too")
        bins: int = Field(128, gt=0, description="frequencies, and mel bands")
        fmin: float = Field(40.0, gt=0, description="Hz")
        fmax: float = Field(8000.0, gt=0, description="Hz, at most half the sample rate")

    def __init__(self, config: Config) -> None:
        super().__init__(config, 3, config.bins)
        from registry.torchaudio import MelSpectrogram

        self.n_fft, self.hop_length = config.n_fft, config.hop_length
        self.shortest = config.n_fft // 2 + 1
        exponents_F = torch.arange(config.bins, dtype=torch.float64) / config.bins
        turns_F = config.fmin / config.sample_rate * (config.fmax / config.fmin) ** exponents_F
        angle_TF = 2 * math.pi * torch.arange(config.n_fft, dtype=torch.float64)[:, None] * turns_F
        window_T1 = torch.hann_window(config.n_fft, dtype=torch.float64)[:, None]
        basis = torch.cat([window_T1 * angle_TF.cos(), -window_T1 * angle_TF.sin()], 1)
        self.basis_TF: Tensor  # real parts, then imaginary parts
        self.register_buffer("basis_TF", basis.float())
        self.mel = MelSpectrogram(
            sample_rate=config.sample_rate,
            n_fft=config.n_fft,
            hop_length=config.hop_length,
            f_min=config.fmin,
            f_max=config.fmax,
            n_mels=config.bins,
            norm="slaney",
            mel_scale="slaney",
        )

    def transform(self, wave_BT: Tensor) -> Tensor:
        padded_BT = F.pad(wave_BT.unsqueeze(1), (self.n_fft // 2, self.n_fft // 2), mode="reflect").squeeze(1)
        frames_BNT = padded_BT.unfold(1, self.n_fft, self.hop_length)
        real_BNF, imaginary_BNF = (frames_BNT @ self.basis_TF).chunk(2, dim=2)
        level = 10 * (real_BNF.square() + imaginary_BNF.square() + _EPSILON).log10() - 2 * _REFERENCE_DB
        phase = torch.atan2(imaginary_BNF, real_BNF)
        mel_BFN = 10 * mel_spectrogram(self.mel, wave_BT).clamp_min(_FLOOR).log10() - _REFERENCE_DB
        return torch.stack([level.transpose(1, 2), phase.transpose(1, 2), mel_BFN], 1)
