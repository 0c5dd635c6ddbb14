"""What is taken for what, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from leaderboard.confusion import by_class, confusion_matrix, most_confused

NAMES = ["dog", "cat", "rain", "never"]
RNG = np.random.default_rng(0)
LABELS, GUESSES = RNG.integers(3, size=60), RNG.integers(4, size=60)


def test_the_matrix_and_its_figures_are_scikit_learns() -> None:
    matrix = confusion_matrix(np.stack([LABELS, GUESSES], 1), 4)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(LABELS, GUESSES, labels=range(4)))
    theirs = metrics.precision_recall_fscore_support(LABELS, GUESSES, labels=range(4), zero_division=0)
    for one, *expected, clips in zip(by_class(matrix, NAMES), *theirs, strict=True):
        assert list(one.figures.values()) == pytest.approx(expected)
        assert one.clips == clips


def test_the_most_confused_pair_comes_first_in_words() -> None:
    matrix = np.array([[5, 3, 0, 0], [1, 9, 2, 0], [0, 0, 7, 0], [0, 0, 0, 0]])
    assert most_confused(matrix, NAMES) == [
        "dog and cat: 3 of 8 dog taken for cat, 1 of 12 cat taken for dog",
        "cat and rain: 2 of 12 cat taken for rain, 0 of 7 rain taken for cat",
    ]
    assert most_confused(matrix, NAMES, most=1)[0].startswith("dog and cat")
    assert most_confused(np.eye(4, dtype=np.int64), NAMES) == []
    assert confusion_matrix(np.empty((0, 2), np.int64), 2).tolist() == [[0, 0], [0, 0]]
