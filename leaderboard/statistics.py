"""Statistics of figures and their differences: intervals, many comparisons at once, ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05


@dataclass(frozen=True)
class Interval:
    """A figure, or a paired difference of two, and its 95 % interval."""

    mean: float
    low: float
    high: float


def holm(p: Sequence[float]) -> list[float]:
    """Adjusts p-values for their number, so that the family-wise error holds (Holm 1979); the order stays."""
    p_M = np.asarray(p, dtype=np.float64)
    order = np.argsort(p_M)
    stepped = np.maximum.accumulate(p_M[order] * np.arange(len(p_M), 0, -1))
    adjusted = np.empty_like(p_M)
    adjusted[order] = np.minimum(stepped, 1)
    return [float(value) for value in adjusted]


@dataclass(frozen=True)
class Rank:
    """The ranks, counted from 1, that an entry may have within noise."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def ranks(means: Sequence[float], p_EE: NDArray[np.float64]) -> list[Rank]:
    """Each entry's ranks: behind the significantly better entries (p <= 0.05), before the significantly worse ones.

    Args:
        means: of the entries, in any order; higher is better.
        p_EE: ``[entries, entries]`` adjusted p-values, symmetric.
    """
    mean_E = np.asarray(means)
    apart_EE = p_EE <= ALPHA
    better_E = (apart_EE & (mean_E[None, :] > mean_E[:, None])).sum(1)
    worse_E = (apart_EE & (mean_E[None, :] < mean_E[:, None])).sum(1)
    return [Rank(1 + int(b), len(mean_E) - int(w)) for b, w in zip(better_E, worse_E, strict=True)]


def ranks_of_intervals(low_E: NDArray[np.float64], high_E: NDArray[np.float64]) -> list[Rank]:
    """Each entry's ranks: behind the entries whose interval lies above its own, before those whose lies below it.

    Args:
        low_E: the lower ends of intervals, which hold together; higher is better.
        high_E: their upper ends.
    """
    better_E = len(low_E) - np.searchsorted(np.sort(low_E), high_E, side="right")
    worse_E = np.searchsorted(np.sort(high_E), low_E, side="left")
    return [Rank(1 + b, len(low_E) - w) for b, w in zip(better_E.tolist(), worse_E.tolist(), strict=True)]


@dataclass(frozen=True)
class Friedman:
    """Whether entries differ across tasks, and by how much two mean ranks must differ (Demsar 2006, JMLR 7).

    Args:
        statistic: Friedman's chi-squared, corrected for ties.
        p: that no entry differs from the others.
        mean_ranks: of each entry over tasks; 1 is the best.
        critical_difference: Nemenyi's critical difference of two mean ranks, at 0.05.
    """

    statistic: float
    p: float
    mean_ranks: list[float]
    critical_difference: float


def friedman(scores: NDArray[np.float64]) -> Friedman:
    """Friedman's test with Nemenyi's critical difference.

    Args:
        scores: ``[tasks, entries]``, higher is better; every entry on every task.

    Raises:
        ValueError: with fewer than three entries or two tasks, or where a score is missing.
    """
    from scipy.stats import friedmanchisquare, rankdata

    tasks, entries = scores.shape
    if entries < 3 or tasks < 2 or not np.isfinite(scores).all():
        raise ValueError(f"Friedman's test needs three entries on the same two tasks or more, got {scores.shape}")
    rank_TE = rankdata(-scores, axis=1)
    if (rank_TE == rank_TE[0, 0]).all():  # every entry ties on every task: scipy would divide by zero
        statistic, p = 0.0, 1.0
    else:
        statistic, p = map(float, friedmanchisquare(*scores.T))
    return Friedman(statistic, p, [float(rank) for rank in rank_TE.mean(0)], critical_difference(entries, tasks))


def critical_difference(entries: int, tasks: int) -> float:
    """Nemenyi's critical difference of two mean ranks at 0.05, from the studentised range (Demsar 2006)."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - ALPHA, entries, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(entries * (entries + 1) / (6 * tasks)))
