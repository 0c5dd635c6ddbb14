"""The log-mel front end against a slow form written from its definition."""

from typing import Any

import numpy as np
import pytest
import torch

from registry.errors import Mistake
from registry.frontends.logmel import LogMel


def slaney_filters(rate: int, n_fft: int, mels: int, fmin: float, fmax: float) -> Any:
    """Slaney's mel scale (linear below 1 kHz, then 27 steps a factor of 6.4), triangles of unit area in Hz."""

    def to_mel(hz: float) -> float:
        return hz / (200 / 3) if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)

    def to_hz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * np.exp((mel - 15) * np.log(6.4) / 27)

    edges = np.array([to_hz(m) for m in np.linspace(to_mel(fmin), to_mel(fmax), mels + 2)])
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def slow_logmel(wave: Any, config: LogMel.Config) -> Any:
    n, hop = config.n_fft, config.hop_length
    padded = np.pad(wave, n // 2, mode="reflect")
    window = np.hanning(config.win_length + 1)[:-1]
    window = np.pad(window, ((n - len(window)) // 2, n - len(window) - (n - len(window)) // 2))
    frames = np.stack([padded[i : i + n] * window for i in range(0, len(padded) - n + 1, hop)])
    power = np.abs(np.fft.rfft(frames)) ** 2
    filters = slaney_filters(config.sample_rate, n, config.n_mels, config.fmin, config.fmax)
    return 10 * np.log10(np.maximum(filters @ power.T, config.floor))


@pytest.mark.parametrize("settings", [{}, {"n_fft": 1024, "win_length": 640, "hop_length": 320, "n_mels": 40}])
def test_equals_the_definition_in_float64(settings: dict[str, int]) -> None:
    config = LogMel.Config(normalise="none", **settings)
    wave = np.random.default_rng(0).uniform(-1, 1, 8000)
    ours = LogMel(config)(torch.from_numpy(wave).float().unsqueeze(0))
    assert ours.shape == (1, 1, config.n_mels, 8000 // config.hop_length + 1)
    np.testing.assert_allclose(ours[0, 0].numpy(), slow_logmel(wave, config), atol=2e-3)


def test_a_tone_stands_in_its_band() -> None:
    config = LogMel.Config(normalise="none")
    time = torch.arange(16000) / 16000
    loudest = LogMel(config)(torch.sin(2 * torch.pi * 1000 * time).unsqueeze(0))[0, 0, :, 50].argmax()
    centres = (slaney_filters(16000, 512, 64, 50, 8000) * np.linspace(0, 8000, 257)).sum(1)
    centres /= slaney_filters(16000, 512, 64, 50, 8000).sum(1)
    assert abs(centres[loudest] - 1000) < 60


def test_a_normalised_clip_has_zero_mean_and_unit_variance_and_silence_stays_zero() -> None:
    wave = torch.cat([torch.randn(1, 8000), torch.zeros(1, 8000)])
    out = LogMel(LogMel.Config())(wave)
    assert out[0].mean().abs() < 1e-5
    assert (out[0].std() - 1).abs() < 1e-4
    assert torch.equal(out[1], torch.zeros_like(out[1]))


def test_float32_inside_autocast() -> None:
    frontend, wave = LogMel(LogMel.Config()), torch.randn(1, 8000)
    with torch.autocast("cpu", torch.bfloat16):
        inside = frontend(wave)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, frontend(wave))


def test_too_short_a_wave_is_a_clear_mistake() -> None:
    with pytest.raises(Mistake, match="at least 257 samples, got 200"):
        LogMel(LogMel.Config())(torch.zeros(1, 200))


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="longer than n_fft"):
        LogMel.Config(n_fft=400, win_length=512)
    with pytest.raises(ValueError, match="fmax <= sample_rate / 2"):
        LogMel.Config(sample_rate=8000)
