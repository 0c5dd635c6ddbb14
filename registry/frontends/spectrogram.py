"""Spectrogram."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.signal import windows

from registry.frontends._spectral import SpectralFrontend, StftSettings, logarithm, spectrogram

_BLACKMAN_HARRIS = [0.35875, 0.48829, 0.14128, 0.01168]
_WINDOWS: dict[str, Callable[..., Tensor]] = {
    "hann": windows.hann,
    "hamming": windows.hamming,
    "blackman": windows.blackman,
    "blackman-harris": partial(windows.general_cosine, a=_BLACKMAN_HARRIS),
    "boxcar": torch.ones,
}


class Spectrogram(SpectralFrontend["Spectrogram.Config"]):
    """Short-time Fourier transform.

    ``[B, T]`` to ``[B, bands, (n_fft // 2 + 1) // bands, T // hop_length + 1]``. Periodic window, centred frames with
    reflected edges. The spectrum is cut into ``bands`` of equal size, lowest first, which become channels; the highest
    bins are dropped if the number of bins does not divide.
    """

    source: ClassVar[str] = "Guzhov et al. 2020 (bands); Wang 2021"

    class Config(StftSettings):
        window: Literal["hann", "hamming", "blackman", "blackman-harris", "boxcar"] = Field(
            "hann", description="window function"
        )
        normalised: bool = Field(False, description="divide the transform by the square root of n_fft")
        bands: int = Field(1, ge=1, description="how many bands of the spectrum become channels")

        @model_validator(mode="after")
        def _bands_have_bins(self) -> Self:
            if self.bands > self.n_fft // 2 + 1:
                raise ValueError(f"{self.bands} bands of {self.n_fft // 2 + 1} bins")
            return self

    def __init__(self, config: Config) -> None:
        super().__init__(config, config.bands, (config.n_fft // 2 + 1) // config.bands)
        from registry.torchaudio import Spectrogram as Transform

        self.config = config
        self.shortest = config.n_fft // 2 + 1
        window = _WINDOWS[config.window]
        self.stft = Transform(
            n_fft=config.n_fft,
            win_length=config.win_length,
            hop_length=config.hop_length,
            power=float(config.power),
            window_fn=window if config.window == "boxcar" else partial(window, sym=False),
            normalized="frame_length" if config.normalised else False,
        )

    def transform(self, wave_BT: Tensor) -> Tensor:
        spectrum_BFN = spectrogram(self.stft, wave_BT)[:, : self.channels * self.bins]
        return logarithm(spectrum_BFN.unflatten(1, (self.channels, self.bins)), self.config, self.config.power)
