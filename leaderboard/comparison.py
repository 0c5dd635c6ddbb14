"""The entries of a column compared with each other, on the same recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from leaderboard.answers import FoldAnswers
from leaderboard.resampling import Estimate, estimates, mean_of
from leaderboard.spread import POWER, Spreads, spreads
from leaderboard.statistics import Interval, Rank, holm, ranks, ranks_of_intervals
from registry.metrics import Judge, Metric

Pair = tuple[str, str]
_Cell = tuple[str, str]  # protocol, entry

MANY = 100  # entries of a column, at most, of which every two are compared
_SOME = 500  # pairs that stand for all pairs of more entries


@dataclass(frozen=True)
class Comparison:
    """One entry minus another on the same recordings.

    Args:
        entry: the first.
        other: the second.
        difference: of the two figures.
        p: that there is no difference, adjusted by Holm over all comparisons of the same kind in the column.
    """

    entry: str
    other: str
    difference: Interval
    p: float


@dataclass(frozen=True)
class Smallest:
    """The smallest difference of two entries that a column's recordings (and seeds) could have shown.

    The power is 80 % at 0.05, for a pair whose difference scatters like that of the median pair.

    Args:
        alone: if the pair is the only comparison.
        of_all: if all pairs of the column are compared.
        pairs: the number of these pairs, whether every two were compared or each with the mean entry.
    """

    alone: float
    of_all: float
    pairs: int


@dataclass
class Comparisons:
    """The entries of one column compared with each other, by one metric.

    Args:
        metric: by which the entries are compared.
        estimates: of each entry.
        clips: a name of each entry's clips and their folds: two entries are compared where the names are equal.
        controls: the control of each entry.
        whole: the entries that have every fold: only these are ranked.
    """

    metric: Metric
    estimates: Mapping[str, Estimate]
    clips: Mapping[str, str]
    controls: Mapping[str, str]
    whole: frozenset[str]

    @cached_property
    def against_control(self) -> dict[str, Comparison]:
        """By entry, its comparison with its control, if the two have the same clips; adjusted over these entries."""
        pairs = [
            (entry, control)
            for entry in self.estimates
            if (control := self.controls.get(entry, "")) in self.estimates
            and control != entry
            and self.clips[entry] == self.clips[control]
        ]
        return {comparison.entry: comparison for comparison in self._comparisons(pairs)}

    @property
    def many(self) -> bool:
        """Whether there are too many ranked entries to compare every two: each is compared with the mean entry."""
        return len(self._ranked) > MANY

    @cached_property
    def pairs(self) -> list[Comparison]:
        """Every two ranked entries, the better one first, adjusted over all pairs; none where entries are many."""
        return [] if self.many else self._comparisons(list(combinations(self._ranked, 2)))

    @cached_property
    def ranks(self) -> dict[str, Rank]:
        """The ranks of the entries that have every fold.

        Where entries are many, each is compared with their mean, on the same recordings. The intervals of these
        differences hold together with 95 % (Bonferroni over the entries), and two entries are apart where theirs are
        (Klein, Wright and Wieczorek 2020, JRSS C 69, from a joint confidence region).
        """
        entries = self._ranked
        if len(entries) < 2:
            return {}
        if self.many:
            merit_E = self.metric.sign * self._from_mean.value_M
            reach_E = self._from_mean.reach_of(len(entries))
            return dict(zip(entries, ranks_of_intervals(merit_E - reach_E, merit_E + reach_E), strict=True))
        p_EE = np.ones((len(entries), len(entries)))
        first_M, second_M = np.triu_indices(len(entries), 1)  # in the order of ``combinations``
        p_EE[first_M, second_M] = p_EE[second_M, first_M] = holm(self._every_two.p.tolist())
        return dict(zip(entries, ranks([self._merit(entry) for entry in entries], p_EE), strict=True))

    @cached_property
    def smallest(self) -> Smallest | None:
        """The smallest difference that could have been shown; None with fewer than two ranked entries."""
        count = len(self._ranked)
        pairs = count * (count - 1) // 2
        if not pairs:
            return None
        if not self.many:
            alone_M, of_all_M = (self._every_two.smallest(comparisons) for comparisons in (1, pairs))
            return Smallest(float(np.median(alone_M)), float(np.median(of_all_M)), pairs)
        rng = np.random.default_rng(count)
        first_M, second_M = rng.permuted(np.tile(np.arange(count), (_SOME, 1)), axis=1)[:, :2].T
        some = self._spreads_of([(self._ranked[i], self._ranked[j]) for i, j in zip(first_M, second_M, strict=True)])
        reach_E = self._from_mean.reach_of(count)
        of_all_M = reach_E[first_M] + reach_E[second_M] + some.reach(POWER)
        return Smallest(float(np.median(some.smallest(1))), float(np.median(of_all_M)), pairs)

    @cached_property
    def _every_two(self) -> Spreads:
        return self._spreads_of(list(combinations(self._ranked, 2)))

    @cached_property
    def _from_mean(self) -> Spreads:
        mean = mean_of([self.estimates[entry] for entry in self._ranked])
        return spreads(self.estimates[entry].minus(mean) for entry in self._ranked)

    @cached_property
    def _ranked(self) -> list[str]:
        whole = [entry for entry in self.estimates if entry in self.whole]
        whole.sort(key=lambda entry: -self._merit(entry))
        return [entry for entry in whole if self.clips[entry] == self.clips[whole[0]]]

    def _merit(self, entry: str) -> float:
        """The figure of an entry, with its sign turned where lower is better."""
        return self.metric.sign * self.estimates[entry].value

    def _comparisons(self, pairs: list[Pair]) -> list[Comparison]:
        adjusted = holm(self._spreads_of(pairs).p.tolist())
        return [Comparison(*pair, self._difference(pair).interval, p) for pair, p in zip(pairs, adjusted, strict=True)]

    def _spreads_of(self, pairs: Sequence[Pair]) -> Spreads:
        return spreads(map(self._difference, pairs))

    def _difference(self, pair: Pair) -> Estimate:
        return self.estimates[pair[0]].minus(self.estimates[pair[1]])


def compare_task(
    columns: Mapping[str, Mapping[str, Mapping[int, FoldAnswers]]],
    controls: Mapping[str, str],
    folds: int,
    *,
    shown_only: bool = False,
) -> dict[str, dict[str, Comparisons]]:
    """The comparisons of every column of a task. All entries see the same draws of the task's recordings.

    Args:
        columns: by protocol, for each entry, its answers by fold.
        controls: the control of each entry.
        folds: the number of folds that a ranked entry has.
        shown_only: leave out what tables have no column for, where that is every further metric.

    Returns:
        By protocol, then by the metric's name, the chief metric first. An entry is left out where a metric is not
        defined for its answers.
    """
    cells = {
        (protocol, entry): answers
        for protocol, column in columns.items()
        for entry, answers in column.items()
        if answers
    }
    judges = [_judge_of(answers) for answers in cells.values()]
    further_shown = any(metric.is_shown for judge in judges for metric in judge.metrics[1:])
    of_cells = estimates(cells, chief_only=shown_only and not further_shown)
    clips = _names_of_clips(cells)
    compared: dict[str, dict[str, Comparisons]] = {}
    for protocol, column in columns.items():
        entries = [entry for entry in column if (protocol, entry) in of_cells]
        known = {metric.name: metric for entry in entries for metric in _judge_of(column[entry]).metrics}
        computed = {name for entry in entries for name in of_cells[protocol, entry]}
        metrics = {name: metric for name, metric in known.items() if name in computed}
        compared[protocol] = {
            name: Comparisons(
                metric,
                {
                    entry: of_cells[protocol, entry][name]
                    for entry in entries
                    if _defined(of_cells[protocol, entry], name)
                },
                {entry: clips[protocol, entry] for entry in entries},
                controls,
                frozenset(entry for entry in entries if len(column[entry]) == folds),
            )
            for name, metric in metrics.items()
        }
    return compared


def _names_of_clips(cells: Mapping[_Cell, Mapping[int, FoldAnswers]]) -> dict[_Cell, str]:
    """A name of each cell's clips and their folds. Cells that share the arrays of clips share the name."""
    names: dict[tuple[tuple[int, int], ...], str] = {}
    of_cells = {}
    for place, answers in cells.items():
        arrays = tuple((fold, id(of_fold.clip_N)) for fold, of_fold in answers.items())
        if arrays not in names:
            names[arrays] = "\n".join(f"{fold}\t{clip}" for fold, of in answers.items() for clip in of.clip_N)
        of_cells[place] = names[arrays]
    return of_cells


def _judge_of(answers: Mapping[int, FoldAnswers]) -> Judge:
    return next(iter(answers.values())).judge


def _defined(estimates: Mapping[str, Estimate], metric: str) -> bool:
    return metric in estimates and bool(np.isfinite(estimates[metric].value))
