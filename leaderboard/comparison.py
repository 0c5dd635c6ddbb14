"""Entries of a column against each other, clip by clip."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics import (
    Correct,
    Interval,
    Rank,
    bootstrap_p,
    draws,
    holm,
    interval,
    mcnemar,
    mean_over_folds,
    ranks,
    sizes,
)

Pair = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """One entry minus another on the same clips.

    Args:
        entry: the first.
        other: the second.
        difference: of accuracy.
        p: of no difference, by paired bootstrap, Holm-adjusted over the comparisons it is one of.
        mcnemar: the same by McNemar's exact test; None where clips are partly right, as the mean over seeds is.
    """

    entry: str
    other: str
    difference: Interval
    p: float
    mcnemar: float | None


@dataclass
class Column:
    """What the entries under one protocol on one task are worth against each other.

    Args:
        correct: for each entry, by fold, how often each clip was right.
        drawn: bootstrap draws of its accuracy.
        controls: of entries.
        folds: how many an entry must have to be ranked.
    """

    correct: Mapping[str, Correct]
    drawn: Mapping[str, NDArray[np.float64]]
    controls: Mapping[str, str]
    folds: int

    @cached_property
    def mean(self) -> dict[str, float]:
        """Of every entry's accuracy over folds."""
        return {entry: mean_over_folds(correct) for entry, correct in self.correct.items()}

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Of every entry's accuracy."""
        return {entry: interval(self.mean[entry], self.drawn[entry]) for entry in self.correct}

    @cached_property
    def against_control(self) -> dict[str, Comparison]:
        """Of the entries that have a control with the same clips, adjusted over these."""
        pairs = [
            (entry, control)
            for entry in self.correct
            if (control := self.controls.get(entry, "")) in self.correct
            and control != entry
            and sizes(self.correct[entry]) == sizes(self.correct[control])
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
        pairs = list(combinations(range(len(entries)), 2))
        for (a, b), p in zip(pairs, self._p([(entries[a], entries[b]) for a, b in pairs]), strict=True):
            p_EE[a, b] = p_EE[b, a] = p
        return dict(zip(entries, ranks([self.mean[entry] for entry in entries], p_EE), strict=True))

    @cached_property
    def _ranked(self) -> list[str]:
        whole = [entry for entry, correct in self.correct.items() if len(correct) == self.folds]
        whole.sort(key=lambda entry: -self.mean[entry])
        return [entry for entry in whole if sizes(self.correct[entry]) == sizes(self.correct[whole[0]])]

    def _comparisons(self, pairs: list[Pair]) -> list[Comparison]:
        exact = all(np.isin(right_N, (0, 1)).all() for own in self.correct.values() for right_N in own.values())
        q = holm([mcnemar(self.correct[a], self.correct[b]) for a, b in pairs]) if exact else [None] * len(pairs)
        return [
            Comparison(a, b, interval(*self._difference(a, b)), p_one, q_one)
            for (a, b), p_one, q_one in zip(pairs, self._p(pairs), q, strict=True)
        ]

    def _p(self, pairs: list[Pair]) -> list[float]:
        return holm([bootstrap_p(*self._difference(a, b)) for a, b in pairs])

    def _difference(self, a: str, b: str) -> tuple[float, NDArray[np.float64]]:
        return self.mean[a] - self.mean[b], self.drawn[a] - self.drawn[b]


def compare_task(
    columns: Mapping[str, Mapping[str, Correct]], controls: Mapping[str, str], folds: int
) -> dict[str, Column]:
    """The entries of every column of a task against each other. All see the same draws of its clips.

    Args:
        columns: by protocol, for each entry, by fold, ``[n]`` how often each clip was right, in [0, 1].
        controls: of entries.
        folds: how many a ranked entry has.
    """
    groups: dict[tuple[tuple[int, int], ...], list[Pair]] = {}
    for protocol, column in columns.items():
        for entry, correct in column.items():
            groups.setdefault(tuple(sizes(correct).items()), []).append((protocol, entry))
    drawn: dict[Pair, NDArray[np.float64]] = {}
    for group in groups.values():
        drawn.update(zip(group, draws([columns[protocol][entry] for protocol, entry in group]), strict=True))
    return {
        protocol: Column(column, {entry: drawn[protocol, entry] for entry in column}, controls, folds)
        for protocol, column in columns.items()
    }
