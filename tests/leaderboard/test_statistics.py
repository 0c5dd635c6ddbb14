"""Statistics against simulation and scipy."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from leaderboard.statistics import (
    DRAWS,
    Interval,
    bootstrap_p,
    critical_difference,
    draws,
    friedman,
    holm,
    interval,
    mcnemar,
    mean_over_folds,
    ranks,
)

Folds = dict[int, NDArray[np.float64]]


def draw(rng: np.random.Generator, gain: float) -> tuple[Folds, Folds]:
    """Two systems whose errors go together, the first right more often by ``gain``."""
    a, b = {}, {}
    for fold in range(5):
        ease = rng.uniform(size=80)
        b[fold] = (ease < 0.7 + rng.normal(0, 0.05, 80)).astype(float)
        a[fold] = (ease < 0.7 + gain + rng.normal(0, 0.05, 80)).astype(float)
    return a, b


def difference(a: Folds, b: Folds) -> Interval:
    """The paired difference, as a leaderboard has it."""
    drawn = draws([a, b])
    return interval(mean_over_folds(a) - mean_over_folds(b), drawn[0] - drawn[1])


def p_value(a: Folds, b: Folds) -> float:
    drawn = draws([a, b])
    return bootstrap_p(mean_over_folds(a) - mean_over_folds(b), drawn[0] - drawn[1])


def test_an_accuracy_is_the_mean_over_folds() -> None:
    assert mean_over_folds({1: np.array([1.0, 1.0, 0.0]), 2: np.array([1.0, 0.0])}) == pytest.approx(
        (2 / 3 + 1 / 2) / 2
    )


def test_the_interval_is_scipys_for_one_fold() -> None:
    a, b = draw(np.random.default_rng(1), 0.1)
    ours = difference({0: a[0]}, {0: b[0]})
    theirs = stats.bootstrap(
        (a[0] - b[0],), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.013)


def test_systems_on_other_clips_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same clips"):
        draws([{1: np.ones(3)}, {1: np.ones(4)}])
    with pytest.raises(ValueError, match="same clips"):
        draws([{1: np.ones(3)}, {2: np.ones(3)}])


def test_every_entry_sees_the_same_draw() -> None:
    a, b = draw(np.random.default_rng(3), 0.05)
    drawn = draws([a, b, a])
    assert drawn.shape == (3, DRAWS)
    assert (drawn[0] == drawn[2]).all()
    np.testing.assert_allclose(draws([b])[0], drawn[1], atol=1e-12)


def test_draws_have_the_bootstraps_mean_and_variance() -> None:
    folds = {1: np.array([1.0, 0.5, 0.0, 1.0, 0.0]), 2: np.array([1.0, 0.0, 0.25])}
    drawn = draws([folds])[0]
    assert drawn.mean() == pytest.approx((0.5 + 1.25 / 3) / 2, abs=0.006)
    variance = sum(right.var() / len(right) for right in folds.values()) / 4
    assert drawn.var() == pytest.approx(variance, rel=0.06)


def test_draws_in_many_blocks_are_draws_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = draw(np.random.default_rng(4), 0.05)
    whole = draws([a, b])
    monkeypatch.setattr("leaderboard.statistics.BLOCK", 80 * 3_001)
    pieces = draws([a, b])
    assert pieces.mean(1) == pytest.approx(whole.mean(1), abs=0.002)
    assert np.cov(pieces) == pytest.approx(np.cov(whole), rel=0.12)
    assert pieces.min() > 0.4  # no draw was left out


def test_the_paired_p_value_is_that_of_a_t_test_where_clips_are_many() -> None:
    a, b = draw(np.random.default_rng(5), 0.015)
    assert p_value({0: a[0]}, {0: a[0]}) == 1
    own, other = ({0: np.concatenate(list(system.values()))} for system in (a, b))
    p = p_value(own, other)
    assert 0.01 < p < 0.5
    assert p == pytest.approx(stats.ttest_rel(own[0], other[0]).pvalue, abs=0.03)
    assert p_value(other, own) == pytest.approx(p, abs=0.02)


def test_a_p_value_that_no_draw_resolves_is_that_of_a_t_test_too() -> None:
    a, b = draw(np.random.default_rng(8), 0.12)
    own, other = ({0: np.concatenate(list(system.values()))} for system in (a, b))
    p, expected = p_value(own, other), stats.ttest_rel(own[0], other[0]).pvalue
    assert expected < 1e-6
    assert np.log10(p) == pytest.approx(np.log10(expected), rel=0.1)
    assert p_value({0: np.ones(5)}, {0: np.zeros(5)}) == 1 / (DRAWS + 1)  # no deviation: the floor of the draws


def test_mcnemar_counts_the_clips_that_one_alone_has_right() -> None:
    a = {1: np.array([1.0, 1, 1, 1, 1]), 2: np.array([0.0, 1, 0])}
    b = {1: np.array([0.0, 0, 0, 0, 0]), 2: np.array([1.0, 1, 0])}
    assert mcnemar(a, b) == pytest.approx(2 * (1 + 6) / 2**6)  # 5 against 1
    assert mcnemar(a, a) == 1
    assert mcnemar(a, b) == pytest.approx(stats.binomtest(5, 6).pvalue)
    with pytest.raises(ValueError, match="one seed"):
        mcnemar({1: np.array([0.5])}, {1: np.array([1.0])})


def test_holms_adjustment() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # R's p.adjust
    assert holm([0.6, 0.9]) == [1, 1]
    assert holm([]) == []


def test_ranks_tie_within_noise() -> None:
    p = np.ones((4, 4))
    for a, b in [(0, 1), (0, 2), (0, 3), (1, 3)]:
        p[a, b] = p[b, a] = 0.01
    assert [str(rank) for rank in ranks([0.9, 0.7, 0.6, 0.5], p)] == ["1", "2-3", "2-4", "3-4"]
    assert [str(rank) for rank in ranks([0.5, 0.4], np.ones((2, 2)))] == ["1-2", "1-2"]


def test_the_critical_difference_is_demsars() -> None:
    published = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]  # table 5(a)
    for entries, q in enumerate(published, 2):
        assert critical_difference(entries, 1) / np.sqrt(entries * (entries + 1) / 6) == pytest.approx(q, abs=0.0015)


def test_friedman_ranks_the_best_first() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.6], [0.9, 0.7, 0.8, 0.6], [0.8, 0.9, 0.7, 0.5], [0.6, 0.5, 0.4, 0.3]])
    found = friedman(scores)
    assert found.mean_ranks == [1.25, 2, 2.75, 4]
    squares = sum(rank**2 for rank in found.mean_ranks)
    assert found.statistic == pytest.approx(12 * 4 / (4 * 5) * (squares - 4 * 5**2 / 4))  # Demsar 2006, no ties
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 3))
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.01)  # his example


def test_friedman_needs_entries_that_can_be_compared() -> None:
    assert friedman(np.ones((3, 4))).p == 1
    with pytest.raises(ValueError, match="three entries"):
        friedman(np.ones((5, 2)))
    with pytest.raises(ValueError, match="three entries"):
        friedman(np.array([[1.0, 2.0, np.nan], [1.0, 2.0, 3.0]]))
