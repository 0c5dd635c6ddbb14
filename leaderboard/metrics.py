"""Metrics of answers in which each recording counts as often as a bootstrap draws it."""

from collections.abc import Callable

import numpy as np

from leaderboard.answers import Answers
from registry.metrics import Counts, Figures
from registry.targets.one_label import OneLabel
from registry.targets.several_labels import SeveralLabels

ACCURACY, MACRO_F1 = (metric.name for metric in OneLabel.metrics)
MAP, AUC, D_PRIME = (metric.name for metric in SeveralLabels.metrics)


def metrics_of(answers: Answers) -> Callable[[Counts], Figures]:
    """What the answers of a fold are worth under any counts of its recordings."""
    return (SeveralLabels() if answers.label.ndim > 1 else OneLabel()).under(answers)


def observed(answers: Answers) -> dict[str, float]:
    """Each metric as it is: every recording counts once; the mean over repeats."""
    found = metrics_of(answers)(np.ones((1, answers.recordings), np.float32))
    return {metric: float(figure_P1.mean()) for metric, figure_P1 in found.items()}
