"""Entries of a column against each other, on the same recordings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from leaderboard.answers import Answers
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
        difference: of the figure.
        p: of no difference, Holm-adjusted over the comparisons it is one of.
    """

    entry: str
    other: str
    difference: Interval
    p: float


@dataclass(frozen=True)
class Smallest:
    """The smallest difference of two entries that a column's recordings (and seeds) could have told.

    With 80 % power at 0.05, for the pair whose difference scatters like the median of all.

    Args:
        alone: as the only comparison.
        of_all: among all pairs of the column.
        pairs: how many they are.
    """

    alone: float
    of_all: float
    pairs: int


@dataclass
class Column:
    """What the entries under one protocol on one task are worth against each other, by one metric.

    Args:
        metric: what is compared.
        estimates: of each entry.
        clips: a name of each entry's clips and their folds: entries with the same are compared.
        controls: of entries.
        whole: the entries that have every fold, which are ranked.
    """

    metric: Metric
    estimates: Mapping[str, Estimate]
    clips: Mapping[str, str]
    controls: Mapping[str, str]
    whole: frozenset[str]

    @cached_property
    def against_control(self) -> dict[str, Comparison]:
        """Of the entries that have a control with the same clips, adjusted over these."""
        pairs = [
            (entry, control)
            for entry in self.estimates
            if (control := self.controls.get(entry, "")) in self.estimates
            and control != entry
            and self.clips[entry] == self.clips[control]
        ]
        return {found.entry: found for found in self._comparisons(pairs)}

    @cached_property
    def pairs(self) -> list[Comparison]:
        """Every two ranked entries, the better one first, adjusted over all pairs."""
        return self._comparisons(list(combinations(self._ranked, 2)))

    @cached_property
    def ranks(self) -> dict[str, Rank]:
        """Of the entries that have every fold."""
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
        """The smallest difference that could have been told; None with fewer than two ranked entries."""
        differences = [self._difference(pair) for pair in combinations(self._ranked, 2)]
        if not differences:
            return None
        alone, of_all = (
            float(np.median([own.smallest(comparisons) for own in differences]))
            for comparisons in (1, len(differences))
        )
        return Smallest(alone, of_all, len(differences))

    @cached_property
    def _ranked(self) -> list[str]:
        whole = [entry for entry in self.estimates if entry in self.whole]
        whole.sort(key=lambda entry: -self._merit(entry))
        return [entry for entry in whole if self.clips[entry] == self.clips[whole[0]]]

    def _merit(self, entry: str) -> float:
        """The figure, as higher is better."""
        return self.metric.sign * self.estimates[entry].value

    def _comparisons(self, pairs: list[Pair]) -> list[Comparison]:
        differences = [self._difference(pair) for pair in pairs]
        adjusted = holm([own.p for own in differences])
        return [Comparison(*pair, own.interval, p) for pair, own, p in zip(pairs, differences, adjusted, strict=True)]

    def _difference(self, pair: Pair) -> Estimate:
        return self.estimates[pair[0]].minus(self.estimates[pair[1]])


def compare_task(
    columns: Mapping[str, Mapping[str, Mapping[int, Answers]]], controls: Mapping[str, str], folds: int
) -> dict[str, dict[str, Column]]:
    """The entries of every column of a task against each other. All see the same draws of its recordings.

    Args:
        columns: by protocol, for each entry, its answers by fold.
        controls: of entries.
        folds: how many a ranked entry has.

    Returns:
        By protocol, by the name of the metric, the chief one first; an entry is left out where it is not defined.
    """
    cells = {(protocol, entry): own for protocol, column in columns.items() for entry, own in column.items() if own}
    found = estimates(cells)
    clips = {place: _name_of_clips(own) for place, own in cells.items()}
    compared: dict[str, dict[str, Column]] = {}
    for protocol, column in columns.items():
        entries = [entry for entry in column if (protocol, entry) in found]
        metrics = {metric.name: metric for entry in entries for metric in _judge_of(column[entry]).metrics}
        compared[protocol] = {
            name: Column(
                metric,
                {entry: found[protocol, entry][name] for entry in entries if _defined(found[protocol, entry], name)},
                {entry: clips[protocol, entry] for entry in entries},
                controls,
                frozenset(entry for entry in entries if len(column[entry]) == folds),
            )
            for name, metric in metrics.items()
        }
    return compared


def _name_of_clips(answers: Mapping[int, Answers]) -> str:
    return "\n".join(f"{fold}\t{clip}" for fold, own in answers.items() for clip in own.clip_N)


def _judge_of(answers: Mapping[int, Answers]) -> Judge:
    return next(iter(answers.values())).judge


def _defined(estimates: Mapping[str, Estimate], metric: str) -> bool:
    return metric in estimates and bool(np.isfinite(estimates[metric].value))
