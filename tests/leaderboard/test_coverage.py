"""Statistics keep what they promise, on predictions whose truth is known.

The population: each trial draws its clips anew, in folds of fixed sizes. A clip has one difficulty for every entry, and
each entry adds a share of its own, so entries err together, and each one's accuracy is known exactly.
"""

import resource
import time
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from leaderboard.statistics import accuracy, draws, mcnemar, paired_difference, paired_p, pairwise_p

pytestmark = pytest.mark.slow  # a minute or two in all

Folds = dict[int, NDArray[np.float64]]

SIZES = [80, 80, 90, 70, 80]
SHARED = 0.7  # of the variance of what makes a clip hard
TRIALS = 1_000


def trial(rng: np.random.Generator, accuracies: Sequence[float], sizes: Sequence[int] = SIZES) -> list[Folds]:
    """Entries of these accuracies on the same new clips."""
    threshold_E = np.asarray(norm.ppf(accuracies))
    entries: list[Folds] = [{} for _ in accuracies]
    for fold, n in enumerate(sizes):
        hard_N = rng.normal(size=n)
        own_EN = rng.normal(size=(len(accuracies), n))
        right_EN = np.sqrt(SHARED) * hard_N + np.sqrt(1 - SHARED) * own_EN < threshold_E[:, None]
        for entry, right_N in zip(entries, right_EN, strict=True):
            entry[fold] = right_N.astype(float)
    return entries


@pytest.mark.parametrize("truth", [0.5, 0.85])
def test_the_interval_of_an_accuracy_covers_it(truth: float) -> None:
    rng = np.random.default_rng(0)
    intervals = [accuracy(trial(rng, [truth])[0]) for _ in range(TRIALS)]
    assert 0.93 <= np.mean([i.low <= truth <= i.high for i in intervals]) <= 0.97


@pytest.mark.parametrize("gain", [0.0, 0.05])
def test_the_interval_of_a_paired_difference_covers_it(gain: float) -> None:
    rng = np.random.default_rng(1)
    pairs = [trial(rng, [0.7 + gain, 0.7]) for _ in range(TRIALS)]
    intervals = [paired_difference(a, b) for a, b in pairs]
    assert 0.93 <= np.mean([i.low <= gain <= i.high for i in intervals]) <= 0.97


def test_paired_tests_find_nothing_where_nothing_is_and_something_where_something_is() -> None:
    rng = np.random.default_rng(2)
    null = [trial(rng, [0.7, 0.7]) for _ in range(TRIALS)]
    assert 0.02 <= np.mean([paired_p(a, b) <= 0.05 for a, b in null]) <= 0.06
    assert 0.02 <= np.mean([mcnemar(a, b) <= 0.05 for a, b in null]) <= 0.06
    gained = [trial(rng, [0.78, 0.7]) for _ in range(100)]
    assert np.mean([paired_p(a, b) <= 0.05 for a, b in gained]) > 0.8
    assert np.mean([mcnemar(a, b) <= 0.05 for a, b in gained]) > 0.8


def test_many_pairs_together_rarely_find_what_is_not_there() -> None:
    rng = np.random.default_rng(3)
    found = [(pairwise_p(trial(rng, [0.7] * 5, [60, 60])) <= 0.05).any() for _ in range(200)]
    assert np.mean(found) <= 0.08  # 0.05, and two standard deviations of 200 trials


def test_twenty_entries_on_9000_clips_take_seconds() -> None:
    entries = trial(np.random.default_rng(4), [0.7] * 20, [900] * 10)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    drawn = draws(entries)
    assert time.process_time() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024  # KiB, on Linux
    assert drawn.std(1) == pytest.approx(np.sqrt(0.7 * 0.3 / 9_000), rel=0.1)
