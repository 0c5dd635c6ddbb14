"""Statistics keep what they promise, on predictions whose truth is known and whose clips share recordings.

The population: each trial draws its recordings anew, of UrbanSound8K's sizes. A clip has one difficulty for every
entry, and each entry and each seed adds a share of its own; of all of these the clips of a recording have a part in
common. So entries err together, clips of one recording err together, and each entry's accuracy is known exactly.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from leaderboard.answers import FoldAnswers
from leaderboard.comparison import Comparisons, compare_task
from leaderboard.resampling import estimates
from registry.targets.number import Number
from registry.targets.one_label import OneLabel
from registry.targets.several_labels import SeveralLabels

pytestmark = pytest.mark.slow  # some minutes in all

# How many recordings of folds 1, 2 and 10 of UrbanSound8K were cut into so many clips.
SIZES = {
    1: {
        1: 35,
        2: 8,
        3: 13,
        4: 19,
        5: 2,
        6: 16,
        7: 7,
        8: 12,
        9: 2,
        11: 3,
        13: 1,
        14: 3,
        15: 2,
        20: 2,
        22: 2,
        23: 1,
        24: 1,
        25: 2,
        29: 1,
        31: 1,
        79: 1,
    },
    2: {
        1: 31,
        2: 10,
        3: 14,
        4: 20,
        5: 2,
        6: 17,
        7: 5,
        8: 13,
        9: 2,
        11: 1,
        12: 2,
        13: 1,
        14: 2,
        15: 1,
        16: 1,
        19: 1,
        21: 2,
        22: 2,
        24: 1,
        25: 2,
        26: 1,
        30: 1,
        32: 1,
        72: 1,
    },
    10: {
        1: 25,
        2: 9,
        3: 11,
        4: 21,
        5: 2,
        6: 15,
        7: 8,
        8: 12,
        9: 1,
        10: 2,
        11: 2,
        14: 4,
        15: 1,
        18: 1,
        20: 2,
        22: 1,
        25: 2,
        26: 1,
        27: 1,
        28: 1,
        31: 1,
        61: 1,
    },
}
OWNER = {
    fold: np.repeat(np.arange(sum(own.values())), np.repeat(list(own), list(own.values())))
    for fold, own in SIZES.items()
}
SHARED = 0.7  # of the variance of what makes a clip hard, for all entries; the rest is an entry's own
SEED = 0.5  # of an entry's own variance, for all its seeds; the rest is a seed's own
TRIALS = 600


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.resampling.DRAWS", 1_000)


def trial(
    rng: np.random.Generator, accuracies: Sequence[float], correlation: float, seeds: int = 1, scatter: float = 0.0
) -> list[dict[int, FoldAnswers]]:
    """Entries of these accuracies on the same new clips.

    Args:
        correlation: of what makes clips of one recording hard.
        seeds: of every entry.
        scatter: deviation between seeds, in deviations of what makes a clip hard.
    """
    threshold_E = norm.ppf(accuracies) * np.sqrt(1 + scatter**2)
    shift_ES = scatter * rng.normal(size=(len(accuracies), seeds))
    entries: list[dict[int, FoldAnswers]] = [{} for _ in accuracies]
    for fold, owner_N in OWNER.items():
        hard_N = _clustered(rng, owner_N, correlation, 1)
        for entry, threshold, shift_S in zip(entries, threshold_E, shift_ES, strict=True):
            own_SN = _clustered(rng, owner_N, correlation, 1)
            if seeds > 1:
                own_SN = np.sqrt(SEED) * own_SN + np.sqrt(1 - SEED) * _clustered(rng, owner_N, correlation, seeds)
            right_SN = np.sqrt(SHARED) * hard_N + np.sqrt(1 - SHARED) * own_SN + shift_S[:, None] < threshold
            entry[fold] = FoldAnswers(
                label=np.zeros(len(owner_N), int),
                predicted_PN=np.where(right_SN, 0, 1),
                score_PNC=None,
                recording_N=owner_N,
                judge=OneLabel(),
                clip_N=np.array([f"{i:04}" for i in range(len(owner_N))]),
                seed_P=np.arange(seeds),
            )
    return entries


def _clustered(
    rng: np.random.Generator, owner_N: NDArray[np.int64], correlation: float, rows: int
) -> NDArray[np.float64]:
    common = rng.normal(size=(rows, owner_N.max() + 1))[:, owner_N]
    alone = rng.normal(size=(rows, len(owner_N)))
    made: NDArray[np.float64] = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * alone
    return made


def compared(entries: Sequence[dict[int, FoldAnswers]]) -> Comparisons:
    """The entries of a column, the first of which is the control of the others."""
    names = {str(i): entry for i, entry in enumerate(entries)}
    controls = dict.fromkeys(list(names)[1:], "0")
    return compare_task({"knn": names}, controls, len(entries[0]))["knn"]["accuracy"]


@pytest.mark.parametrize(("seeds", "scatter"), [(1, 0.0), (3, 0.05)])
@pytest.mark.parametrize("correlation", [0.3, 0.6, 0.9])
def test_intervals_hold_the_truth_and_tests_find_nothing_where_nothing_is(
    correlation: float, seeds: int, scatter: float
) -> None:
    rng = np.random.default_rng([seeds, round(10 * correlation)])
    own, differences, false = [], [], []
    for _ in range(TRIALS):
        column = compared(trial(rng, [0.6, 0.66, 0.6], correlation, seeds, scatter))
        interval = column.estimates["0"].interval
        own.append(interval.low <= 0.6 <= interval.high)
        against = column.against_control["1"].difference
        differences.append(against.low <= 0.06 <= against.high)
        false.append(column.estimates["2"].minus(column.estimates["0"]).p <= 0.05)
    print(f"{correlation} {seeds} {np.mean(own):.3f} {np.mean(differences):.3f} {np.mean(false):.3f}")
    assert 0.93 <= np.mean(own) <= 0.975
    assert 0.93 <= np.mean(differences) <= 0.975
    assert np.mean(false) <= 0.06


def test_by_clip_the_interval_would_miss_the_truth_in_every_third_trial() -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(100):
        (entry,) = trial(rng, [0.6], 0.6)
        by_clip = {fold: replace(own, recording_N=np.arange(len(own.clip_N))) for fold, own in entry.items()}
        interval = estimates({"a": by_clip})["a"]["accuracy"].interval
        held.append(interval.low <= 0.6 <= interval.high)
    assert np.mean(held) < 0.75


def test_many_pairs_together_rarely_find_what_is_not_there() -> None:
    rng = np.random.default_rng(3)
    columns = [compared(trial(rng, [0.7] * 5, 0.6)) for _ in range(100)]
    assert np.mean([any(rank.last < 5 for rank in c.ranks.values()) for c in columns]) <= 0.09  # .05 + 2 deviations


def test_of_forty_entries_the_one_that_is_better_comes_first() -> None:
    column = compared(trial(np.random.default_rng(5), [0.6] * 39 + [0.95], 0.3))
    assert str(column.ranks["39"]) == "1"
    assert {column.ranks[str(i)].first for i in range(39)} == {2}


def test_average_precision_has_an_interval_that_holds_its_expectation() -> None:
    rng = np.random.default_rng(6)
    intervals = [estimates({"a": {1: _ranked(rng)}})["a"]["mAP"].interval for _ in range(300)]
    expected = np.mean([interval.mean for interval in intervals])
    assert 0.92 <= np.mean([interval.low <= expected <= interval.high for interval in intervals]) <= 0.98


def _ranked(rng: np.random.Generator, clips: int = 300, classes: int = 5) -> FoldAnswers:
    """New clips with several labels each, two from each recording."""
    recording_N = np.repeat(np.arange(clips // 2), 2)
    label_NC = (rng.random((clips // 2, classes)) < 0.2)[recording_N]
    score_NC = label_NC + rng.normal(size=(clips, classes))
    names = np.array([f"{i:04}" for i in range(clips)])
    scores = score_NC[None].astype(np.float32)
    return FoldAnswers(label_NC, np.zeros((1, clips), int), scores, recording_N, SeveralLabels(), names, np.array([0]))


def test_intervals_of_errors_and_of_r2_hold_the_truth() -> None:
    rng = np.random.default_rng(7)
    held: dict[str, list[bool]] = {"mean absolute error": [], "R2": []}
    truth = {"mean absolute error": 0.5 * np.sqrt(2 / np.pi), "R2": 1 - 0.5**2}
    for _ in range(300):
        for metric, found in estimates({"a": {1: _numbered(rng), 2: _numbered(rng)}})["a"].items():
            held[metric].append(found.interval.low <= truth[metric] <= found.interval.high)
    assert 0.92 <= np.mean(held["mean absolute error"]) <= 0.98
    assert 0.92 <= np.mean(held["R2"]) <= 0.98


def test_the_lower_error_ranks_first_and_a_draw_counts_for_both() -> None:
    rng = np.random.default_rng(8)
    exact = _numbered(rng)
    worse = replace(exact, predicted_PN=exact.label + 1.5 * (exact.predicted_PN - exact.label))
    same = replace(exact, predicted_PN=exact.predicted_PN + 1e-6)
    entries = {"worse": {1: worse}, "exact": {1: exact}, "same": {1: same}}
    columns = compare_task({"knn": entries}, {"worse": "exact", "same": "exact"}, 1)["knn"]
    assert list(columns) == ["mean absolute error", "R2"]
    for column in columns.values():
        assert {entry: str(rank) for entry, rank in column.ranks.items()} == {
            "exact": "1-2",
            "same": "1-2",
            "worse": "3",
        }
        assert [pair.other for pair in column.pairs if pair.p <= 0.05] == ["worse", "worse"]
        assert column.against_control["worse"].p < 0.001 < column.against_control["same"].p
    assert columns["mean absolute error"].against_control["worse"].difference.low > 0
    assert columns["R2"].against_control["worse"].difference.high < 0


def test_an_entry_whose_metric_is_not_defined_is_left_out_of_its_column() -> None:
    rng = np.random.default_rng(9)
    flat = replace(_numbered(rng), label=np.full(120, 2.0))
    columns = compare_task({"knn": {"a": {1: flat}, "b": {1: flat}}}, {"a": "b"}, 1)["knn"]
    assert set(columns["mean absolute error"].estimates) == {"a", "b"}
    assert not columns["R2"].estimates
    assert not columns["R2"].pairs
    assert not columns["R2"].against_control


def _numbered(rng: np.random.Generator, clips: int = 120) -> FoldAnswers:
    """New clips with a number each, two from each recording, whose errors are alike; standard normal, errors halved."""
    recording_N = np.repeat(np.arange(clips // 2), 2)
    number_N, error_N = (_clustered(rng, recording_N, 0.5, 1)[0] for _ in range(2))
    names = np.array([f"{i:04}" for i in range(clips)])
    return FoldAnswers(number_N, (number_N + 0.5 * error_N)[None], None, recording_N, Number(), names, np.array([0]))


@pytest.mark.real
def test_the_sizes_are_those_of_urbansound8k(data: Path) -> None:
    with (data / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv").open(newline="") as file:
        clips = Counter((int(row["fold"]), row["fsID"]) for row in csv.DictReader(file))
    for fold, sizes in SIZES.items():
        assert Counter(count for (own, _), count in clips.items() if own == fold) == Counter(sizes)
