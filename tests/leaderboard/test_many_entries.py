"""Columns of many entries: ranked without comparing every two, with the same promise."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from leaderboard import comparison, resampling
from leaderboard.answers import FoldAnswers
from leaderboard.comparison import Comparisons, compare_task
from leaderboard.resampling import Estimate, estimates
from leaderboard.statistics import ranks_of_intervals
from tests.leaderboard._answers import answers

Column = Mapping[str, Mapping[int, FoldAnswers]]


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "DRAWS", 400)
    monkeypatch.setattr(resampling, "FEWEST", 400)


def column(skills: NDArray[np.float64], rng: np.random.Generator, clips: int = 120, seeds: int = 1) -> Column:
    """Entries that are right about a clip if it is easy enough for them; a clip is as hard for all of them."""
    hard_N = rng.random(clips)
    return {f"e{i}": {1: answers(rng.normal(hard_N, 0.15, (seeds, clips)) < skill)} for i, skill in enumerate(skills)}


def compared(entries: Column, monkeypatch: pytest.MonkeyPatch, most: int) -> Comparisons:
    """The comparisons of a column in which every two of at most ``most`` entries are compared."""
    monkeypatch.setattr(comparison, "MANY", most)
    return compare_task({"knn": entries}, {}, 1)["knn"]["accuracy"]


def apart(comparisons: Comparisons) -> set[tuple[str, str]]:
    """The pairs that ranks tell apart, by counting: an entry's first rank is behind those that are better."""
    value = {entry: estimate.value for entry, estimate in comparisons.estimates.items()}
    order = sorted(value, key=lambda entry: -value[entry])
    return {(better, entry) for entry in order for better in order[: comparisons.ranks[entry].first - 1]}


def test_an_entry_ranks_behind_the_intervals_above_its_own() -> None:
    low, high = np.array([0.5, 0.1, 0.4, 0.7]), np.array([0.6, 0.2, 0.55, 0.9])
    assert [str(rank) for rank in ranks_of_intervals(low, high)] == ["2-3", "4", "2-3", "1"]
    assert [str(rank) for rank in ranks_of_intervals(low, np.full(4, np.inf))] == ["1-4"] * 4
    assert [str(rank) for rank in ranks_of_intervals(np.zeros(2), np.zeros(2))] == ["1-2"] * 2  # they touch


def test_many_entries_take_as_many_comparisons_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    minus = Estimate.minus

    def counted(one: Estimate, other: Estimate) -> Estimate:
        made.append(other.value)
        return minus(one, other)

    monkeypatch.setattr(Estimate, "minus", counted)
    counts = {}
    for entries in (60, 120):
        of = compared(column(np.linspace(0.3, 0.9, entries), np.random.default_rng(0)), monkeypatch, 20)
        made.clear()
        assert len(of.ranks) == entries
        assert of.many
        assert not of.pairs
        counts[entries] = len(made)
    assert counts == {60: 60, 120: 120}
    assert of.smallest
    assert of.smallest.pairs == 120 * 119 // 2
    assert 0 < of.smallest.alone < of.smallest.of_all < 0.5


@pytest.mark.parametrize("seeds", [1, 3])
def test_ranks_without_all_pairs_are_those_of_all_pairs_where_entries_are_far_apart(
    monkeypatch: pytest.MonkeyPatch, seeds: int
) -> None:
    entries = column(np.array([0.9, 0.9, 0.6, 0.6, 0.6, 0.2]), np.random.default_rng(1), seeds=seeds)
    every_two, each = (compared(entries, monkeypatch, most).ranks for most in (10, 2))
    assert {entry: str(rank) for entry, rank in each.items()} == {entry: str(rank) for entry, rank in every_two.items()}
    assert str(each["e0"]) == "1-2"
    assert str(each["e5"]) == "6"


def test_ranks_of_random_columns_contradict_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    told = {"both": 0, "all pairs": 0, "mean": 0}
    for _ in range(20):
        entries = dict(column(rng.uniform(0.3, 0.9, 9), rng))
        entries["twin"] = entries["e3"]
        every_two, each = (compared(entries, monkeypatch, most) for most in (10, 2))
        assert each.ranks["twin"] == each.ranks["e3"]  # equal answers
        by_all, by_mean = apart(every_two), apart(each)
        told["both"] += len(by_all & by_mean)
        told["all pairs"] += len(by_all - by_mean)
        told["mean"] += len(by_mean - by_all)
        places = sorted(each.ranks, key=lambda entry: -each.estimates[entry].value)
        for place, entry in enumerate(places, 1):  # the place by figures is always among the ranks
            assert each.ranks[entry].first <= place <= each.ranks[entry].last or entry in ("twin", "e3")
        for better, worse in by_mean:  # what the mean tells apart, a test of the two alone tells apart, too
            assert each.estimates[better].minus(each.estimates[worse]).p <= 0.05
    # Ten entries: little is lost, and little found that Holm over all pairs does not find.
    assert told["both"] > 5 * told["all pairs"]
    assert told["both"] > 10 * told["mean"]


def test_few_recordings_tell_no_entries_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {f"e{i}": {1: answers([i < 10] * 4)} for i in range(20)}  # p is never below 2 ** -3
    assert {str(rank) for rank in compared(entries, monkeypatch, 2).ranks.values()} == {"1-20"}


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 3])
def test_no_two_of_equal_entries_are_told_apart_in_nineteen_of_twenty_columns(
    monkeypatch: pytest.MonkeyPatch, seeds: int
) -> None:
    rng = np.random.default_rng(3)
    wrong = [bool(apart(compared(column(np.full(30, 0.6), rng, 200, seeds), monkeypatch, 2))) for _ in range(200)]
    assert np.mean(wrong) <= 0.05 + 2 * (0.05 * 0.95 / len(wrong)) ** 0.5


def test_the_chief_metric_alone_has_the_same_draws_to_the_last_bit() -> None:
    entries = column(np.linspace(0.4, 0.8, 5), np.random.default_rng(4), seeds=3)
    whole, alone = estimates(entries), estimates(entries, chief_only=True)
    assert set(whole["e0"]) == {"accuracy", "macro F1"}
    for entry in entries:
        assert set(alone[entry]) == {"accuracy"}
        assert (alone[entry]["accuracy"].recordings_D == whole[entry]["accuracy"].recordings_D).all()
        assert (alone[entry]["accuracy"].jackknife_R == whole[entry]["accuracy"].jackknife_R).all()


def test_cells_that_are_very_many_get_fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "DRAWS", 1_000)
    monkeypatch.setattr(resampling, "FEWEST", 100)
    entries = column(np.linspace(0.4, 0.8, 10), np.random.default_rng(5), seeds=2)
    assert len(estimates(entries)["e0"]["accuracy"].recordings_D) == 1_000
    monkeypatch.setattr(resampling, "TABLES", 20 * 300)
    fewer = estimates(entries)
    assert {len(of["accuracy"].recordings_D) for of in fewer.values()} == {300}
    monkeypatch.setattr(resampling, "TABLES", 1)
    assert len(estimates(entries)["e0"]["accuracy"].recordings_D) == 100
