"""How figures scatter: by recordings, which are many, and by seeds, which are few. Student's t is used for both."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics import ALPHA

if TYPE_CHECKING:
    from leaderboard.resampling import Estimate

POWER = 0.8
_AT_ONCE = 64  # figures whose draws are looked at together
_MOST = 1_000  # recordings that count for the least p: it is as good as 0 there


@dataclass(frozen=True)
class Scatter:
    """One independent source of a figure's variance, and the degrees of freedom of this variance."""

    variance: float
    freedom: float

    @property
    def deviation(self) -> float:
        """The root of the variance."""
        return math.sqrt(self.variance)


def together(*scatters: Scatter) -> Scatter:
    """The scatter of a sum of independent terms, each with its scatter (Satterthwaite 1946)."""
    variance = sum(scatter.variance for scatter in scatters)
    squares = sum(scatter.variance**2 / scatter.freedom for scatter in scatters)
    return Scatter(variance, variance**2 / squares if squares else math.inf)


@dataclass(frozen=True)
class Spreads:
    """How each of M figures, or differences, scatters: all that tests ask of them, without their draws.

    Args:
        value_M: the figures.
        variance_3M: by recordings, by seeds, and by both together.
        freedom_3M: the degrees of freedom of these variances.
        least_M: the lowest p-values that so few recordings allow: 2 to the power of 1 - R, since each of R recordings
            is on one side or the other.
    """

    value_M: NDArray[np.float64]
    variance_3M: NDArray[np.float64]
    freedom_3M: NDArray[np.float64]
    least_M: NDArray[np.float64]

    def reach(self, share: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """The quantile ``[M]`` at ``share`` of each figure's distribution, from its mean, by recordings and seeds.

        The scatter of a few seeds has few degrees of freedom. Then Satterthwaite's reach is too short, and the root of
        the sum of both squared reaches (Zou and Donner 2008) is too long. The mean of the two was best in simulation.
        """
        from scipy.special import stdtrit

        recordings_M, seeds_M, together_M = np.sqrt(self.variance_3M) * stdtrit(self.freedom_3M, share)
        both_M = (np.hypot(recordings_M, seeds_M) + together_M) / 2
        reach_M: NDArray[np.float64] = np.where(self.variance_3M[1] > 0, both_M, recordings_M)
        return reach_M

    def reach_of(self, comparisons: int) -> NDArray[np.float64]:
        """How far intervals reach ``[M]`` that hold with 95 % together, among so many (Bonferroni).

        Infinitely far where so few recordings allow no p as low as that.
        """
        return np.where(self.least_M <= ALPHA / comparisons, self.reach(1 - ALPHA / 2 / comparisons), np.inf)

    @cached_property
    def p(self) -> NDArray[np.float64]:
        """The two-sided p-values of no difference: the smallest level at which an interval does not hold 0."""
        low_M, high_M = np.zeros(len(self.value_M)), np.ones(len(self.value_M))
        for _ in range(50):
            level_M = (low_M + high_M) / 2
            holds_M = self.reach(1 - level_M / 2) > np.abs(self.value_M)
            low_M, high_M = np.where(holds_M, level_M, low_M), np.where(holds_M, high_M, level_M)
        return np.where(self.value_M == 0, 1.0, np.maximum(high_M, self.least_M))

    def smallest(self, comparisons: int) -> NDArray[np.float64]:
        """The smallest true differences that 80 % of trials show at 0.05, among that many comparisons (Holm)."""
        return self.reach(1 - ALPHA / 2 / comparisons) + self.reach(POWER)


def spreads(figures: "Iterable[Estimate]") -> Spreads:
    """The spreads of figures, of which the draws of a few are in memory at the same time."""
    rows, left = [], iter(figures)
    while some := list(islice(left, _AT_ONCE)):
        for _, alike in groupby(some, lambda figure: (len(figure.recordings_D), len(figure.jackknife_R))):
            of_figures = list(alike)
            drawn_MD = np.stack([figure.recordings_D for figure in of_figures])
            jackknife_MR = np.stack([figure.jackknife_R for figure in of_figures])
            least = 2.0 ** (1 - min(jackknife_MR.shape[1], _MOST))
            for figure, recordings in zip(of_figures, by_recordings(drawn_MD, jackknife_MR), strict=True):
                scatters = recordings, figure.between_seeds, together(recordings, figure.between_seeds)
                rows.append((figure.value, *(s.variance for s in scatters), *(s.freedom for s in scatters), least))
    table = np.array(rows, np.float64).reshape(-1, 8).T
    return Spreads(table[0], table[1:4], table[4:7], table[7])


def by_recordings(drawn_MD: NDArray[np.float64], jackknife_MR: NDArray[np.float64]) -> list[Scatter]:
    """The variance of the draws of each of M figures, or the jackknife's variance where that is larger.

    Draws are too close to each other where a few recordings hold most of the clips, or most of the difference. So the
    variance has fewer degrees of freedom than there are recordings (Satterthwaite 1946).
    """
    finite_MD = np.isfinite(drawn_MD)
    if finite_MD.all():
        variance_M = drawn_MD.var(1).tolist()
    else:
        kept = [drawn_D[finite_D] for drawn_D, finite_D in zip(drawn_MD, finite_MD, strict=True)]
        variance_M = [float(drawn_D.var()) if len(drawn_D) else 0.0 for drawn_D in kept]
    square_MR = np.nan_to_num(jackknife_MR) ** 2
    scatters = []
    for variance, sum_, sum_of_squares in zip(variance_M, square_MR.sum(1), (square_MR**2).sum(1), strict=True):
        # The squares of normal contributions differ so much that they scatter like a third as many equal squares.
        freedom = 3 * float(sum_**2 / sum_of_squares) if sum_of_squares else math.inf
        scatters.append(Scatter(max(variance, float(sum_)), freedom))
    return scatters
