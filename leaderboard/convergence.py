"""How fast an entry learns: figures by epoch. Lin 2022 draws such curves (Figures 3.3 to 3.8), without a measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from registry.metrics import Metric

SHARE = 0.9  # of the best of training from scratch


@dataclass(frozen=True)
class Curve:
    """The chief metric on the test folds by epoch.

    Args:
        epochs: the epochs that were evaluated.
        mean: over folds (over seeds first), after each of these epochs.
        deviation: standard deviation over folds; None with one fold.
    """

    epochs: list[int]
    mean: list[float]
    deviation: list[float] | None

    @staticmethod
    def over_folds(epochs: Sequence[int], figures: Mapping[int, Sequence[float]]) -> "Curve":
        """The curve of several folds' figures by epoch."""
        curve_FE = np.array(list(figures.values()))
        deviation = curve_FE.std(0, ddof=1).tolist() if len(curve_FE) > 1 else None
        return Curve(list(epochs), curve_FE.mean(0).tolist(), deviation)

    @property
    def area(self) -> float:
        """Area under the curve, where an epoch is 1 / epochs wide: the mean figure over all epochs."""
        return float(np.mean(self.mean))

    def epochs_to(self, mark: float, metric: Metric) -> int | None:
        """The first epoch whose mean is as good as the mark, or better; None if no epoch's is."""
        pairs = zip(self.epochs, self.mean, strict=True)
        return next((epoch for epoch, mean in pairs if metric.sign * mean >= metric.sign * mark), None)


@dataclass(frozen=True)
class Convergence:
    """How soon an entry's curve reaches the mark.

    Args:
        curve: of the entry.
        scratch: the entry with random weights whose best epoch sets the mark; empty if there is none.
        mark: 90 % of that best figure; where lower is better, the best figure divided by 0.9.
        epochs_to_mark: the first epoch at which the mean over folds reaches the mark; None if it never does.
    """

    curve: Curve
    scratch: str = ""
    mark: float | None = None
    epochs_to_mark: int | None = None


def convergence(curve: Curve, scratch: str, of_scratch: Curve | None, metric: Metric) -> Convergence:
    """Measures a curve against the curve of training from scratch, if there is one."""
    if of_scratch is None:
        return Convergence(curve)
    mark = SHARE * max(of_scratch.mean) if metric.higher_is_better else min(of_scratch.mean) / SHARE
    return Convergence(curve, scratch, mark, curve.epochs_to(mark, metric))
