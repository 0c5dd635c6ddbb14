"""Scalogram: a continuous wavelet transform."""

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.frontends._spectral import BandSettings, LogSettings, SpectralFrontend, logarithm

_SUPPORT = 5.0  # deviations: beyond them the wavelet's Gaussian is practically zero
_SCALES_AT_ONCE = 8  # bounds the memory of the full-rate transform


class Scalogram(SpectralFrontend["Scalogram.Config"]):
    """Power of a continuous wavelet transform, complex Morlet.

    ``[B, T]`` to ``[B, 1, n_scales, T // hop_length + 1]``. The mother wavelet is ``pi^-1/4 exp(i w0 t) exp(-t^2/2)``;
    ``W(u, s) = s^-1/2 sum_t x(t) conj(psi((t - u) / s))``, time and scale in samples (Lin 2022 misprints its left
    side). Bins are centre frequencies ``w0 / (2 pi s)``, spaced evenly in their logarithm, lowest first. Each frame is
    the mean power over the hop around it: the shortest wavelets are shorter than a hop, so that single samples would
    miss sound between them. Zeros surround the waveform. The shortest wavelets are cut at half the sample rate.
    """

    source: ClassVar[str] = "Lin 2022 (front end proposed, numbers not stated); w0 = 6 is customary"

    class Config(BandSettings, LogSettings):
        n_scales: int = Field(64, gt=1, description="wavelets")
        fmin: float = Field(50.0, gt=0, description="Hz, centre of the longest wavelet")
        fmax: float = Field(7000.0, gt=0, description="Hz, centre of the shortest; at most half the sample rate")
        w0: float = Field(6.0, ge=5, description="radians: oscillations of the wavelet; below 5 its mean is not zero")
        normalise: Literal["none", "clip", "dataset", "fixed"] = Field(
            "clip",
            description="to zero mean and unit variance: each window, the training clips (measured), by mean and std",
        )

    def __init__(self, config: Config) -> None:
        super().__init__(config, 1, config.n_scales)
        self.config = config
        octaves = torch.linspace(math.log(config.fmin), math.log(config.fmax), config.n_scales, dtype=torch.float64)
        self.scale_F: Tensor
        self.register_buffer("scale_F", (config.w0 * config.sample_rate / (2 * math.pi) / octaves.exp()).float())
        self.margin = math.ceil(_SUPPORT * config.w0 * config.sample_rate / (2 * math.pi * config.fmin))

    def transform(self, wave_BT: Tensor) -> Tensor:
        hop = self.config.hop_length
        length = wave_BT.shape[1] + hop + self.margin  # half a hop before the waveform, half a hop after it
        length += length % 2
        spectrum_BK = torch.fft.rfft(F.pad(wave_BT, (hop // 2, 0)), length)
        omega_K = torch.linspace(0, math.pi, length // 2 + 1, device=wave_BT.device)
        power_BFN = torch.cat([self._power(spectrum_BK, omega_K, s) for s in self.scale_F.split(_SCALES_AT_ONCE)], 1)
        frames = wave_BT.shape[1] // hop + 1
        return logarithm(power_BFN[..., :frames], self.config, 2).unsqueeze(1)

    def _power(self, spectrum_BK: Tensor, omega_K: Tensor, scale_F: Tensor) -> Tensor:
        """Mean power ``[B, F, N]`` around every hop, at some scales."""
        bell_FK = torch.exp(-0.5 * (scale_F[:, None] * omega_K - self.config.w0) ** 2)
        filter_FK = (2 * math.pi * scale_F[:, None]).sqrt() * math.pi**-0.25 * bell_FK
        # The wavelet is analytic: the spectrum's negative half stays zero.
        analytic_BFT = torch.fft.ifft(spectrum_BK.unsqueeze(1) * filter_FK, n=2 * (len(omega_K) - 1))
        return F.avg_pool1d(analytic_BFT.real.square() + analytic_BFT.imag.square(), self.config.hop_length)
