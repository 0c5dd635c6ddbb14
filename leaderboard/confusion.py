"""Which class is taken for which: confusion matrices, figures by class, and the most confused pairs in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METRICS = ("precision", "recall", "F1")


@dataclass(frozen=True)
class ByClass:
    """The figures of one class.

    Args:
        name: of the class.
        clips: the number of clips with this label.
        figures: precision, recall and F1, in [0, 1]; 0 where undefined.
    """

    name: str
    clips: int
    figures: dict[str, float]


def confusion_matrix(pair_N2: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """``[classes, classes]`` counts of clips by label (row) and prediction (column).

    Args:
        pair_N2: label and prediction of every clip.
        classes: the number of classes.
    """
    matrix_KK = np.zeros((classes, classes), np.int64)
    np.add.at(matrix_KK, (pair_N2[:, 0], pair_N2[:, 1]), 1)
    return matrix_KK


def by_class(matrix_KK: NDArray[np.int64], names: Sequence[str]) -> list[ByClass]:
    """Precision, recall and F1 of every class, as scikit-learn defines them."""
    right_K, labelled_K, guessed_K = matrix_KK.diagonal(), matrix_KK.sum(1), matrix_KK.sum(0)
    precision_K = right_K / np.maximum(guessed_K, 1)
    recall_K = right_K / np.maximum(labelled_K, 1)
    f1_K = 2 * right_K / np.maximum(labelled_K + guessed_K, 1)
    return [
        ByClass(name, int(clips), dict(zip(METRICS, map(float, figures), strict=True)))
        for name, clips, *figures in zip(names, labelled_K, precision_K, recall_K, f1_K, strict=True)
    ]


def most_confused(matrix_KK: NDArray[np.int64], names: Sequence[str], most: int = 5) -> list[str]:
    """The pairs of classes that are most often taken for each other, in words; clips count in both directions."""
    both_KK = np.triu(matrix_KK + matrix_KK.T, 1)
    order = np.argsort(-both_KK, axis=None, kind="stable")[:most]
    pairs = [divmod(int(at), len(names)) for at in order if both_KK.flat[at]]
    return [
        f"{names[a]} and {names[b]}: {_taken(matrix_KK, names, a, b)}, {_taken(matrix_KK, names, b, a)}"
        for a, b in pairs
    ]


def _taken(matrix_KK: NDArray[np.int64], names: Sequence[str], label: int, guess: int) -> str:
    return f"{matrix_KK[label, guess]} of {matrix_KK[label].sum()} {names[label]} taken for {names[guess]}"
