import numpy as np
import pytest
from matplotlib.text import Annotation
from numpy.typing import NDArray

from leaderboard.figures import embedding_map
from tests.leaderboard.figures.gallery import data_of


def two_crowds(n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    return rng.normal(size=(n, 8)) + 20 * labels[:, None], labels


def test_crowds_apart_stay_apart_and_the_same_seed_gives_the_same_points() -> None:
    embedding_ND, labels = two_crowds(60)
    points_N2, chosen = embedding_map.project(embedding_ND, seed=1)
    assert chosen.tolist() == list(range(60))
    distance_NN = np.linalg.norm(points_N2[:, None] - points_N2[None], axis=-1) + 1e9 * np.eye(60)
    assert (labels[distance_NN.argmin(1)] == labels).all()
    np.testing.assert_array_equal(embedding_map.project(embedding_ND, seed=1)[0], points_N2)


def test_of_many_clips_an_evenly_spaced_choice_is_laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_map, "MOST", 20)
    points_N2, chosen = embedding_map.project(two_crowds(39)[0], seed=0)
    assert points_N2.shape == (20, 2)
    assert chosen.tolist() == list(range(0, 39, 2))


@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_few_clips_and_constant_embeddings_have_finite_points(n: int) -> None:
    for embedding_ND in (np.ones((n, 4)), np.random.default_rng(0).normal(size=(n, 4))):
        points_N2, chosen = embedding_map.project(embedding_ND, seed=0)
        assert points_N2.shape == (n, 2)
        assert len(chosen) == n
        assert np.isfinite(points_N2).all()


def test_panels_show_the_points_of_each_true_and_each_predicted_class() -> None:
    points_N2 = np.arange(12.0).reshape(6, 2)
    labels, predicted = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 1, 1, 1])
    figure = embedding_map.draw(points_N2, labels.tolist(), predicted.tolist(), ["dog", "cat", "cow"])
    for axes, own in zip(figure.axes, (labels, predicted), strict=True):
        drawn = {line.get_label(): np.array(data_of(line)) for line in axes.lines}
        assert len(drawn) == len(set(own))
        for k, name in enumerate(["dog", "cat", "cow"]):
            np.testing.assert_array_equal(drawn.get(name, np.empty((0, 2))), points_N2[own == k])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dog", "cat", "cow"]


@pytest.mark.parametrize("classes", [1, 10, 50])
def test_no_two_classes_look_alike(classes: int) -> None:
    labels = list(range(classes)) * 2
    points_N2 = np.random.default_rng(0).normal(size=(len(labels), 2))
    figure = embedding_map.draw(points_N2, labels, labels, [f"c{k}" for k in range(classes)])
    assert len({(line.get_color(), line.get_marker()) for line in figure.axes[0].lines}) == classes
    if classes <= 10:
        assert len({line.get_marker() for line in figure.axes[0].lines}) == classes


def test_many_classes_are_named_where_they_lie() -> None:
    names = [f"c{k}" for k in range(11)]
    points_N2 = np.stack([np.repeat(np.arange(11.0), 3), np.tile([0.0, 1.0, 5.0], 11)], 1)
    labels = np.repeat(np.arange(11), 3).tolist()
    figure = embedding_map.draw(points_N2, labels, labels, names)
    assert not figure.legends
    for axes in figure.axes:
        names_at = {text.get_text(): text.xy for text in axes.texts if isinstance(text, Annotation)}
        assert names_at == {f"c{k}": (k, 1.0) for k in range(11)}


def test_words_give_the_predictions_that_are_right() -> None:
    words = embedding_map.alt([0, 0, 1, 1], [0, 1, 1, 1], ["dog", "cat"])
    assert "4 clips of 2 classes" in words
    assert "(0.750)" in words
