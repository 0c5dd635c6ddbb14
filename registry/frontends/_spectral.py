"""Spectral front ends: the settings, logarithm and normalisation that they share."""

from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import TypeVar  # typing's has no default before Python 3.13

from registry.errors import Mistake
from registry.frontends import Frontend, Normalisation, values_only
from registry.settings import Settings

if TYPE_CHECKING:
    from registry.torchaudio import MelSpectrogram, Spectrogram

_AT_ONCE = 2**17  # values of a spectrum that stay in a processor's cache: 1 MiB
# Torch computes the last values of a tensor, fewer than a vector, by another function. This many are whole vectors on
# any processor, also when two or four threads share them.
_VECTORS = 128


class SpectralSettings(Settings):
    """Settings of every spectral front end."""

    sample_rate: int = Field(16000, gt=0, description="Hz; recordings are resampled to it once")
    hop_length: int = Field(160, gt=0, description="samples between frames")
    normalise: Literal["none", "clip", "dataset", "fixed"] = Field(
        "none",
        description="to zero mean and unit variance: each window, the training clips (measured), or by mean and std",
    )
    mean: float = Field(0.0, description="subtracted, for normalise: fixed")
    std: float = Field(1.0, gt=0, description="divides, for normalise: fixed")

    @model_validator(mode="before")
    @classmethod
    def _mean_and_std_fall_with_fixed(cls, given: Any) -> Any:
        """Drops a preset's mean and deviation where the settings ask for another normalisation."""
        if isinstance(given, dict) and given.get("normalise", "fixed") != "fixed":
            return {"mean": 0.0, "std": 1.0, **given}
        return given

    @model_validator(mode="after")
    def _mean_and_std_are_used(self) -> Self:
        if self.normalise != "fixed" and (self.mean, self.std) != (0.0, 1.0):
            raise ValueError("mean and std go with normalise: fixed")
        return self


class BandSettings(SpectralSettings):
    """Settings of front ends that cover a range of frequencies."""

    fmin: float = Field(50.0, ge=0, description="Hz, lower edge of the lowest band, or its centre")
    fmax: float = Field(8000.0, gt=0, description="Hz, upper edge of the highest band, or its centre")

    @model_validator(mode="after")
    def _range_fits(self) -> Self:
        if not self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError(f"need fmin < fmax <= sample_rate / 2, got {self.fmin}, {self.fmax}, {self.sample_rate}")
        return self


class LogSettings(SpectralSettings):
    """Settings of front ends that take a logarithm."""

    log: Literal["db", "ln", "none"] = Field("db", description="decibels, natural logarithm, or no logarithm")
    floor: float = Field(1e-10, gt=0, description="magnitude or power below which the logarithm is cut")


class StftSettings(LogSettings):
    """Settings of front ends over a short-time Fourier transform."""

    n_fft: int = Field(512, gt=0, description="samples")
    win_length: int = Field(512, gt=0, description="samples, at most n_fft")
    power: Literal[1, 2] = Field(2, description="1: magnitude, 2: power")

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length {self.win_length} is longer than n_fft {self.n_fft}")
        return self


Spectral = TypeVar("Spectral", bound=SpectralSettings, default=SpectralSettings, covariant=True)


class SpectralFrontend(Frontend[Spectral]):
    """A front end that makes a spectrogram ``[B, C, F, N]`` and normalises it; ``shortest`` is in samples.

    A subclass computes the spectrogram in ``transform``.
    """

    shortest: int = 1
    Config: ClassVar[type[Settings]] = SpectralSettings

    def __init__(self, config: Spectral, channels: int, bins: int) -> None:
        super().__init__(config)
        self.sample_rate, self.channels, self.bins = config.sample_rate, channels, bins
        self.normalisation = Normalisation(config.normalise, config.mean, config.std)

    def transform(self, wave_BT: Tensor) -> Tensor:
        """The spectrogram ``[B, C, F, N]`` of float32 waveforms, not yet normalised."""
        raise NotImplementedError

    def forward(self, wave_BT: Tensor) -> Tensor:
        if wave_BT.shape[-1] < self.shortest:
            raise Mistake(
                f"{type(self).__name__} front end needs at least {self.shortest} samples, got {wave_BT.shape[-1]}",
                fix="use longer windows, or a smaller n_fft",
            )
        with float32(wave_BT.device):
            normal: Tensor = self.normalisation(self.transform(wave_BT.float()))
            return normal


def float32(device: torch.device) -> AbstractContextManager[None]:
    """A context without autocast, where the device has autocast."""
    if torch.amp.autocast_mode.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def logarithm(x: Tensor, settings: LogSettings, power: int) -> Tensor:
    """Decibels (10 log10 of power, 20 log10 of magnitude) or natural logarithm; values below the floor are raised."""
    if settings.log == "none":
        return x
    x = x.clamp_min(settings.floor)
    return (20 / power) * x.log10() if settings.log == "db" else x.log()


def mel_spectrogram(transform: "MelSpectrogram", wave_BT: Tensor) -> Tensor:
    """``transform(wave_BT)``, ``[B, F, N]``, with the spectrum of ``spectrogram``."""
    mel_BFN: Tensor = transform.mel_scale(spectrogram(transform.spectrogram, wave_BT))
    return mel_BFN


def spectrogram(transform: "Spectrogram", wave_BT: Tensor) -> Tensor:
    """``transform(wave_BT)``, ``[B, F, N]`` magnitudes or powers, bit for bit.

    On a CPU a few frames are transformed at a time, so that their spectrum stays in its cache. Where a gradient is
    needed, torch records the transform of all frames, which it also compiles and exports.
    """
    if not values_only(wave_BT):
        whole_BFN: Tensor = transform(wave_BT)
        return whole_BFN
    some = copy(transform)
    some.power, some.center = None, False
    n_fft, hop, bins = transform.n_fft, transform.hop_length, transform.n_fft // 2 + 1
    if transform.center:
        wave_BT = F.pad(wave_BT[None], (n_fft // 2, n_fft // 2), mode=transform.pad_mode)[0]
    frames = (wave_BT.shape[1] - n_fft) // hop + 1
    clips_at_once, frames_at_once = max(_AT_ONCE // (frames * bins), 1), max(_AT_ONCE // bins, 1)
    parts_2V = wave_BT.new_empty(2, max(_AT_ONCE, bins) + _VECTORS)  # real, imaginary
    values_V = wave_BT.new_empty(len(wave_BT) * frames * bins + _VECTORS)
    done = 0
    for wave_bT in wave_BT.split(clips_at_once):
        for first in range(0, frames, frames_at_once):
            last = min(first + frames_at_once, frames) - 1
            spectrum_bNF = some(wave_bT[:, first * hop : last * hop + n_fft]).transpose(1, 2)
            size = spectrum_bNF.numel()
            parts_2V[0, :size].view_as(spectrum_bNF).copy_(spectrum_bNF.real)
            parts_2V[1, :size].view_as(spectrum_bNF).copy_(spectrum_bNF.imag)
            whole = -(-size // _VECTORS) * _VECTORS
            torch.hypot(*parts_2V[:, :whole], out=values_V[done : done + whole])  # the next piece overwrites the rest
            values_V[done : done + size].pow_(transform.power)
            done += size
    return values_V[:done].view(len(wave_BT), frames, bins).transpose(1, 2)
