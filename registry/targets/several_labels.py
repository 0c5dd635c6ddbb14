"""Several labels a clip."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from registry.metrics import Answers, Counts, Figures, Metric, mean_of_defined
from registry.targets import Objective, Target

if TYPE_CHECKING:
    from torch import Tensor

MAP = Metric("mAP", "mAP")
AUC = Metric("AUC", "auc")
D_PRIME = Metric("d'", "d_prime", unit="deviations")
_LEAST = 1e-6  # an area under the curve counts as no closer to 0 or 1 than this

_Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


class SeveralLabels(Target):
    """Any number of labels a clip: a binary cross-entropy for each class; mean average precision, AUC and d'.

    A label is a tuple of indices into the task's classes. Neighbours vote for each of their classes. Means are over the
    classes that some clips have and some lack. Average precision is the area under precision against recall, without
    interpolation. AUC is the area under the receiver operating characteristic. d' is the distance, in deviations, of
    two normal distributions that the mean AUC separates. An area of 1 would mean an infinite distance, so it counts as
    1 - 1e-6, which is a d' of 6.7.
    """

    source: ClassVar[str] = "Wang 2021 (mAP, AUC, d')"
    holds = "several labels a clip"
    metrics = (MAP, AUC, D_PRIME)
    meaning = "mean average precision, AUC and d', means over classes"
    uses_scores = True

    def array(self, labels: Sequence[Any], classes: int) -> NDArray[Any]:
        label_NC = np.zeros((len(labels), classes), bool)
        for i, classes_of_clip in enumerate(labels):
            class_K = np.asarray(classes_of_clip, np.int64)
            if (class_K < 0).any():
                raise ValueError(f"{int(class_K.min())} is no index of a class")
            label_NC[i, class_K] = True
        return label_NC

    def listed(self, label: NDArray[Any]) -> Sequence[Any]:
        return [np.flatnonzero(has_C) for has_C in label]

    def tensor(self, label: NDArray[Any]) -> "Tensor":
        import torch

        return torch.tensor(label, dtype=torch.float32)

    def objective(self, training: "Sequence[Tensor]") -> Objective:
        from registry.losses import binary_cross_entropy

        return Objective(binary_cross_entropy, lambda fold, output_NC: output_NC)

    def vote(self, label_N: "Tensor", nearest_BK: "Tensor", weight_BK: "Tensor", classes: int) -> "Tensor":
        vote_BC = weight_BK.new_zeros(len(nearest_BK), classes)
        for nearest_B, weight_B in zip(
            nearest_BK.T, weight_BK.T, strict=True
        ):  # all at once would need [B, K, classes]
            vote_BC.addcmul_(label_N[nearest_B], weight_B.unsqueeze(1))
        return vote_BC

    def undefined(self, label: NDArray[Any]) -> str:
        return "" if len(_ranked(label)) else "no class has both clips that have it and clips that lack it"

    def cost(self, answers: Answers) -> int:
        return answers.label.size

    def under(self, answers: Answers) -> Callable[[Counts], Figures]:
        assert answers.score_PNC is not None
        has_NC = answers.label > 0
        judged = _ranked(has_NC)
        rankings = [
            [_ranking(answers.recording_N, answers.recordings, has_NC[:, c], score_NC[:, c]) for c in judged]
            for score_NC in answers.score_PNC
        ]

        def figures(count_DR: Counts) -> Figures:
            count_RD = np.ascontiguousarray(count_DR.T)
            precision, area = [], []
            for of_classes in rankings:
                pairs = [ranking(count_RD) for ranking in of_classes]
                precision.append(mean_of_defined([pair[0] for pair in pairs], len(count_DR)))
                area.append(mean_of_defined([pair[1] for pair in pairs], len(count_DR)))
            auc_PD = np.stack(area)
            return {MAP.name: np.stack(precision), AUC.name: auc_PD, D_PRIME.name: _d_prime(auc_PD)}

        return figures


def _ranked(label_NC: NDArray[Any]) -> NDArray[np.int64]:
    """The classes that some clips have and some lack."""
    has_NC = label_NC > 0
    return np.flatnonzero(has_NC.any(0) & ~has_NC.all(0))


def _d_prime(auc: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri  # scipy.stats would take a second to load

    distance: NDArray[np.float64] = np.sqrt(2) * ndtri(np.clip(auc, _LEAST, 1 - _LEAST))
    return distance


def _ranking(
    recording_N: NDArray[np.int64], recordings: int, has_N: NDArray[np.bool_], score_N: NDArray[np.float32]
) -> Callable[[NDArray[np.float32]], _Pair]:
    """Average precision and area under the curve of one class, ``[D]`` each, from counts ``[R, D]``.

    Clips are ordered by score once. Only the ranks of positive clips matter, and equal scores are one rank. A sparse
    matrix sums the counts between these ranks, so that a draw costs one addition for each clip.
    """
    from scipy.sparse import csr_matrix

    order = np.argsort(-score_N, kind="stable")
    run_N = np.unique(-score_N[order], return_inverse=True)[1]  # equal scores are one run, the highest first
    runs = np.unique(run_N[has_N[order]])  # the runs with positives
    # Row 2 g sums the clips between the runs g - 1 and g, row 2 g + 1 the run g, the last row the rest.
    row_N = 2 * np.searchsorted(runs, run_N) + np.isin(run_N, runs)
    ones = np.ones(len(order), np.float32)
    shape = (2 * len(runs) + 1, recordings)
    sums_all = csr_matrix((ones, (row_N, recording_N[order])), shape)
    sums_positive = csr_matrix((ones * has_N[order], (row_N, recording_N[order])), shape)

    def figures(count_RD: NDArray[np.float32]) -> _Pair:
        upto_GD = np.cumsum(sums_all @ count_RD, 0, dtype=np.float64)
        positive_GD = np.asarray(sums_positive @ count_RD, np.float64)[1::2]
        found_GD = np.cumsum(positive_GD, 0)
        above_GD, end_GD, total_D = upto_GD[:-1:2], upto_GD[1::2], upto_GD[-1]
        positive_D = found_GD[-1]
        negative_D = total_D - positive_D
        with np.errstate(invalid="ignore", divide="ignore"):
            precision_GD = found_GD / end_GD
            precision_D = np.nansum(positive_GD * precision_GD, 0) / positive_D
            # A negative counts against a positive: whole if it ranks above the positive, half if the two tie.
            above_GD = above_GD - (found_GD - positive_GD)
            tied_GD = end_GD - found_GD - above_GD
            area_D = 1 - (positive_GD * (above_GD + tied_GD / 2)).sum(0) / (positive_D * negative_D)
        undefined_D = (positive_D == 0) | (negative_D == 0)
        return np.where(undefined_D, np.nan, precision_D), np.where(undefined_D, np.nan, area_D)

    return figures
