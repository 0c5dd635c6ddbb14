"""Procedural sounds: a small task that needs no download."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from registry.settings import Settings
from registry.tasks import Clip, Task

RATE = 16000
_Wave = NDArray[np.float64]


class Sounds(Task["Sounds.Config"]):
    """Ten classes of made sounds, 1.5 s at 16 kHz, in 5 folds, the same for the same seed.

    Every source is one draw of a class's parameters (pitch, partials, rates). It gives two clips, which differ in
    onset, level, and background noise of 0 to 20 dB SNR. A source stays within one fold.
    """

    source: ClassVar[str] = "audiobench"
    licence = "none needed: the sounds are made"
    folds = (1, 2, 3, 4, 5)
    classes = (
        "harmonic",
        "inharmonic",
        "rising_chirp",
        "falling_chirp",
        "warble",
        "noise_burst",
        "band_noise",
        "clicks",
        "plucked_string",
        "pulsing_noise",
    )

    class Config(Settings):
        clips: int = Field(8, ge=2, le=10_000, multiple_of=2, description="of each class in each fold")
        seed: int = Field(0, ge=0, description="of every sound")

    def clips(self, data: Path | None) -> list[Clip]:
        config = self.config
        return [
            Clip(f"{fold}-{name}-{i}", label, fold, f"{fold}-{name}-{i // 2}", None, config.seed)
            for fold in self.folds
            for label, name in enumerate(self.classes)
            for i in range(config.clips)
        ]

    @classmethod
    def source_of(cls, clip_id: str) -> str | None:
        draw, _, number = clip_id.rpartition("-")
        return f"{draw}-{int(number) // 2}" if number.isdecimal() else None

    def read(self, clip: Clip) -> tuple[NDArray[np.float32], int]:
        config = self.config
        of_source = np.random.default_rng([config.seed, zlib.crc32(clip.source.encode())])
        of_clip = np.random.default_rng([config.seed, zlib.crc32(clip.id.encode()), 1])
        time_T = np.arange(int(1.5 * RATE)) / RATE
        sound_T = _MAKERS[self.labels(clip)[0]](time_T, of_source)
        onset = of_clip.integers(0, RATE // 2)
        sound_T = np.concatenate([np.zeros(onset), sound_T])[: len(time_T)]
        sound_T /= np.abs(sound_T).max() + 1e-9
        noise_T = _band_noise(len(time_T), of_clip.uniform(50, 500), of_clip.uniform(1000, 7900), of_clip)
        noise_T *= np.sqrt(np.square(sound_T).mean()) / np.sqrt(np.square(noise_T).mean())
        mixed_T = sound_T + noise_T * 10 ** (-of_clip.uniform(0, 20) / 20)
        level = 10 ** (-of_clip.uniform(3, 20) / 20)
        return (level * mixed_T / np.abs(mixed_T).max()).astype(np.float32), RATE


def _envelope(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    """A quick attack and an exponential decay."""
    attack, decay = rng.uniform(0.005, 0.1), rng.uniform(0.2, 1.0)
    rise_T: _Wave = np.minimum(time_T / attack, 1) * np.exp(-time_T / decay)
    return rise_T


def _partials(time_T: _Wave, ratios: _Wave, rng: np.random.Generator) -> _Wave:
    pitch = rng.uniform(100, 600)
    weights = rng.uniform(0.3, 1, len(ratios)) / ratios ** rng.uniform(0.3, 1.2)
    phases = 2 * np.pi * (np.outer(pitch * ratios, time_T) + rng.uniform(0, 1, (len(ratios), 1)))
    audible = (pitch * ratios < RATE / 2)[:, None]
    sound_T: _Wave = (weights[:, None] * np.sin(phases) * audible).sum(0) * _envelope(time_T, rng)
    return sound_T


def _harmonic(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    return _partials(time_T, np.arange(1, rng.integers(5, 12)).astype(float), rng)


def _inharmonic(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    return _partials(time_T, np.cumsum(np.concatenate([[1.0], rng.uniform(0.35, 1.9, rng.integers(4, 10))])), rng)


def _sweep(time_T: _Wave, start: float, stop: float, seconds: float) -> _Wave:
    place_T = np.minimum(time_T / seconds, 1)
    phase_T = np.cumsum(start * (stop / start) ** place_T) / RATE
    sound_T: _Wave = np.sin(2 * np.pi * phase_T) * (time_T < seconds)
    return sound_T


def _rising(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    low = rng.uniform(150, 1000)
    return _sweep(time_T, low, low * rng.uniform(1.5, 6), rng.uniform(0.2, 1.0))


def _falling(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    low = rng.uniform(150, 1000)
    return _sweep(time_T, low * rng.uniform(1.5, 6), low, rng.uniform(0.2, 1.0))


def _warble(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    pitch, depth, rate = rng.uniform(300, 2500), rng.uniform(0.05, 0.3), rng.uniform(3, 15)
    phase_T = np.cumsum(pitch * (1 + depth * np.sin(2 * np.pi * rate * time_T))) / RATE
    sound_T: _Wave = np.sin(2 * np.pi * phase_T)
    return sound_T


def _band_noise(length: int, low: float, high: float, rng: np.random.Generator) -> _Wave:
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1 / RATE)
    spectrum[(frequency < low) | (frequency > high)] = 0
    noise_T: _Wave = np.fft.irfft(spectrum, length)
    return noise_T


def _noise_burst(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    decay = rng.uniform(0.02, 0.15)
    burst_T: _Wave = _band_noise(len(time_T), 50, rng.uniform(3000, 7900), rng) * np.exp(-time_T / decay)
    return burst_T


def _narrow_noise(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    low = rng.uniform(200, 4000)
    return _band_noise(len(time_T), low, low * rng.uniform(1.1, 1.5), rng)


def _clicks(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    step = int(RATE / rng.uniform(4, 25))
    click = rng.standard_normal(rng.integers(8, 60))
    train_T = np.zeros(len(time_T))
    train_T[:: max(step, 1)] = 1
    sound_T: _Wave = np.convolve(train_T, click)[: len(time_T)]
    return sound_T


def _plucked(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    """Karplus and Strong 1983: a burst of noise in a loop that averages neighbours, here a period at a time."""
    period = int(RATE / rng.uniform(80, 500))
    loop, periods = rng.uniform(-1, 1, period), []
    damping = rng.uniform(0.985, 0.999)
    for _ in range(len(time_T) // period + 1):
        periods.append(loop)
        loop = damping * 0.5 * (loop + np.roll(loop, 1))
    return np.concatenate(periods)[: len(time_T)]


def _pulsing(time_T: _Wave, rng: np.random.Generator) -> _Wave:
    pulse_T = 0.5 * (1 + np.sin(2 * np.pi * rng.uniform(3, 15) * time_T))
    low = rng.uniform(100, 1500)
    sound_T: _Wave = _band_noise(len(time_T), low, low * rng.uniform(2, 5), rng) * pulse_T**2
    return sound_T


_MAKERS: dict[str, Callable[[_Wave, np.random.Generator], _Wave]] = {
    "harmonic": _harmonic,
    "inharmonic": _inharmonic,
    "rising_chirp": _rising,
    "falling_chirp": _falling,
    "warble": _warble,
    "noise_burst": _noise_burst,
    "band_noise": _narrow_noise,
    "clicks": _clicks,
    "plucked_string": _plucked,
    "pulsing_noise": _pulsing,
}
