import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from leaderboard.figures import confusion
from leaderboard.figures.confusion import Confusion, on_cividis

COUNTS = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])


def test_cells_are_coloured_by_the_share_of_their_row_as_scikit_learn_has_it() -> None:
    true = np.repeat([0, 0, 1, 1], [6, 2, 1, 3])
    predicted = np.repeat([0, 1, 0, 1], [6, 2, 1, 3])
    axes = confusion.draw(Confusion(COUNTS, ["dog", "cat", "none"])).axes[0]
    expected = confusion_matrix(true, predicted, labels=[0, 1, 2], normalize="true")
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), expected)
    assert axes.images[0].get_clim() == (0, 1)


def test_few_classes_have_their_counts_in_the_cells() -> None:
    axes = confusion.draw(Confusion(COUNTS, ["dog", "cat", "none"])).axes[0]
    written = {(text.get_position(), text.get_text()) for text in axes.texts}
    assert written == {((0, 0), "6"), ((1, 0), "2"), ((0, 1), "1"), ((1, 1), "3")}


def test_fifty_classes_are_all_named_in_a_legible_size_without_counts() -> None:
    names = [f"a_long_class_{i}" for i in range(50)]
    axes = confusion.draw(Confusion(np.eye(50, dtype=int), names)).axes[0]
    assert not axes.texts
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == names
        assert all(label.get_fontsize() >= 7 for label in labels)


def test_one_class_is_drawn() -> None:
    assert confusion.draw(Confusion(np.array([[3]]), ["dog"])).axes[0].texts[0].get_text() == "3"


@pytest.mark.parametrize("value", np.linspace(0, 1, 21))
def test_counts_stand_out_from_their_cell(value: float) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    from tests.leaderboard.figures.test_figures import contrast

    assert contrast(on_cividis(value), to_hex(colormaps["cividis"](value))) > 4


def test_words_give_the_share_that_is_right_and_the_worst_confusion() -> None:
    words = confusion.alt(Confusion(COUNTS, ["dog", "cat", "none"]))
    assert "9 of 12" in words
    assert "dog is taken for cat, 2 times" in words
    assert "Most often" not in confusion.alt(Confusion(np.array([[3]]), ["dog"]))
