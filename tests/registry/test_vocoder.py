"""Pitch shift, time stretch, time warp and masked waveforms on tones, clicks and ramps whose change is known."""

import math

import pytest
import torch
import torchaudio
from torch import Tensor

from registry.augmentations._vocoder import HOP, WINDOW, phase_vocoder, sped_up, synthesis
from registry.contracts._readings import Readings
from tests.registry.test_augmentations import build

RATE = 16000


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def tone(hertz: float, count: int = 1) -> Tensor:
    return torch.sin(2 * torch.pi * hertz * torch.arange(RATE) / RATE).repeat(count, 1)


def peak(wave_BT: Tensor) -> Tensor:
    """Frequency of the highest bin in Hz; bins lie 1/4 Hz apart."""
    windowed = wave_BT * torch.hann_window(wave_BT.shape[1])
    highest: Tensor = torch.fft.rfft(windowed, 4 * RATE).abs().argmax(1)
    return highest / 4


def decibels(wave_BT: Tensor) -> Tensor:
    """Level above that of a tone of amplitude 1."""
    return 10 * (2 * wave_BT.square().mean(1)).log10()


@pytest.mark.parametrize("rate", [0.5, 0.75, 1.0, 1.25, 1.5])
def test_one_rate_gives_torchaudios_frames(rate: float) -> None:
    """Of sounds that are loudest at once: phases are summed from the loudest frame on, and there from the first."""
    wave = torch.randn(3, RATE, dtype=torch.float64) * torch.exp(-torch.arange(RATE) / 2000)
    window = torch.hann_window(WINDOW, dtype=torch.float64)
    spectrum = torch.stft(wave, WINDOW, HOP, window=window, pad_mode="reflect", return_complex=True)
    spectrum[..., 0] *= 2
    advance = torch.linspace(0, math.pi * HOP, WINDOW // 2 + 1, dtype=torch.float64)[:, None]
    expected = torchaudio.functional.phase_vocoder(spectrum, rate, advance)
    position = torch.arange(expected.shape[2], dtype=torch.float64) * rate
    torch.testing.assert_close(phase_vocoder(spectrum, position.expand(3, -1)), expected, atol=1e-6, rtol=1e-6)


def test_synthesis_is_torchs() -> None:
    window = torch.hann_window(WINDOW)
    spectrum = torch.randn(2, WINDOW // 2 + 1, 30, dtype=torch.complex64)
    spectrum[:, [0, -1]] = spectrum[:, [0, -1]].real.to(spectrum.dtype)
    expected = torch.istft(spectrum, WINDOW, HOP, window=window)
    torch.testing.assert_close(synthesis(spectrum, window)[:, : expected.shape[1]], expected, atol=1e-4, rtol=1e-4)


def test_the_librarys_synthesis_waits_for_the_device_and_ours_does_not() -> None:
    spectrum = torch.ones(1, WINDOW // 2 + 1, 9, dtype=torch.complex64)
    with Readings() as theirs:
        torch.istft(spectrum, WINDOW, HOP, window=torch.ones(WINDOW))
    with Readings() as ours:
        synthesis(spectrum, torch.ones(WINDOW))
    assert (theirs.found, ours.found) == ({"aten.equal.default"}, set())


def test_each_row_has_a_rate_of_its_own() -> None:
    spectrum = torch.randn(3, 257, 40, dtype=torch.complex64)
    position = torch.arange(20) * torch.tensor([[0.5], [1.0], [1.7]])
    together = phase_vocoder(spectrum, position)
    for row in range(3):
        alone = phase_vocoder(spectrum[row : row + 1], position[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)


def test_what_lies_outside_is_silent() -> None:
    frames = phase_vocoder(torch.ones(1, 5, 4, dtype=torch.complex64), torch.tensor([[-7.0, -1.0, 0.0, 3.5, 4.0, 9.0]]))
    torch.testing.assert_close(frames.abs()[0, 0], torch.tensor([0.0, 0.0, 1.0, 0.5, 0.0, 0.0]))


@pytest.mark.parametrize("hertz", [110.0, 440.0, 3000.0])
def test_a_tone_is_shifted_by_semitones_and_keeps_its_level(hertz: float) -> None:
    shifted = build("pitch-shift", semitones=15)(tone(hertz, 80))[:, 500:-500]
    semitones = (12 * (peak(shifted) / hertz).log2()).round()
    assert semitones.min() == -15
    assert semitones.max() == 14
    assert semitones.unique().numel() > 20
    assert (peak(shifted) - hertz * 2 ** (semitones / 12)).abs().max() < 1
    assert decibels(shifted).abs().max() < 0.5


def test_an_octave_is_torchaudios() -> None:
    """In pitch: in level torchaudio loses 7 to 15 dB upwards. Other intervals take it seconds a clip."""
    shifted = peak(build("pitch-shift", semitones=13)(tone(700, 120)))
    for semitones in (-12, 12):
        expected = torchaudio.functional.pitch_shift(tone(700), RATE, semitones)
        assert (shifted - peak(expected)).abs().min() < 1, semitones


def test_what_would_fold_is_left_out() -> None:
    shifted = build("pitch-shift", semitones=15)(tone(6000, 80))[:, 500:-500]
    level = decibels(shifted)
    kept = level > -40
    assert peak(shifted[kept]).max() < RATE / 2
    assert (peak(shifted[kept]) / 6000).log2().max() * 12 == pytest.approx(4, abs=0.1)  # 5 semitones up is 8009 Hz
    assert level[~kept].max() < -60
    assert level[kept].abs().max() < 1.5


@pytest.mark.parametrize("samples", [RATE, 9999])
def test_no_shift_and_no_stretch_are_the_identity(samples: int) -> None:
    wave = torch.randn(40, samples)
    error = (build("pitch-shift", semitones=1)(wave) - wave).abs().amax(1)
    unchanged = error < 1e-3
    assert 8 < unchanged.sum() < 32  # 0 or -1 semitones
    assert error[~unchanged].min() > 0.5
    torch.testing.assert_close(build("time-stretch", min_rate=1.0, max_rate=1.0)(wave), wave, atol=1e-3, rtol=0)


def test_speed_is_that_of_the_samples() -> None:
    wave = torch.sin(torch.arange(200.0) / 9)[None] * torch.hann_window(200)
    fast = sped_up(wave, torch.tensor([[1.6]]), 200)[0]
    place = torch.arange(125) * 1.6
    expected = torch.sin(place / 9) * torch.sin(torch.pi * place / 200) ** 2
    torch.testing.assert_close(fast[:125], expected, atol=0.01, rtol=0)
    assert fast[126:].abs().max() < 1e-6


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.25, 1.5])
def test_a_tone_keeps_its_frequency_and_level_whatever_its_rate(rate: float) -> None:
    stretched = build("time-stretch", min_rate=rate, max_rate=rate)(tone(700, 20))
    assert stretched.shape == (20, RATE)
    sounding = stretched.abs() > 0.1
    first, last = sounding.int().argmax(1), RATE - sounding.flip(1).int().argmax(1)
    expected = min(RATE, RATE / rate)
    assert ((last - first) - expected).abs().max() < WINDOW
    for row in range(20):
        middle = stretched[row : row + 1, first[row] + 600 : last[row] - 600]
        assert peak(middle).item() == pytest.approx(700, abs=1)
        assert decibels(middle).abs().item() < 0.5
    assert (first.unique().numel() > 5) == (rate > 1)  # padded at random places


@pytest.mark.parametrize("rate", [0.6, 0.8, 1.25, 1.5])
def test_two_clicks_come_apart_by_the_rate(rate: float) -> None:
    clicks = torch.zeros(40, RATE)
    clicks[:, 5000] = clicks[:, 11000] = 1
    stretched = build("time-stretch", min_rate=rate, max_rate=rate)(clicks).abs()
    places = []
    for row in stretched:
        near = row.argmax()
        far = torch.where((torch.arange(RATE) - near).abs() > 2000, row, 0.0)
        if far.max() > 0.1:  # both are in what is kept
            places.append((far.argmax() - near).abs().item())
    assert len(places) > 8
    assert places == pytest.approx([6000 / rate] * len(places), abs=2 * HOP)


def test_rates_are_uniform_and_what_is_kept_lies_anywhere() -> None:
    rising = torch.sin(torch.cumsum(torch.linspace(0.02, 1.0, RATE), 0)).repeat(300, 1)  # the pitch tells the place
    stretched = build("time-stretch", min_rate=0.5, max_rate=0.5)(rising)
    start = peak(stretched[:, 1000:1800]) / RATE * 2 * torch.pi
    place = (start - 0.02) / 0.98
    assert place.min() < 0.1
    assert 0.4 < place.max() < 0.6
    assert place.mean().item() == pytest.approx(0.25 + 700 / RATE, abs=0.04)


def test_short_and_silent_waveforms_pass() -> None:
    for name in ("pitch-shift", "time-stretch"):
        for samples in (1, 100, WINDOW):
            assert build(name)(torch.randn(3, samples)).isfinite().all()
        assert not build(name)(torch.zeros(2, 5000)).any()


def test_one_stretch_is_replaced_by_faint_noise() -> None:
    wave = torch.ones(2000, 800)
    out = build("waveform-mask")(wave)
    masked = out != 1
    assert (masked.sum(1) == 100).all()
    assert ((masked[:, 1:] != masked[:, :-1]).sum(1) <= 2).all()
    start = masked.int().argmax(1)
    assert start.min() == 0
    assert start.max() == 700
    assert out[masked].std().item() == pytest.approx(0.01, rel=0.02)
    assert out[masked].mean().item() == pytest.approx(0, abs=1e-4)


def test_a_warp_moves_one_frame_and_keeps_both_ends() -> None:
    ramp = torch.arange(200.0).expand(500, 2, 3, 200)
    out = build("time-warp", frames=40)(ramp)
    assert torch.equal(out[:, :1, :1].expand_as(out), out)  # every row and channel alike
    path = out[:, 0, 0]
    torch.testing.assert_close(path[:, 0], torch.zeros(500), atol=1e-3, rtol=0)
    torch.testing.assert_close(path[:, -1], torch.full((500,), 199.0), atol=1e-3, rtol=0)
    assert (path.diff() > 0).all()  # nothing turns back
    bend = path.diff(n=2).abs()
    assert ((bend > 1e-3).sum(1) <= 2).all()  # two straight pieces
    moved = (path - torch.arange(200)).abs().amax(1)
    assert moved.max() < 40.01
    assert moved.max() > 35
    origin = path[torch.arange(500), bend.argmax(1) + 1][moved > 5]
    assert 38 < origin.min() < 60
    assert 140 < origin.max() < 162


def test_a_warp_of_none_is_the_identity_and_short_inputs_keep_both_sides() -> None:
    x = torch.randn(4, 1, 8, 50)
    torch.testing.assert_close(build("time-warp", frames=0)(x), x, atol=1e-4, rtol=0)
    for frames in (1, 2, 3, 9):
        assert build("time-warp", frames=80)(torch.randn(4, 1, 8, frames)).isfinite().all()
    path = build("time-warp", frames=80)(torch.arange(101.0).expand(300, 1, 1, 101))[:, 0, 0]
    assert (path - torch.arange(101)).abs().max() < 25.01
    assert (path.diff() > 0).all()
