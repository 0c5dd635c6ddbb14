"""Statistics against published tables and scipy."""

import numpy as np
import pytest
from scipy import stats

from leaderboard.statistics import critical_difference, friedman, holm, ranks


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
