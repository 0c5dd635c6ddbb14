"""Metrics of answers in which each recording counts as often as a bootstrap draws it.

Names of dimensions: D draws, R recordings, P repeats, N clips, C classes.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from leaderboard.answers import Answers
from registry.metrics import d_prime

Counts = NDArray[np.float32]  # [D, R]
Figures = dict[str, NDArray[np.float64]]  # by metric, [P, D]
Metrics = Callable[[Counts], Figures]

ACCURACY, MACRO_F1, MAP, AUC, D_PRIME = "accuracy", "macro F1", "mAP", "AUC", "d'"


def metrics_of(answers: Answers) -> Metrics:
    """What the answers of a fold are worth under any counts of its recordings.

    Accuracy and macro F1 where clips have one label; where they may have several, the means over classes of average
    precision and of the area under the curve, and its d'. Ones give what scikit-learn gives; counts are its sample
    weights. A class without a clip in a draw (or without clips that lack it, where classes are ranked) is left out of
    the draw's mean; NaN where none is left.
    """
    return _ranking(answers) if answers.label.ndim > 1 else _classification(answers)


def observed(answers: Answers) -> dict[str, float]:
    """Each metric as it is: every recording counts once; the mean over repeats."""
    found = metrics_of(answers)(np.ones((1, answers.recordings), np.float32))
    return {metric: float(figure_P1.mean()) for metric, figure_P1 in found.items()}


def _classification(answers: Answers) -> Metrics:
    recordings, classes = answers.recordings, int(max(answers.label.max(), answers.predicted_PN.max())) + 1
    place_N = answers.recording_N * classes

    def counted(class_N: NDArray[np.int64], weight_N: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
        """``[R, C]`` how many clips of each recording have a class."""
        found = np.bincount(place_N + class_N, weight_N, recordings * classes)
        return found.reshape(recordings, classes).astype(np.float32)

    labelled_RC = counted(answers.label)
    tables = []  # of each repeat, side by side [R, 3 C]: right, labelled plus guessed, labelled
    for own in answers.predicted_PN:
        right_RC = counted(answers.label, (own == answers.label).astype(np.float64))
        tables.append(np.concatenate([right_RC, labelled_RC + counted(own), labelled_RC], 1))

    def figures(count_DR: Counts) -> Figures:
        accuracy, f1 = [], []
        for table_RC in tables:
            right_DC, both_DC, labelled_DC = np.split(count_DR @ table_RC, 3, axis=1)
            accuracy.append(right_DC.sum(1, dtype=np.float64) / labelled_DC.sum(1))
            f1_DC = 2 * right_DC / np.maximum(both_DC, 1)
            f1.append(f1_DC.sum(1, dtype=np.float64) / (labelled_DC > 0).sum(1))
        return {ACCURACY: np.stack(accuracy), MACRO_F1: np.stack(f1)}

    return figures


def _ranking(answers: Answers) -> Metrics:
    assert answers.score_PNC is not None
    judged = np.flatnonzero(answers.label.any(0) & ~answers.label.all(0))
    ranked = [
        [_ranked(answers.recording_N, answers.recordings, answers.label[:, c], score_NC[:, c]) for c in judged]
        for score_NC in answers.score_PNC
    ]

    def figures(count_DR: Counts) -> Figures:
        count_RD = np.ascontiguousarray(count_DR.T)
        precision, area = [], []
        for of_classes in ranked:
            pairs = [own(count_RD) for own in of_classes]
            precision.append(_mean_of_defined([pair[0] for pair in pairs], len(count_DR)))
            area.append(_mean_of_defined([pair[1] for pair in pairs], len(count_DR)))
        auc_PD = np.stack(area)
        return {MAP: np.stack(precision), AUC: auc_PD, D_PRIME: d_prime(auc_PD)}

    return figures


def _ranked(
    recording_N: NDArray[np.int64], recordings: int, has_N: NDArray[np.bool_], score_N: NDArray[np.float32]
) -> Callable[[NDArray[np.float32]], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Average precision and area under the curve of one class, ``[D]`` each, from counts ``[R, D]``.

    Clips are ordered by score once. Only the ranks at which a positive stands matter, those that tie as one: a sparse
    matrix sums the counts between them, so that a draw costs one addition a clip.
    """
    from scipy.sparse import csr_matrix

    order = np.argsort(-score_N, kind="stable")
    run_N = np.unique(-score_N[order], return_inverse=True)[1]  # equal scores are one run, the highest first
    runs = np.unique(run_N[has_N[order]])  # that hold positives
    # Row 2 g sums what stands between the runs g - 1 and g, row 2 g + 1 the run g, the last row the rest.
    row_N = 2 * np.searchsorted(runs, run_N) + np.isin(run_N, runs)
    ones = np.ones(len(order), np.float32)
    shape = (2 * len(runs) + 1, recordings)
    sums_all = csr_matrix((ones, (row_N, recording_N[order])), shape)
    sums_positive = csr_matrix((ones * has_N[order], (row_N, recording_N[order])), shape)

    def figures(count_RD: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        upto_GD = np.cumsum(sums_all @ count_RD, 0, dtype=np.float64)
        positive_GD = np.asarray(sums_positive @ count_RD, np.float64)[1::2]
        found_GD = np.cumsum(positive_GD, 0)
        above_GD, end_GD, total_D = upto_GD[:-1:2], upto_GD[1::2], upto_GD[-1]
        positive_D = found_GD[-1]
        negative_D = total_D - positive_D
        with np.errstate(invalid="ignore", divide="ignore"):
            precision_GD = found_GD / end_GD
            precision_D = np.nansum(positive_GD * precision_GD, 0) / positive_D
            # Negatives above a positive count whole against it, those that tie with it half.
            above_GD = above_GD - (found_GD - positive_GD)
            tied_GD = end_GD - found_GD - above_GD
            area_D = 1 - (positive_GD * (above_GD + tied_GD / 2)).sum(0) / (positive_D * negative_D)
        undefined_D = (positive_D == 0) | (negative_D == 0)
        return np.where(undefined_D, np.nan, precision_D), np.where(undefined_D, np.nan, area_D)

    return figures


def _mean_of_defined(of_classes: list[NDArray[np.float64]], draws: int) -> NDArray[np.float64]:
    """The mean ``[D]`` over the classes that are defined in a draw; NaN where none is."""
    figures_CD = np.stack(of_classes) if of_classes else np.empty((0, draws))
    defined_CD = np.isfinite(figures_CD)
    with np.errstate(invalid="ignore"):
        mean_D: NDArray[np.float64] = np.where(defined_CD, figures_CD, 0).sum(0) / defined_CD.sum(0)
    return mean_D
