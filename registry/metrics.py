"""What predictions are worth: accuracy of one label a clip, average precision and area under the curve of several."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from registry.errors import Mistake

_Areas = TypeVar("_Areas", np.float64, NDArray[np.float64])
_LEAST = 1e-6  # what an area under the curve lacks of 1 at least


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
    from sklearn.metrics import average_precision_score, roc_auc_score

    judged = rankable(label_NC)
    if not len(judged):
        raise Mistake("no class has both clips that have it and clips that lack it", fix="test on more recordings")
    labels, scores = label_NC[:, judged], score_NC[:, judged]
    auc = float(roc_auc_score(labels, scores, average="macro"))
    return Ranking(
        mean_average_precision=float(average_precision_score(labels, scores, average="macro")),
        auc=auc,
        d_prime=float(d_prime(np.float64(auc))),
        classes=len(judged),
    )


def d_prime(auc: _Areas) -> _Areas:
    """The distance, in deviations, of two normal distributions that an area under the curve separates.

    An area of 1 would separate any distance: it counts as 1 - 1e-6, which is d' 6.7.
    """
    from scipy.special import ndtri  # scipy.stats would take a second to load

    found: _Areas = np.sqrt(2) * ndtri(np.clip(auc, _LEAST, 1 - _LEAST))
    return found


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
