"""The entries of a column compared with each other, on the same recordings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from leaderboard.answers import FoldAnswers
from leaderboard.resampling import Estimate, estimates
from leaderboard.statistics import Interval, Rank, holm, ranks
from registry.metrics import Judge, Metric

Pair = tuple[str, str]


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
        pairs: the number of these pairs.
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

    @cached_property
    def pairs(self) -> list[Comparison]:
        """Every two ranked entries, the better one first, adjusted over all pairs."""
        return self._comparisons(list(combinations(self._ranked, 2)))

    @cached_property
    def ranks(self) -> dict[str, Rank]:
        """The ranks of the entries that have every fold."""
        entries = self._ranked
        if len(entries) < 2:
            return {}
        p_EE = np.ones((len(entries), len(entries)))
        at = {entry: i for i, entry in enumerate(entries)}
        for pair in self.pairs:
            p_EE[at[pair.entry], at[pair.other]] = p_EE[at[pair.other], at[pair.entry]] = pair.p
        return dict(zip(entries, ranks([self._merit(entry) for entry in entries], p_EE), strict=True))

    @cached_property
    def smallest(self) -> Smallest | None:
        """The smallest difference that could have been shown; None with fewer than two ranked entries."""
        differences = [self._difference(pair) for pair in combinations(self._ranked, 2)]
        if not differences:
            return None
        alone, of_all = (
            float(np.median([difference.smallest(comparisons) for difference in differences]))
            for comparisons in (1, len(differences))
        )
        return Smallest(alone, of_all, len(differences))

    @cached_property
    def _ranked(self) -> list[str]:
        whole = [entry for entry in self.estimates if entry in self.whole]
        whole.sort(key=lambda entry: -self._merit(entry))
        return [entry for entry in whole if self.clips[entry] == self.clips[whole[0]]]

    def _merit(self, entry: str) -> float:
        """The figure of an entry, with its sign turned where lower is better."""
        return self.metric.sign * self.estimates[entry].value

    def _comparisons(self, pairs: list[Pair]) -> list[Comparison]:
        differences = [self._difference(pair) for pair in pairs]
        adjusted = holm([difference.p for difference in differences])
        return [
            Comparison(*pair, difference.interval, p)
            for pair, difference, p in zip(pairs, differences, adjusted, strict=True)
        ]

    def _difference(self, pair: Pair) -> Estimate:
        return self.estimates[pair[0]].minus(self.estimates[pair[1]])


def compare_task(
    columns: Mapping[str, Mapping[str, Mapping[int, FoldAnswers]]], controls: Mapping[str, str], folds: int
) -> dict[str, dict[str, Comparisons]]:
    """The comparisons of every column of a task. All entries see the same draws of the task's recordings.

    Args:
        columns: by protocol, for each entry, its answers by fold.
        controls: the control of each entry.
        folds: the number of folds that a ranked entry has.

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
    of_cells = estimates(cells)
    clips = {place: _name_of_clips(answers) for place, answers in cells.items()}
    compared: dict[str, dict[str, Comparisons]] = {}
    for protocol, column in columns.items():
        entries = [entry for entry in column if (protocol, entry) in of_cells]
        metrics = {metric.name: metric for entry in entries for metric in _judge_of(column[entry]).metrics}
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


def _name_of_clips(answers: Mapping[int, FoldAnswers]) -> str:
    return "\n".join(f"{fold}\t{clip}" for fold, of_fold in answers.items() for clip in of_fold.clip_N)


def _judge_of(answers: Mapping[int, FoldAnswers]) -> Judge:
    return next(iter(answers.values())).judge


def _defined(estimates: Mapping[str, Estimate], metric: str) -> bool:
    return metric in estimates and bool(np.isfinite(estimates[metric].value))
