"""Statistics against simulation and scipy."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from leaderboard.statistics import paired_difference

Folds = dict[int, NDArray[np.float64]]


def draw(rng: np.random.Generator, gain: float) -> tuple[Folds, Folds]:
    """Two systems whose errors go together, the first right more often by ``gain``."""
    a, b = {}, {}
    for fold in range(5):
        ease = rng.uniform(size=80)
        b[fold] = (ease < 0.7 + rng.normal(0, 0.05, 80)).astype(float)
        a[fold] = (ease < 0.7 + gain + rng.normal(0, 0.05, 80)).astype(float)
    return a, b


def test_the_difference_is_the_mean_over_folds() -> None:
    a = {1: np.array([1.0, 1.0, 0.0]), 2: np.array([1.0, 0.0])}
    b = {1: np.array([1.0, 0.0, 0.0]), 2: np.array([1.0, 1.0])}
    assert paired_difference(a, b).mean == pytest.approx((1 / 3 - 1 / 2) / 2)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        interval = paired_difference(*draw(rng, 0.05))
        hits += interval.low <= 0.05 <= interval.high
    assert 0.92 <= hits / 400 <= 0.98


def test_the_interval_is_scipys_for_one_fold() -> None:
    a, b = draw(np.random.default_rng(1), 0.1)
    ours = paired_difference({0: a[0]}, {0: b[0]})
    theirs = stats.bootstrap(
        (a[0] - b[0],), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.013)


def test_systems_on_other_clips_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same clips"):
        paired_difference({1: np.ones(3)}, {1: np.ones(4)})
    with pytest.raises(ValueError, match="same clips"):
        paired_difference({1: np.ones(3)}, {2: np.ones(3)})
