"""How much figures would differ on other recordings, and after other trainings.

Clips that were cut from one recording are not independent, so recordings are drawn and not clips. An entry that was
trained with several seeds has a scatter of seeds, too. Seeds are too few to be drawn: Student's t is used for them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from leaderboard.answers import FoldAnswers
from leaderboard.statistics import ALPHA, Interval
from registry.metrics import Counts, Figures

DRAWS = 10_000
FEWEST = 1_000
WORK = 2 * 10**9  # numbers that a slow judge may go through in all its draws: some seconds an entry
BLOCK = 2**20  # recordings drawn at once: they fit in a cache
POWER = 0.8
GROUPS = 1_000  # groups of a fold's recordings, at most, that are left out in turn

_Place = TypeVar("_Place")


@dataclass(frozen=True)
class Scatter:
    """One independent source of a figure's variance, and the degrees of freedom of this variance."""

    variance: float
    freedom: float

    @property
    def deviation(self) -> float:
        """The root of the variance."""
        return math.sqrt(self.variance)

    def reach(self, share: float) -> float:
        """The quantile at ``share`` of a Student's t distribution with this deviation, from its mean."""
        from scipy.special import stdtrit

        return self.deviation * float(stdtrit(self.freedom, share))


@dataclass(frozen=True)
class Estimate:
    """A figure, or the difference of two on the same recordings, with its draws.

    Args:
        value: as observed: the mean over folds, over seeds first.
        recordings_D: the value on each draw of the recordings.
        jackknife_R: what each recording adds to the value (of very many, each group): the squares sum to its variance.
        seeds: the scatter between the seeds of each figure in the difference, if the figure has several seeds.
    """

    value: float
    recordings_D: NDArray[np.float64]
    jackknife_R: NDArray[np.float64]
    seeds: tuple[Scatter, ...] = ()

    def minus(self, other: "Estimate") -> "Estimate":
        """The difference: recordings are paired, seeds are not."""
        return Estimate(
            self.value - other.value,
            self.recordings_D - other.recordings_D,
            self.jackknife_R - other.jackknife_R,
            self.seeds + other.seeds,
        )

    @cached_property
    def between_recordings(self) -> Scatter:
        """The variance of the draws, or the jackknife's variance where that is larger.

        Draws are too close to each other where a few recordings hold most of the clips, or most of the difference. So
        the variance has fewer degrees of freedom than there are recordings (Satterthwaite 1946).
        """
        square_R = np.nan_to_num(self.jackknife_R) ** 2
        drawn_D = self.recordings_D[np.isfinite(self.recordings_D)]
        variance = float(drawn_D.var()) if len(drawn_D) else 0.0
        if not square_R.any():
            return Scatter(variance, math.inf)
        # The squares of normal contributions differ so much that they scatter like a third as many equal squares.
        freedom = 3 * float(square_R.sum() ** 2 / (square_R**2).sum())
        return Scatter(max(variance, float(square_R.sum())), freedom)

    @cached_property
    def between_seeds(self) -> Scatter:
        """The variance between seeds; 0 where there is one seed."""
        return _together(*self.seeds)

    @property
    def deviation(self) -> float:
        """Standard deviation of the figure."""
        return math.sqrt(self.between_recordings.variance + self.between_seeds.variance)

    @property
    def interval(self) -> Interval:
        """The 95 % interval: with one seed the draws' percentiles, widened like Student's t where few recordings count.

        The draws are moved so that their mean is the figure: an average precision is higher on a draw that holds a clip
        twice, because the clip ranks beside itself.
        """
        reach = self._reach(1 - ALPHA / 2)
        drawn_D = self.recordings_D[np.isfinite(self.recordings_D)]
        deviation = float(drawn_D.std()) if len(drawn_D) else 0.0
        if self.seeds or not deviation:
            return Interval(self.value, self.value - reach, self.value + reach)
        low, high = np.percentile(drawn_D - drawn_D.mean(), [100 * ALPHA / 2, 100 * (1 - ALPHA / 2)])
        wider = reach / (deviation * _normal(1 - ALPHA / 2))
        return Interval(self.value, self.value + wider * float(low), self.value + wider * float(high))

    @property
    def p(self) -> float:
        """The two-sided p-value of no difference: the smallest level at which the interval does not hold 0.

        R recordings, each on one side or the other, allow no p below 2 to the power of 1 - R.
        """
        if self.value == 0:
            return 1.0
        least = 2.0 ** (1 - min(len(self.jackknife_R), GROUPS))
        low, high = 0.0, 1.0
        for _ in range(50):
            level = (low + high) / 2
            low, high = (level, high) if self._reach(1 - level / 2) > abs(self.value) else (low, level)
        return max(high, least)

    def smallest(self, comparisons: int) -> float:
        """The smallest true difference that 80 % of trials show at 0.05, among that many comparisons (Holm)."""
        return self._reach(1 - ALPHA / 2 / comparisons) + self._reach(POWER)

    def _reach(self, share: float) -> float:
        """The quantile at ``share`` of the figure's distribution, from its mean, by recordings and seeds together.

        The scatter of a few seeds has few degrees of freedom. Then Satterthwaite's reach is too short, and the root of
        the sum of both squared reaches (Zou and Donner 2008) is too long. The mean of the two was best in simulation.
        """
        recordings, seeds = self.between_recordings, self.between_seeds
        if not seeds.variance:
            return recordings.reach(share)
        apart = math.hypot(recordings.reach(share), seeds.reach(share))
        return (apart + _together(recordings, seeds).reach(share)) / 2


def _together(*scatters: Scatter) -> Scatter:
    """The scatter of a sum of independent terms, each with its scatter (Satterthwaite 1946)."""
    variance = sum(scatter.variance for scatter in scatters)
    squares = sum(scatter.variance**2 / scatter.freedom for scatter in scatters)
    return Scatter(variance, variance**2 / squares if squares else math.inf)


def _normal(share: float) -> float:
    from scipy.special import ndtri  # scipy.stats would take a second to load

    return float(ndtri(share))


def estimates(cells: "Mapping[_Place, Mapping[int, FoldAnswers]]") -> "dict[_Place, dict[str, Estimate]]":
    """The estimates of many cells of one task, by metric, all on the same draws of the recordings.

    Draws depend only on the folds and their numbers of recordings. So other cells do not change a cell's draws, and
    the difference of two cells with the same clips is paired.

    Args:
        cells: the answers by fold.
    """
    of_cells = {}
    groups: dict[tuple[tuple[int, int], ...], list[_Place]] = {}
    for place, answers in cells.items():
        sizes = tuple((fold, of_fold.recordings) for fold, of_fold in answers.items())
        groups.setdefault(sizes, []).append(place)
    for sizes, places in groups.items():
        of_cells.update(_of_group(dict(sizes), {place: cells[place] for place in places}))
    return of_cells


def draws_of(answers: Mapping[int, FoldAnswers]) -> int:
    """How many draws a cell's figures rest on: fewer where one draw takes long, as rankings by many classes do."""
    cost = sum(of_fold.judge.cost(of_fold) for of_fold in answers.values())
    return max(FEWEST, min(DRAWS, WORK // cost)) if cost else DRAWS


def _of_group(
    recordings: Mapping[int, int], cells: Mapping[_Place, Mapping[int, FoldAnswers]]
) -> dict[_Place, dict[str, Estimate]]:
    """The estimates of cells that have the same numbers of recordings in the same folds."""
    metrics = {
        place: {fold: of_fold.judge.under(of_fold) for fold, of_fold in answers.items()}
        for place, answers in cells.items()
    }
    blocks: dict[_Place, list[Figures]] = {place: [] for place in cells}
    draws = min(draws_of(answers) for answers in cells.values())
    for counts in _drawn(recordings, draws):
        for place, of_folds in metrics.items():
            blocks[place].append(_over_folds({fold: under(counts[fold]) for fold, under in of_folds.items()}))
    of_cells: dict[_Place, dict[str, Estimate]] = {}
    for place, answers in cells.items():
        seed_P = next(iter(answers.values())).seed_P
        observed = {fold: under(np.ones((1, recordings[fold]), np.float32)) for fold, under in metrics[place].items()}
        without = {fold: under(_all_but_one(recordings[fold])) for fold, under in metrics[place].items()}
        of_cells[place] = {
            metric: _estimate(
                _by_seed(figure_P1[:, 0], seed_P),
                _by_seed(np.concatenate([block[metric] for block in blocks[place]], 1), seed_P),
                _jackknife({fold: figures[metric].mean(0) for fold, figures in without.items()}),
            )
            for metric, figure_P1 in _over_folds(observed).items()
        }
    return of_cells


def _drawn(recordings: Mapping[int, int], draws: int) -> Iterator[dict[int, Counts]]:
    """Draws of every fold's recordings in blocks: how often each recording is drawn, ``[d, R]``.

    Each draw takes R - 1 of the R recordings: with R, the deviation of the draws would be too small by the factor
    sqrt(1 - 1 / R) (Rao and Wu 1988).
    """
    generators = {fold: np.random.default_rng([fold, n]) for fold, n in recordings.items()}
    size = max(1, BLOCK // max(recordings.values()))
    for start in range(0, draws, size):
        rows = min(size, draws - start)
        yield {fold: _counts(generators[fold], n, rows) for fold, n in recordings.items()}


def _counts(rng: np.random.Generator, recordings: int, rows: int) -> Counts:
    chosen = rng.integers(recordings, size=(rows, max(recordings - 1, 1)))
    chosen += recordings * np.arange(rows)[:, None]  # each draw has its range of numbers: one bincount counts all draws
    counted = np.bincount(chosen.ravel(), minlength=rows * recordings)
    return counted.reshape(rows, recordings).astype(np.float32)


def _all_but_one(recordings: int) -> Counts:
    """Counts ``[G, R]`` that leave out each recording in turn; of more than 1,000 recordings, one group in turn."""
    if recordings == 1:
        return np.ones((1, 1), np.float32)
    groups = min(recordings, GROUPS)
    kept_GR = np.arange(recordings) % groups != np.arange(groups)[:, None]
    return np.asarray(kept_GR, np.float32)


def _jackknife(of_folds: Mapping[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Deviations whose squares sum to the jackknife's variance of the mean over folds (Tukey 1958).

    Args:
        of_folds: by fold, the figure without each of the fold's recordings.
    """
    deviations = []
    for figure_R in of_folds.values():
        share = math.sqrt((len(figure_R) - 1) / len(figure_R)) / len(of_folds)
        known_R = figure_R[np.isfinite(figure_R)]
        deviations.append(share * (figure_R - (known_R.mean() if len(known_R) else 0.0)))
    return np.concatenate(deviations)


def _over_folds(of_folds: Mapping[int, Figures]) -> Figures:
    """The mean of each metric over folds: every fold counts the same, whatever its size."""
    first = next(iter(of_folds.values()))
    return {metric: np.mean([figures[metric] for figures in of_folds.values()], 0) for metric in first}


def _by_seed(figure_PD: NDArray[np.float64], seed_P: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of each seed's repeats, which differ in the draw of the training clips: ``[S, ...]``."""
    return np.stack([figure_PD[seed_P == seed].mean(0) for seed in np.unique(seed_P)])


def _estimate(
    figure_S: NDArray[np.float64],
    drawn_SD: NDArray[np.float64],
    jackknife_R: NDArray[np.float64],
) -> Estimate:
    """The estimate of a figure from the figures of its seeds: as observed, and on every draw of the recordings."""
    seeds, value, mean_D = len(figure_S), float(figure_S.mean()), drawn_SD.mean(0)
    if seeds == 1:
        return Estimate(value, mean_D, jackknife_R)
    # Seeds also differ in which recordings they get right. The recordings' variance holds this part of the seeds'
    # scatter already, so it is not counted twice.
    drawn_SD = drawn_SD[:, np.isfinite(mean_D)]
    explained = float((drawn_SD - drawn_SD.mean(0)).var(1).mean()) * seeds / (seeds - 1) if drawn_SD.size else 0.0
    between = max(float(figure_S.var(ddof=1)) - explained, 0.0)
    return Estimate(value, mean_D, jackknife_R, (Scatter(between / seeds, seeds - 1.0),))
