"""How much figures would differ on other recordings, and after other trainings.

Clips that were cut from one recording are not independent, so recordings are drawn and not clips. An entry that was
trained with several seeds has a scatter of seeds, too. Seeds are too few to be drawn: Student's t is used for them.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from leaderboard.answers import FoldAnswers
from leaderboard.spread import Scatter, Spreads, by_recordings, spreads, together
from leaderboard.statistics import ALPHA, Interval
from registry.metrics import Answers, Counts, Figures

DRAWS = 10_000
FEWEST = 1_000
WORK = 2 * 10**9  # numbers that a slow judge may go through in all its draws: some seconds an entry
BLOCK = 2**20  # recordings drawn at once: they fit in a cache
TABLES = 2 * 10**7  # draws of one repeat's answers for one fold, in all cells of a task: tenths of a second by accuracy
AT_ONCE = 256  # repeats that a judge judges at once
GROUPS = 1_000  # groups of a fold's recordings, at most, that are left out in turn

_Place = TypeVar("_Place")


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
        """The variance between recordings."""
        return by_recordings(self.recordings_D[None], self.jackknife_R[None])[0]

    @cached_property
    def between_seeds(self) -> Scatter:
        """The variance between seeds; 0 where there is one seed."""
        return together(*self.seeds)

    @cached_property
    def spread(self) -> Spreads:
        """How the figure scatters, by recordings and seeds together."""
        return spreads([self])

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
        reach = float(self.spread.reach(1 - ALPHA / 2)[0])
        drawn_D = self.recordings_D[np.isfinite(self.recordings_D)]
        deviation = float(drawn_D.std()) if len(drawn_D) else 0.0
        if self.seeds or not deviation:
            return Interval(self.value, self.value - reach, self.value + reach)
        low, high = np.percentile(drawn_D - drawn_D.mean(), [100 * ALPHA / 2, 100 * (1 - ALPHA / 2)])
        wider = reach / (deviation * _normal(1 - ALPHA / 2))
        return Interval(self.value, self.value + wider * float(low), self.value + wider * float(high))

    @property
    def p(self) -> float:
        """The two-sided p-value of no difference."""
        return float(self.spread.p[0])

    def smallest(self, comparisons: int) -> float:
        """The smallest true difference that 80 % of trials show at 0.05, among that many comparisons (Holm)."""
        return float(self.spread.smallest(comparisons)[0])


def mean_of(figures: Collection[Estimate]) -> Estimate:
    """The mean of several entries' figures on the same recordings.

    The seeds of the entries are independent. In the difference of one of them from the mean its own seeds count twice,
    once for a small part: its scatter is a little too large.
    """
    share = 1 / len(figures)
    seeds = together(*(scatter for figure in figures for scatter in figure.seeds))
    return Estimate(
        share * sum(figure.value for figure in figures),
        share * np.add.reduce([figure.recordings_D for figure in figures]),
        share * np.add.reduce([figure.jackknife_R for figure in figures]),
        (Scatter(share**2 * seeds.variance, seeds.freedom),) if seeds.variance else (),
    )


def _normal(share: float) -> float:
    from scipy.special import ndtri  # scipy.stats would take a second to load

    return float(ndtri(share))


def estimates(
    cells: "Mapping[_Place, Mapping[int, FoldAnswers]]", *, chief_only: bool = False
) -> "dict[_Place, dict[str, Estimate]]":
    """The estimates of many cells of one task, by metric, all on the same draws of the recordings.

    Draws depend only on the folds and their numbers of recordings. So other cells do not change a cell's draws, and
    the difference of two cells with the same clips is paired. But where cells are very many, there are fewer draws.

    Args:
        cells: the answers by fold.
        chief_only: leave further metrics out, which may take much longer.
    """
    from threadpoolctl import threadpool_limits

    of_cells: dict[_Place, dict[str, Estimate]] = {}
    tables = sum(len(of_fold.seed_P) for answers in cells.values() for of_fold in answers.values())
    groups: dict[tuple[tuple[int, int], ...], list[_Place]] = {}
    for place, answers in cells.items():
        sizes = tuple((fold, of_fold.recordings) for fold, of_fold in answers.items())
        groups.setdefault(sizes, []).append(place)
    for sizes, places in groups.items():
        draws = min(max(FEWEST, TABLES // tables), *(draws_of(cells[place]) for place in places))
        stacks = _stacks({place: cells[place] for place in places}, chief_only)
        with threadpool_limits(1, user_api="blas"):  # its threads take thirty times as long over such small products
            of_cells.update(_of_stacks(stacks, dict(sizes), draws))
    return of_cells


def draws_of(answers: Mapping[int, FoldAnswers]) -> int:
    """How many draws a cell's figures rest on: fewer where one draw takes long, as rankings by many classes do."""
    cost = sum(of_fold.judge.cost(of_fold) for of_fold in answers.values())
    return max(FEWEST, min(DRAWS, WORK // cost)) if cost else DRAWS


@dataclass(frozen=True)
class _Stack(Generic[_Place]):
    """Cells with the same clips and the same kind of judge, judged at once.

    Args:
        rows: the rows of each cell's repeats in what is judged.
        seeds: of each cell's repeats.
        judged: by fold, the judge's function from counts to figures of all rows.
    """

    rows: dict[_Place, slice]
    seeds: dict[_Place, NDArray[np.int64]]
    judged: dict[int, Callable[[Counts], Figures]]

    def over_folds(self, counts: Mapping[int, Counts]) -> Figures:
        """The mean of each metric over folds: every fold counts the same, whatever its size."""
        totals: Figures = {}
        for fold, under in self.judged.items():
            for metric, figure_PD in under(counts[fold]).items():
                totals[metric] = np.add(totals[metric], figure_PD, totals[metric]) if metric in totals else figure_PD
        return {metric: total_PD / len(self.judged) for metric, total_PD in totals.items()}


def _stacks(cells: Mapping[_Place, Mapping[int, FoldAnswers]], chief_only: bool) -> list[_Stack[_Place]]:
    """Cells in stacks: one judgement of many repeats takes little longer than one of a few."""
    alike: dict[tuple[object, ...], list[list[_Place]]] = {}
    for place, answers in cells.items():
        clips = ((of_fold.label.tobytes(), of_fold.recording_N.tobytes()) for of_fold in answers.values())
        repeats = len(next(iter(answers.values())).seed_P)
        key = type(next(iter(answers.values())).judge), repeats, *clips
        chunks = alike.setdefault(key, [[]])
        if len(chunks[-1]) * repeats >= AT_ONCE:
            chunks.append([])
        chunks[-1].append(place)
    return [
        _stacked({place: cells[place] for place in chunk}, chief_only) for chunks in alike.values() for chunk in chunks
    ]


def _stacked(cells: Mapping[_Place, Mapping[int, FoldAnswers]], chief_only: bool) -> _Stack[_Place]:
    seeds = {place: next(iter(answers.values())).seed_P for place, answers in cells.items()}
    ends = np.cumsum([len(seed_P) for seed_P in seeds.values()])
    rows = {place: slice(end - len(seeds[place]), end) for place, end in zip(cells, ends.tolist(), strict=True)}
    folds = next(iter(cells.values())).keys()
    return _Stack(rows, seeds, {fold: _judged([of[fold] for of in cells.values()], chief_only) for fold in folds})


def _judged(answers: Sequence[FoldAnswers], chief_only: bool) -> Callable[[Counts], Figures]:
    """The figures of several cells' answers for the same clips: one function from counts, the rows of all repeats."""
    judge, first = answers[0].judge, answers[0]
    scores = [of_cell.score_PNC for of_cell in answers if of_cell.score_PNC is not None]
    predicted_PN = np.concatenate([of_cell.predicted_PN for of_cell in answers])
    stacked = Answers(first.label, predicted_PN, np.concatenate(scores) if scores else None, first.recording_N)
    if not chief_only:
        return judge.under(stacked)
    chief = judge.chief_under(stacked)
    return lambda count_DR: {judge.chief.name: chief(count_DR)}


def _of_stacks(
    stacks: Sequence[_Stack[_Place]], recordings: Mapping[int, int], draws: int
) -> dict[_Place, dict[str, Estimate]]:
    """The estimates of cells that have the same numbers of recordings in the same folds."""
    blocks: list[list[Figures]] = [[] for _ in stacks]
    for counts in _drawn(recordings, draws):
        for stack, of_stack in zip(stacks, blocks, strict=True):
            of_stack.append(stack.over_folds(counts))
    once = {fold: np.ones((1, count), np.float32) for fold, count in recordings.items()}
    all_but_one = {fold: _all_but_one(count) for fold, count in recordings.items()}
    of_cells: dict[_Place, dict[str, Estimate]] = {place: {} for stack in stacks for place in stack.rows}
    for stack, of_stack in zip(stacks, blocks, strict=True):
        without = {fold: under(all_but_one[fold]) for fold, under in stack.judged.items()}
        for metric, figure_P1 in stack.over_folds(once).items():
            drawn_PD = np.concatenate([block.pop(metric) for block in of_stack], 1)
            for place, rows in stack.rows.items():
                of_cells[place][metric] = _estimate(
                    _by_seed(figure_P1[rows, 0], stack.seeds[place]),
                    _by_seed(drawn_PD[rows], stack.seeds[place]),
                    _jackknife({fold: figures[metric][rows].mean(0) for fold, figures in without.items()}),
                )
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


def _by_seed(figure_PD: NDArray[np.float64], seed_P: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of each seed's repeats, which differ in the draw of the training clips: ``[S, ...]``."""
    seed_S = np.unique(seed_P)
    if len(seed_S) == len(seed_P):  # one draw each: nothing to take means of
        return figure_PD[np.argsort(seed_P)]
    return np.stack([figure_PD[seed_P == seed].mean(0) for seed in seed_S])


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
