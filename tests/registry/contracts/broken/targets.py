"""Targets of which each fails the one check that it is called after."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from registry.metrics import Answers, Counts, Figures
from registry.targets import Objective
from registry.targets.one_label import OneLabel


class _Label(OneLabel):
    source: ClassVar[str] = "ours"


class Whole(_Label):
    """Keeps its contract."""

    name = "whole"


class Shifted(_Label):
    """Counts from 1 in tables, and does not count back."""

    name = "keeps_labels"

    def listed(self, label: NDArray[Any]) -> Sequence[Any]:
        return list(label + 1)


class Averaged(_Label):
    """Has one loss of a fold."""

    name = "loses_by_example"

    def objective(self, training: Sequence[Tensor]) -> Objective:
        known = super().objective(training)
        return replace(known, loss=lambda output_FBC, label_FB: known.loss(output_FBC, label_FB).mean(1))


class Inverted(_Label):
    """Takes what is learned the other way round."""

    name = "predicts_what_is_learned"

    def objective(self, training: Sequence[Tensor]) -> Objective:
        return replace(super().objective(training), scores=lambda fold, output_NC: -output_NC)


class Unheard(_Label):
    """Counts no votes."""

    name = "neighbours_vote"

    def vote(self, label_N: Tensor, nearest_BK: Tensor, weight_BK: Tensor, classes: int) -> Tensor:
        return 0 * super().vote(label_N, nearest_BK, weight_BK, classes)


class Speechless(_Label):
    """Has no words for its metrics."""

    name = "names_its_metrics"
    meaning = ""


class Uncounted(_Label):
    """Has figures that do not depend on what is drawn."""

    name = "counts_recordings"

    def under(self, answers: Answers) -> Callable[[Counts], Figures]:
        found = super().under(answers)
        return lambda count_DR: found(np.ones_like(count_DR))


class Diverted(_Label):
    """Has another chief metric where that is asked for alone."""

    name = "counts_recordings-alone"

    def chief_under(self, answers: Answers) -> Callable[[Counts], NDArray[np.float64]]:
        found = super().chief_under(answers)
        return lambda count_DR: 0.9 * found(count_DR)
