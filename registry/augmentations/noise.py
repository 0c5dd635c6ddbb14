"""Additive noise."""

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig

_EXPONENTS = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # the amplitude falls as frequency to this power


class Noise(Augmentation["Noise.Config"]):
    """Adds Gaussian noise at a signal-to-noise ratio uniform in decibels; silence stays silent.

    Power does not fall with frequency (white), falls with 1 / frequency (pink), or with 1 / frequency^2 (brown).
    """

    domain = "waveform"
    source: ClassVar[str] = "Al-Tahan & Mohsenzadeh 2021, CLAR (code: white, 0 to 20 dB)"

    class Config(AugmentationConfig):
        color: Literal["white", "pink", "brown"] = Field("white", description="how power falls with frequency")
        min_snr: float = Field(0.0, description="dB")
        max_snr: float = Field(20.0, description="dB")

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.min_snr > self.max_snr:
                raise ValueError(f"min_snr {self.min_snr} is above max_snr {self.max_snr}")
            return self

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config

    def apply_batch(self, x: Tensor) -> Tensor:
        from registry.torchaudio import add_noise

        snr_B = torch.empty(len(x), device=x.device).uniform_(self.config.min_snr, self.config.max_snr)
        noisy: Tensor = add_noise(x, self._noise(x), snr_B)
        return torch.where(x.abs().amax(1, keepdim=True) > 0, noisy, x)

    def _noise(self, x: Tensor) -> Tensor:
        white = torch.randn_like(x)
        if self.config.color == "white":
            return white
        spectrum = torch.fft.rfft(white)
        frequency = torch.arange(spectrum.shape[1], device=x.device).clamp_min(1)
        shape = frequency ** -_EXPONENTS[self.config.color] * (torch.arange(len(frequency), device=x.device) > 0)
        noise: Tensor = torch.fft.irfft(spectrum * shape, x.shape[1])
        return noise
