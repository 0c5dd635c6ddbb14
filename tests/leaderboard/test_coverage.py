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

from leaderboard.comparison import Column, compare_task
from leaderboard.statistics import draws

pytestmark = pytest.mark.slow  # two minutes in all

Folds = dict[int, NDArray[np.float64]]

SIZES = [80, 80, 90, 70, 80]
SHARED = 0.7  # of the variance of what makes a clip hard
TRIALS = 600


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


def compared(entries: Sequence[Folds]) -> Column:
    """The entries of a column, the first of which is the control of the others."""
    names = {str(i): entry for i, entry in enumerate(entries)}
    controls = dict.fromkeys(list(names)[1:], "0")
    return compare_task({"knn": names}, controls, len(entries[0]))["knn"]


@pytest.mark.parametrize(("truth", "gain"), [(0.5, 0.05), (0.85, 0.0)])
def test_intervals_cover_what_they_are_of(truth: float, gain: float) -> None:
    rng = np.random.default_rng(0)
    columns = [compared(trial(rng, [truth, truth + gain])) for _ in range(TRIALS)]
    own = [column.intervals["0"] for column in columns]
    assert 0.93 <= np.mean([i.low <= truth <= i.high for i in own]) <= 0.97
    differences = [column.against_control["1"].difference for column in columns]
    assert 0.93 <= np.mean([i.low <= gain <= i.high for i in differences]) <= 0.97


def test_paired_tests_find_nothing_where_nothing_is_and_something_where_something_is() -> None:
    rng = np.random.default_rng(2)
    null = [compared(trial(rng, [0.7, 0.7])).against_control["1"] for _ in range(TRIALS)]
    assert 0.02 <= np.mean([found.p <= 0.05 for found in null]) <= 0.06
    assert 0.02 <= np.mean([(found.mcnemar or 0) <= 0.05 for found in null]) <= 0.06
    gained = [compared(trial(rng, [0.7, 0.78])).against_control["1"] for _ in range(100)]
    assert np.mean([found.p <= 0.05 for found in gained]) > 0.8
    assert np.mean([(found.mcnemar or 1) <= 0.05 for found in gained]) > 0.8


def test_many_pairs_together_rarely_find_what_is_not_there() -> None:
    rng = np.random.default_rng(3)
    columns = [compared(trial(rng, [0.7] * 5, [60, 60])) for _ in range(200)]
    assert np.mean([any(rank.last < 5 for rank in c.ranks.values()) for c in columns]) <= 0.08  # 0.05 + 2 deviations
    assert np.mean([any(pair.p <= 0.05 for pair in c.pairs) for c in columns]) <= 0.08


def test_of_forty_entries_the_one_that_is_better_comes_first() -> None:
    column = compared(trial(np.random.default_rng(5), [0.6] * 39 + [0.9]))
    assert str(column.ranks["39"]) == "1"
    assert {column.ranks[str(i)].first for i in range(39)} == {2}


def test_twenty_entries_on_9000_clips_take_seconds() -> None:
    entries = trial(np.random.default_rng(4), [0.7] * 20, [900] * 10)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    drawn = draws(entries)
    assert time.process_time() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024  # KiB, on Linux
    assert drawn.std(1) == pytest.approx(np.sqrt(0.7 * 0.3 / 9_000), rel=0.1)
