from pathlib import Path

import numpy as np
import pytest
import yaml

from leaderboard.figures import sweep
from leaderboard.figures.sweep import Sweep, Variation, panels, short_names, values_of, word
from registry.targets.number import ERROR
from registry.targets.several_labels import MAP
from tests.leaderboard.figures.gallery import data_of

SUITES = Path(__file__).parents[3] / "suites"


def along(path: str, values: list[object], means: list[float]) -> list[Variation]:
    return [Variation({path: value}, mean, mean - 0.1, mean + 0.2) for value, mean in zip(values, means, strict=True)]


def test_a_line_goes_over_the_values_by_size_with_intervals_and_published_figures() -> None:
    points = [
        Variation({"crop": 3}, 0.5, 0.4, 0.7, 0.55),
        Variation({"crop": 1}, 0.3, 0.2, 0.5, 0.25),
        Variation({"crop": 2}, 0.4, 0.3, 0.6),
    ]
    axes = sweep.draw(Sweep("moco", points)).axes[0]
    measured, published = axes.lines[0], axes.lines[-1]
    assert [y for _, y in data_of(measured)] == [0.3, 0.4, 0.5]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "3"]
    ends = [np.asarray(path.vertices)[:, 1].tolist() for path in axes.collections[0].get_paths()]
    np.testing.assert_allclose(ends, [[0.2, 0.5], [0.3, 0.6], [0.4, 0.7]])
    assert data_of(published) == [(0, 0.25), (2, 0.55)]
    assert (published.get_marker(), published.get_linestyle()) == ("D", ":")


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1, 16, 65536], "log"),
        ([1, 20], "linear"),
        ([0, 100], "linear"),
        (["a", "b"], "linear"),
        ([True, 50], "linear"),
    ],
)
def test_numbers_that_span_more_than_twentyfold_have_a_logarithmic_scale(values: list[object], scale: str) -> None:
    axes = sweep.draw(Sweep("moco", along("x", values, [0.5] * len(values)))).axes[0]
    assert axes.get_xscale() == scale
    at = values if scale == "log" else list(range(len(values)))
    assert [x for x, _ in data_of(axes.lines[0])] == at


def test_a_grid_has_each_figure_in_its_cell_and_the_published_one_below() -> None:
    points = [Variation({"wave": w, "mel": m}, 0.1 * w + 0.01 * m, None, None, 0.5 if w == m else None) for w in (1, 2)
              for m in (1, 2, 3)]  # fmt: skip
    axes = sweep.draw(Sweep("moco", points)).axes[0]
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), [[0.11, 0.12, 0.13], [0.21, 0.22, 0.23]])
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written[0, 0] == "0.110\n(0.500)"
    assert written[2, 1] == "0.230"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("mel", "wave")


def test_a_cell_that_is_not_measured_stays_empty() -> None:
    points = [Variation({"a": a, "b": b}, 0.3, None, None) for a, b in ((1, 1), (1, 2), (2, 1))]
    axes = sweep.draw(Sweep("moco", points)).axes[0]
    assert np.ma.getmaskarray(np.ma.asarray(axes.images[0].get_array())).tolist() == [[False, False], [False, True]]
    assert len(axes.texts) == 3


def test_more_than_two_paths_have_a_panel_for_each_value_of_the_others() -> None:
    points = [Variation({"a": a, "b": b, "m": m}, 0.3, None, None) for a in (1, 2) for b in (1, 2) for m in ("p", "q")]
    found = panels(Sweep("moco", points))
    assert [(panel.paths, panel.fixed, len(panel.variations)) for panel in found] == [
        (("a", "b"), "m p", 4),
        (("a", "b"), "m q", 4),
    ]


def test_table_1_of_wang_2021_has_a_panel_for_each_of_its_grids() -> None:
    grids = yaml.safe_load((SUITES / "wang2021/table-1.yaml").read_text())["sweep"]["multiformat"]
    points = [
        point for grid in grids for path, values in grid.items() for point in along(path, values, [0.3] * len(values))
    ]
    figure = sweep.draw(Sweep("multiformat", points), metric=MAP)
    assert [axes.get_xlabel() for axes in figure.axes] == ["crop", "bins", "temperature", "dim"]
    for axes, grid in zip(figure.axes, grids, strict=True):
        (values,) = grid.values()
        assert [text.get_text() for text in axes.get_xticklabels()] == [str(value) for value in values]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1


def test_figure_3_of_wang_2021_is_a_grid_of_augmentations_in_words() -> None:
    grid = yaml.safe_load((SUITES / "wang2021/figure-3.yaml").read_text())["sweep"]["multiformat"]
    (first, rows), (second, columns) = grid.items()
    points = [Variation({first: row, second: column}, 0.3, None, None) for row in rows for column in columns]
    axes = sweep.draw(Sweep("multiformat", points)).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["none", "mix"]
    assert len(axes.texts) == len(rows) * len(columns)
    assert word(columns[-1]) == "mix + frequency-shift (bins 10)"


def test_values_are_told_apart_by_what_they_are() -> None:
    values: list[object] = [1, True, "1", [1], {"a": 1}, None]
    points = [Variation({"x": value}, 0.3, None, None) for value in [*values, {"a": 1}]]
    assert values_of(points, "x") == values
    assert list(map(word, [True, None, 0.05, [], {"a": 1}])) == ["true", "none", "0.05", "none", "a 1"]


def test_a_paths_last_key_names_it_unless_it_says_too_little() -> None:
    assert short_names(["a.b", "c.d"]) == {"a.b": "b", "c.d": "d"}
    assert short_names(["a.b", "c.b", "l.0"]) == {"a.b": "a.b", "c.b": "c.b", "l.0": "l.0"}


def test_of_errors_the_lowest_cell_is_the_lightest() -> None:
    points = [Variation({"a": i, "b": j}, 1.0 + i + j, None, None) for i in (0, 1) for j in (0, 1)]
    for metric, best, ink in ((MAP, (1, 1), "#111111"), (ERROR, (0, 0), "#111111")):
        axes = sweep.draw(Sweep("moco", points), metric=metric).axes[0]
        image = axes.images[0]
        colours_RC4 = np.asarray(image.to_rgba(np.asarray(image.get_array())))
        assert np.unravel_index(colours_RC4[:, :, :3].sum(2).argmax(), (2, 2)) == best
        written = {text.get_position(): text.get_color() for text in axes.texts}
        assert written[best[::-1]] == ink
        assert written[1 - best[1], 1 - best[0]] == "#ffffff"
    words = sweep.alt(Sweep("moco", along("weights.dim", [128, 256], [3.0, 4.0])), ERROR)
    assert "best with dim 128, 3.00; worst with dim 256, 4.00." in words


def test_words_give_where_the_figure_is_best_and_worst() -> None:
    words = sweep.alt(Sweep("moco", along("weights.dim", [128, 256], [0.3, 0.4])), MAP)
    assert "best with dim 256, 0.400" in words
    assert "worst with dim 128, 0.300" in words
