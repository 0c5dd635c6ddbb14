import numpy as np
from matplotlib.figure import Figure

from leaderboard.figures import INK, curves
from registry.targets.number import ERROR
from tests.leaderboard.figures.gallery import a_curve, data_of


def words_of(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_lines_are_the_means_and_bands_one_deviation_about_them() -> None:
    curve = curves.Line("moco", [1, 2, 3], [0.2, 0.4, 0.5], [0.1, 0.1, 0.2])
    axes = curves.draw([curve]).axes[0]
    assert data_of(axes.lines[0]) == [(1, 0.2), (2, 0.4), (3, 0.5)]
    band_C2 = np.asarray(axes.collections[0].get_paths()[0].vertices)
    corners = {(round(float(x), 9), round(float(y), 9)) for x, y in band_C2}
    assert corners >= {(1, 0.1), (2, 0.3), (3, 0.3), (1, 0.3), (2, 0.5), (3, 0.7)}


def test_one_fold_has_no_band() -> None:
    assert not curves.draw([curves.Line("moco", [1], [0.2], None)]).axes[0].collections


def test_of_many_entries_the_best_six_at_the_end_and_the_control_are_coloured() -> None:
    many = [a_curve(f"entry{i}", i / 100) for i in range(28)]
    many.insert(3, a_curve("random", 0.001, control=True))
    figure = curves.draw(many)
    lines = figure.axes[0].lines
    assert len(lines) == 29
    faint = [line for line in lines if line.get_alpha() is not None]
    assert len(faint) == 22
    assert all(line.get_color() == INK and line.get_linewidth() < 1 for line in faint)
    named = [words.split()[0] for words in words_of(figure)]
    assert named == ["entry27", "entry26", "entry25", "entry24", "entry23", "entry22", "random", "22"]
    assert words_of(figure)[-1] == "22 others"


def test_seven_entries_are_all_coloured_and_listed_from_the_best() -> None:
    figure = curves.draw([a_curve(f"entry{i}", i / 10) for i in range(7)])
    assert len({line.get_color() for line in figure.axes[0].lines}) == 7
    assert [words.split()[0] for words in words_of(figure)] == [f"entry{i}" for i in reversed(range(7))]


def test_published_figures_and_the_mark_are_level_lines_with_their_values() -> None:
    figure = curves.draw([a_curve("moco", 0.5)], published={"moco": 0.73, "npid": 0.65}, mark=0.45)
    assert [{y for _, y in data_of(line)} for line in figure.axes[0].lines[1:]] == [{0.73}, {0.65}, {0.45}]
    assert any("moco, published" in words and "0.730" in words for words in words_of(figure))
    assert any("90 %" in words and "0.450" in words for words in words_of(figure))


def test_of_errors_those_that_end_lowest_are_coloured_and_come_first() -> None:
    many = [a_curve(f"entry{i}", i + 1.0) for i in range(9)]
    figure = curves.draw(many, metric=ERROR, mark=4.5)
    named = [words.split()[0] for words in words_of(figure)]
    assert named[:6] == [f"entry{i}" for i in range(6)]
    assert words_of(figure)[-1] == "the best from scratch,\ndivided by 0.9  4.50"
    assert figure.axes[0].get_ylabel() == "mean absolute error (mean of folds ± 1 sd)"
    assert "entry0 ends best, at 1.00" in curves.alt(many, ERROR)


def test_words_name_the_best_and_the_control() -> None:
    words = curves.alt([a_curve("moco", 0.512), a_curve("random", 0.3, control=True)])
    assert "moco ends best, at 0.512" in words
    assert "control random at 0.300" in words
