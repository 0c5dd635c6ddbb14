"""Shifts, noise, fades, blur, mixing and resizing on tones, clicks and planes whose change is known."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from pydantic import ValidationError

from registry.augmentations import fade
from tests.registry.test_augmentations import build

RATE = 16000


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_a_click_is_shifted_round_the_end() -> None:
    clicks = torch.zeros(400, 1000)
    clicks[:, 10] = 1.0
    out = build("time-shift", samples=300)(clicks)
    assert torch.equal(out.sum(1), torch.ones(400))
    moved = (out.argmax(1) - 10 + 500) % 1000 - 500
    assert moved.min() < -250
    assert moved.max() > 250
    assert moved.abs().max() <= 300


@pytest.mark.parametrize(("color", "slope"), [("white", 0.0), ("pink", -1.0), ("brown", -2.0)])
def test_noise_has_its_ratio_and_its_slope(color: str, slope: float) -> None:
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(RATE) / RATE).repeat(32, 1) * torch.rand(32, 1)
    added = build("noise", color=color, min_snr=7.0, max_snr=7.0)(tone) - tone
    ratio = 10 * (tone.square().mean(1) / added.square().mean(1)).log10()
    torch.testing.assert_close(ratio, torch.full((32,), 7.0), atol=0.01, rtol=0)
    power = torch.fft.rfft(added).abs().square().mean(0)[20:4000].numpy()
    fitted = np.polyfit(np.log(np.arange(20, 4000)), np.log(power), 1)[0]
    assert fitted == pytest.approx(slope, abs=0.1)


def test_noise_ratios_are_uniform_and_silence_stays() -> None:
    wave = torch.randn(2000, 200)
    added = build("noise", min_snr=0.0, max_snr=20.0)(wave) - wave
    ratio = 10 * (wave.square().mean(1) / added.square().mean(1)).log10()
    assert ratio.min() > -0.01
    assert ratio.max() < 20.01
    assert ratio.mean().item() == pytest.approx(10, abs=0.5)
    assert not build("noise")(torch.zeros(3, 100)).any()
    with pytest.raises(ValidationError, match="above max_snr"):
        build("noise", min_snr=5.0, max_snr=1.0)


def test_fades_rise_and_fall_within_their_share() -> None:
    gain = build("fade", share=0.25)(torch.ones(500, 1000))
    assert gain.min() >= 0
    assert gain.max() <= 1
    assert torch.equal(gain[:, 250:750], torch.ones(500, 500))
    assert (gain.diff(dim=1)[:, :250] >= -1e-6).all()
    assert (gain.diff(dim=1)[:, 750:] <= 1e-6).all()
    assert (gain[:, 0] < 0.01).all()
    assert (gain[:, -1] < 0.01).all()
    lengths = (gain[:, :500] < 1).sum(1).float()
    assert lengths.std() > 30  # drawn for each example


def test_the_five_shapes_are_clars() -> None:
    p = torch.tensor([[0.0, 0.25, 0.5, 1.0, 3.0]]).expand(5, -1)
    got = fade._gain(p, torch.arange(5)).double().numpy()
    x = np.array([0, 0.25, 0.5, 1])
    shapes = [
        x,
        x * 2 ** (x - 1),
        np.log10(0.1 + x) + 1,
        np.sin(x * np.pi / 2),
        np.sin(x * np.pi - np.pi / 2) / 2 + 0.5,
    ]
    np.testing.assert_allclose(got[:, :4], np.clip(shapes, 0, 1), atol=1e-6)
    assert (got[:, 4] == 1).all()


def test_blur_equals_scipys_for_a_known_deviation() -> None:
    x = torch.randn(2, 2, 20, 30)
    out = build("blur", p=1.0, min_sigma=1.5, max_sigma=1.5)(x)
    for b in range(2):
        for c in range(2):
            expected = scipy.ndimage.gaussian_filter(x[b, c].double().numpy(), 1.5, mode="nearest", radius=5)
            np.testing.assert_allclose(out[b, c].numpy(), expected, atol=1e-5)


def test_log_mixup_adds_powers() -> None:
    loud, quiet = math.log(8.0), math.log(2.0)
    x = torch.tensor([loud, quiet]).repeat(500)[:, None, None, None].expand(-1, 1, 4, 4)
    out = build("log-mixup", ratio=0.4)(x)[:, 0, 0, 0].exp()
    lowest, highest = 0.6 * 8 + 0.4 * 2, 0.6 * 2 + 0.4 * 8
    assert out.min() > 2 - 1e-4
    assert out.max() < 8 + 1e-4
    assert out[::2].min() > lowest
    assert out[1::2].max() < highest
    assert out[::2].min() < lowest + 0.2  # the whole range is drawn
    assert out[1::2].max() > highest - 0.2


def test_a_crop_of_the_whole_is_the_input_or_its_shift() -> None:
    x = torch.randn(64, 1, 16, 40)
    out = build("resized-crop", min_scale=1.0, max_scale=1.0, canvas=1.0)(x)
    torch.testing.assert_close(out, x, atol=1e-4, rtol=0)
    shifted = build("resized-crop", min_scale=1.0, max_scale=1.0, canvas=1.5)(x)
    padded = torch.nn.functional.pad(x, (10, 10))
    for b in range(64):  # a window of 40 somewhere on the canvas of 60
        errors = [(shifted[b] - padded[b, :, :, j : j + 40]).abs().max().item() for j in range(21)]
        assert min(errors) < 1e-3


def test_a_resized_crop_is_the_crop_resized() -> None:
    smooth = scipy.ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(24, 40)), 3) * 20
    x = torch.from_numpy(smooth).float()[None, None].repeat(32, 1, 1, 1)
    out = build("resized-crop", min_scale=0.7, max_scale=0.7, canvas=1.0)(x)
    height, width = int(0.7 * 24), int(0.7 * 40)
    best = []
    for b in range(32):
        crops = [x[b, :, i : i + height, j : j + width] for i in range(24 - height + 1) for j in range(40 - width + 1)]
        whole = torch.nn.functional.interpolate(torch.stack(crops), (24, 40), mode="bicubic", align_corners=True)
        best.append((out[b] - whole)[:, :, 3:-3, 3:-3].abs().amax((1, 2, 3)).min().item())
    assert max(best) < 0.02 * x.abs().max()
