"""Each augmentation on an input whose change is known."""

from typing import Any

import pytest
import torch
from torch import Tensor

from registry.augmentations import Augmentation
from registry.errors import Mistake
from registry.lookup import AUGMENTATIONS


def build(name: str, **settings: Any) -> Augmentation:
    choice = AUGMENTATIONS.choose({"name": name, **settings})
    augmentation: Augmentation = AUGMENTATIONS.find(name)(choice.settings)
    return augmentation


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def ramp() -> Tensor:
    return torch.arange(1.0, 1001).repeat(8, 1)


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_same_seed_same_result_and_the_input_is_left_alone(name: str) -> None:
    augmentation = build(name)
    x = torch.randn(4, 20000) if augmentation.domain == "waveform" else torch.randn(4, 1, 32, 80)
    before, results = x.clone(), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(augmentation(x))
    assert torch.equal(results[0], results[1])
    assert name == "pad" or not torch.equal(results[0], results[2])
    assert torch.equal(x, before)


def test_probability_is_drawn_for_each_example() -> None:
    flipped = (build("polarity", p=0.3)(torch.ones(4000, 2))[:, 0] < 0).float().mean()
    assert 0.27 < flipped < 0.33


def test_crop_keeps_a_stretch_at_random_places(ramp: Tensor) -> None:
    out = build("crop", samples=100)(ramp)
    assert out.shape == (8, 100)
    assert torch.equal(out - out[:, :1], torch.arange(100.0).repeat(8, 1))
    assert len(out[:, 0].unique()) > 4
    with pytest.raises(Mistake, match="crop of 2000 samples from windows of 1000"):
        build("crop", samples=2000)(ramp)


def test_pad_adds_zeros_on_both_sides(ramp: Tensor) -> None:
    out = build("pad", samples=10)(ramp)
    assert torch.equal(out[:, 10:-10], ramp)
    assert not out[:, :10].any()
    assert not out[:, -10:].any()


def test_gain_stays_in_its_range_of_decibels() -> None:
    gains = 20 * build("gain", min_db=-6, max_db=3)(torch.ones(1000, 2))[:, 0].log10()
    assert -6 <= gains.min() < -5.5
    assert 2.5 < gains.max() <= 3


def test_polarity_and_time_reversal(ramp: Tensor) -> None:
    assert torch.equal(build("polarity", p=1)(ramp), -ramp)
    assert torch.equal(build("time-reversal", p=1)(ramp), ramp.flip(1))


def test_mix_weighs_with_beta_5_2() -> None:
    count = 4000
    x = torch.eye(count)
    out = build("mix")(x)
    share = out.diagonal()
    assert torch.allclose(out.sum(1), torch.ones(count), atol=1e-5)
    others = share < 1
    assert abs(share[others].mean() - 5 / 7) < 0.01
    assert abs(share[others].var() - 5 * 2 / (49 * 8)) < 0.003


@pytest.mark.parametrize(("name", "axis"), [("time-mask", 3), ("frequency-mask", 2)])
def test_masks_are_stripes_of_the_mean_no_wider_than_asked(name: str, axis: int) -> None:
    x = torch.randn(500, 1, 40, 60)
    out = build(name, width=7, count=1)(x)
    masked = out != x
    lines = masked.all(dim=5 - axis).squeeze(1)  # a stripe covers the other axis whole
    assert torch.equal(masked.any(dim=5 - axis).squeeze(1), lines)
    widths = lines.sum(1)
    assert set(widths.tolist()) == set(range(8))
    edges = (lines[:, 1:] != lines[:, :-1]).sum(1)
    assert edges.max() <= 2
    assert torch.allclose(out[masked], x.mean((1, 2, 3), keepdim=True).expand_as(x)[masked])


def test_frequency_shift_moves_bins_and_leaves_the_floor_behind() -> None:
    x = torch.arange(10.0).view(1, 1, 10, 1).repeat(300, 1, 1, 5) + 1
    out = build("frequency-shift", bins=3)(x)
    shifts = set()
    for one in out[:, 0, :, 0]:
        shift = next(s for s in range(-3, 4) if torch.equal(one, _shifted(x[0, 0, :, 0], s)))
        shifts.add(shift)
    assert shifts == set(range(-3, 4))


def _shifted(column: Tensor, shift: int) -> Tensor:
    out = torch.full_like(column, float(column.min()))
    for i in range(len(column)):
        if 0 <= i - shift < len(column):
            out[i] = column[i - shift]
    return out
