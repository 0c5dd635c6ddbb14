"""Spectra that are made a few frames at a time, and deviations of windows, against torchaudio and torch."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from registry.frontends import Normalisation, _deviation, _spectral, make_frontend
from registry.frontends._spectral import mel_spectrogram, spectrogram
from registry.torchaudio import MelSpectrogram, Spectrogram

SETTINGS: list[Mapping[str, object]] = [
    {"n_fft": 512, "hop_length": 160},
    {"n_fft": 512, "win_length": 320, "hop_length": 160, "power": 1.0},
    {"n_fft": 1024, "hop_length": 320, "center": False},
    {"n_fft": 2048, "win_length": 1654, "hop_length": 561, "normalized": "frame_length"},
    {"n_fft": 441, "hop_length": 147, "normalized": True},
]


def clips(count: int, samples: int) -> Tensor:
    """Noise of which the first clip begins with silence."""
    wave_BT = 0.3 * torch.randn(count, samples, generator=torch.Generator().manual_seed(samples + count))
    wave_BT[0, : samples // 3] = 0
    return wave_BT


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(("count", "samples"), [(1, 1500), (1, 160000), (2, 80000), (7, 16001), (64, 8000)])
def test_pieces_are_the_whole(settings: Mapping[str, object], count: int, samples: int) -> None:
    if samples <= 2048 and settings["n_fft"] == 2048:
        samples = 2100
    transform, wave_BT = Spectrogram(**settings), clips(count, samples)
    expected, made = transform(wave_BT), spectrogram(transform, wave_BT)
    assert torch.equal(made, expected)
    assert made.stride()[1:] == expected.stride()[1:]


@pytest.mark.parametrize("at_once", [1, 300, 5000, 10**9])
def test_the_size_of_pieces_does_not_matter(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    transform, wave_BT = Spectrogram(n_fft=512, hop_length=160), clips(5, 4000)
    monkeypatch.setattr(_spectral, "_AT_ONCE", at_once)
    assert torch.equal(spectrogram(transform, wave_BT), transform(wave_BT))


@pytest.mark.parametrize("count", [1, 8])
def test_mels_are_the_whole(count: int) -> None:
    transform, wave_BT = MelSpectrogram(44100, 2048, hop_length=512, n_mels=128), clips(count, 220500)
    expected, made = transform(wave_BT), mel_spectrogram(transform, wave_BT)
    assert torch.equal(made, expected)
    assert made.stride()[1:] == expected.stride()[1:]


@pytest.mark.parametrize("name", ["logmel", "cola", "spectrogram", "clar", "byol-a"])
def test_gradients_are_those_of_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frontend = make_frontend({"name": name, "normalise": "clip"})
    given = clips(2, 16000)
    made, gradient = _with_gradient(frontend, given)
    assert torch.equal(made, frontend(given))
    monkeypatch.setattr(_spectral, "values_only", lambda wave_BT: False)
    whole, expected = _with_gradient(frontend, given)
    assert torch.equal(made, whole)
    assert torch.equal(gradient, expected)
    assert gradient.any()


def _with_gradient(frontend: torch.nn.Module, given: Tensor) -> tuple[Tensor, Tensor]:
    wave_BT = given.clone().requires_grad_()
    made = frontend(wave_BT)
    (gradient,) = torch.autograd.grad(made.square().sum(), wave_BT)
    return made.detach(), gradient


@pytest.mark.parametrize("name", ["logmel", "spectrogram"])
def test_what_is_exported_takes_other_lengths_of_batches(name: str) -> None:
    frontend, wave_BT = make_frontend(name).eval(), clips(6, 16000)
    batch = {0: torch.export.Dim("batch", min=1)}
    program = torch.export.export(frontend, (wave_BT[:3],), dynamic_shapes=(batch,))
    assert torch.equal(program.module()(wave_BT), frontend(wave_BT))


@pytest.mark.parametrize("shape", [(3, 1, 8, 1), (3, 1, 64, 1), (64, 1, 64, 101), (2, 3, 341, 394)])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e-3, 10.0, 1e20, torch.inf, torch.nan])
def test_deviations_are_torchs(shape: tuple[int, ...], scale: float) -> None:
    x_BCFN = scale * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    x_BCFN = (x_BCFN - x_BCFN.mean((1, 2, 3), keepdim=True)).transpose(2, 3).contiguous().transpose(2, 3)
    expected = x_BCFN.std((1, 2, 3), keepdim=True).clamp_min(1e-3)
    assert torch.equal(_deviation(x_BCFN, 1e-3).nan_to_num(-1), expected.nan_to_num(-1))


def test_where_the_last_digits_decide_torchs_own_deviation_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    x_BCFN = torch.randn(16, 1, 64, 101, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr("registry.frontends._UNSURE", 1e-6)
    monkeypatch.setattr(Tensor, "std", lambda x, over, keepdim: torch.full((16, 1, 1, 1), 7.0))
    assert torch.equal(_deviation(x_BCFN, 1e-3), torch.full((16, 1, 1, 1), 7.0))


def test_clips_are_normalised_alike_with_and_without_a_gradient() -> None:
    normalise, x_BCFN = Normalisation("clip", 0.0, 1.0), torch.randn(9, 1, 64, 301) * 20 - 50
    x_BCFN[4] = -100  # silence
    assert torch.equal(normalise(x_BCFN), normalise(x_BCFN.clone().requires_grad_()).detach())
