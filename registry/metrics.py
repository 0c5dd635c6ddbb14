"""What predictions are worth: accuracy of one label a clip, average precision and area under the curve of several."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from registry.errors import Mistake


@dataclass(frozen=True)
class Ranking:
    """How well scores rank the clips of each class, means over the classes that some clips have and some lack.

    Args:
        mean_average_precision: area under precision against recall, without interpolation.
        auc: area under the receiver operating characteristic.
        d_prime: the distance in deviations of two normal distributions that ``auc`` separates (Wang 2021's d').
        classes: over how many classes.
    """

    mean_average_precision: float
    auc: float
    d_prime: float
    classes: int


def ranking(label_NC: NDArray[np.float32], score_NC: NDArray[np.float32]) -> Ranking:
    """The ranking of N clips by each of C classes.

    Args:
        label_NC: ones and zeros.
        score_NC: higher for clips that rather have the class; only their order within a class counts.

    Raises:
        Mistake: if no class can be judged.
    """
    from scipy.stats import norm
    from sklearn.metrics import average_precision_score, roc_auc_score

    judged = rankable(label_NC)
    if not len(judged):
        raise Mistake("no class has both clips that have it and clips that lack it", fix="test on more recordings")
    labels, scores = label_NC[:, judged], score_NC[:, judged]
    auc = float(roc_auc_score(labels, scores, average="macro"))
    return Ranking(
        mean_average_precision=float(average_precision_score(labels, scores, average="macro")),
        auc=auc,
        d_prime=float(np.sqrt(2) * norm.ppf(auc)),
        classes=len(judged),
    )


def rankable(label_NC: NDArray[np.float32]) -> NDArray[np.int64]:
    """The classes that some clips have and some lack."""
    return np.flatnonzero((label_NC > 0).any(0) & (label_NC < 1).any(0))


def figure(
    label: NDArray[np.int64] | NDArray[np.float32],
    score_NC: NDArray[np.float32],
) -> float:
    """Accuracy where ``label`` holds a class index a clip, mean average precision where it holds ones and zeros."""
    if label.ndim > 1:
        return ranking(label.astype(np.float32), score_NC).mean_average_precision
    return float((score_NC.argmax(1) == label).mean())
