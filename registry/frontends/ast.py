"""AST's filter bank."""

from typing import ClassVar, Self

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, model_validator
from torch import Tensor

from registry.frontends._spectral import LogSettings, SpectralFrontend, logarithm
from registry.settings import with_defaults

_PREEMPHASIS = 0.97


class _Settings(LogSettings):
    n_mels: int = Field(128, gt=0, description="mel bands")
    win_length: int = Field(400, gt=1, description="samples; the transform takes the next power of two")
    fmin: float = Field(20.0, ge=0, description="Hz, lower edge of the lowest band; the highest ends at Nyquist")

    @model_validator(mode="after")
    def _range_fits(self) -> Self:
        if self.fmin >= self.sample_rate / 2:
            raise ValueError(f"need fmin < sample_rate / 2, got {self.fmin}, {self.sample_rate}")
        return self


class Ast(SpectralFrontend[_Settings]):
    """Kaldi's filter bank: 128 bins of 25 ms every 10 ms.

    ``[B, T]`` to ``[B, 1, n_mels, (T - 400) // 160 + 1]``. No frame reaches beyond the waveform. The mean of each frame
    is subtracted, then pre-emphasis by 0.97 and a symmetric Hann window are applied. The result is normalised by
    AudioSet's statistics, ``(x - mean) / (2 * deviation)``.
    """

    source: ClassVar[str] = "Gong et al. 2021, AST (AudioSet: mean -4.268, deviation 4.569); Kaldi"

    Config = with_defaults(
        _Settings, log="ln", floor=1.1920929e-07, normalise="fixed", mean=-4.2677393, std=2 * 4.5689974
    )

    def __init__(self, config: _Settings) -> None:
        super().__init__(config, 1, config.n_mels)
        from registry.torchaudio import get_mel_banks

        self.config = config
        self.shortest = config.win_length
        self.n_fft = 1 << (config.win_length - 1).bit_length()
        banks_FK, _ = get_mel_banks(config.n_mels, self.n_fft, config.sample_rate, config.fmin, 0.0, 100.0, -500.0, 1.0)
        self.mel_KF: Tensor
        self.register_buffer("mel_KF", F.pad(banks_FK, (0, 1)).T.contiguous())  # Kaldi leaves Nyquist out
        self.window_T: Tensor
        self.register_buffer("window_T", torch.hann_window(config.win_length, periodic=False))

    def transform(self, wave_BT: Tensor) -> Tensor:
        wave_BT = wave_BT - wave_BT.mean(1, keepdim=True)
        frames_BNT = wave_BT.unfold(1, self.config.win_length, self.config.hop_length)
        frames_BNT = frames_BNT - frames_BNT.mean(2, keepdim=True)
        before_BNT = F.pad(frames_BNT, (1, 0), mode="replicate")[..., :-1]
        spectrum_BNK = torch.fft.rfft((frames_BNT - _PREEMPHASIS * before_BNT) * self.window_T, self.n_fft)
        power_BNK = spectrum_BNK.real.square() + spectrum_BNK.imag.square()
        return logarithm(power_BNK @ self.mel_KF, self.config, 2).transpose(1, 2).unsqueeze(1)
