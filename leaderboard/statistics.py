"""Statistics of predictions: what a difference is worth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000


@dataclass(frozen=True)
class Interval:
    """An accuracy, or a paired difference of accuracies, and its 95 % interval."""

    mean: float
    low: float
    high: float


def paired_difference(
    correct: Mapping[int, NDArray[np.float64]], control: Mapping[int, NDArray[np.float64]], seed: int = 0
) -> Interval:
    """Mean over folds of the difference in accuracy on the same clips, with a stratified bootstrap interval.

    Clips are drawn with replacement within each fold, all folds together, and both systems see the same draw.

    Args:
        correct: for each fold, ``[n]`` how often each test clip was right (0 or 1; a fraction over several seeds).
        control: the same clips, in the same order.
        seed: of the draws.

    Raises:
        ValueError: if the folds or clips differ.
    """
    if correct.keys() != control.keys() or any(len(correct[f]) != len(control[f]) for f in correct):
        raise ValueError("a paired difference needs the same clips in the same folds")
    rng = np.random.default_rng(seed)
    observed, drawn = [], np.zeros(DRAWS)
    for fold in sorted(correct):
        difference_N = correct[fold] - control[fold]
        observed.append(difference_N.mean())
        # Clips with equal differences are interchangeable: counts of distinct values are all that a draw changes.
        values, counts = np.unique(difference_N, return_counts=True)
        shares = counts / counts.sum()
        drawn += rng.multinomial(len(difference_N), shares, DRAWS) @ values / len(difference_N)
    low, high = np.percentile(drawn / len(observed), [2.5, 97.5])
    return Interval(float(np.mean(observed)), float(low), float(high))


def accuracy(correct: Mapping[int, NDArray[np.float64]]) -> Interval:
    """Mean over folds of the accuracy, with the interval that :func:`paired_difference` has."""
    return paired_difference(correct, {fold: np.zeros_like(own) for fold, own in correct.items()})
