from leaderboard.figures import INK, intervals
from leaderboard.figures.intervals import Bar
from registry.targets.number import ERROR
from registry.targets.several_labels import MAP
from tests.leaderboard.figures.gallery import data_of

BARS = [
    Bar("low", 0.4, 0.35, 0.45, None, "3"),
    Bar("high", 0.8, 0.75, 0.85, 0.9, "1-2"),
    Bar("random", 0.6, 0.5, 0.65, 0.7, "1-2", control=True),
]


def test_rows_are_sorted_with_their_intervals_means_and_ranks() -> None:
    axes = intervals.draw(BARS).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["high", "random", "low"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the best is on top"
    data = [data_of(line) for line in axes.lines]
    for place, bar in enumerate((BARS[1], BARS[2], BARS[0])):
        assert [(bar.low, place), (bar.high, place)] in data
        assert [(bar.mean, place)] in data
    assert [(0.6, 0), (0.6, 1)] in data, "a line where the control is"
    ranks = [text.get_text() for text in axes.texts]
    assert ranks == ["1-2", "1-2", "3", "rank"]


def test_published_figures_are_hollow_diamonds_in_their_rows() -> None:
    axes = intervals.draw(BARS).axes[0]
    (line,) = [line for line in axes.lines if line.get_label() == "published"]
    assert line.get_marker() == "D"
    assert line.get_markerfacecolor() == "none"
    assert data_of(line) == [(0.9, 0), (0.7, 1)]


def test_without_intervals_and_published_figures_there_are_dots_alone() -> None:
    figure = intervals.draw([Bar("a", 0.3, None, None), Bar("b", 0.2, None, None)], metric=MAP)
    assert [data_of(line) for line in figure.axes[0].lines] == [[(0.3, 0)], [(0.2, 1)]]
    assert not figure.legends
    assert figure.axes[0].get_xlabel() == "mAP (fraction)"


def test_one_and_fifty_entries_have_a_row_of_the_same_height() -> None:
    bars = [Bar(f"entry {i}", i / 100, None, None, control=i == 7) for i in range(50)]
    heights = [intervals.draw(bars[:n]).get_figheight() for n in (1, 2, 50)]
    assert round(heights[2] - heights[0], 6) == round(49 * (heights[1] - heights[0]), 6)
    assert sum(line.get_color() == INK for line in intervals.draw(bars).axes[0].lines) == 2  # its dot and its line


def test_words_give_the_best_with_its_interval_and_the_control() -> None:
    words = intervals.alt(BARS)
    assert "high is best with 0.800 (95 % interval 0.750 to 0.850)" in words
    assert "low last with 0.400" in words
    assert "control random has 0.600" in words
    assert "interval" not in intervals.alt([Bar("a", 0.3, None, None)], MAP)


def test_of_errors_the_lowest_is_on_top_and_the_axis_names_their_unit() -> None:
    bars = [Bar("worse", 40.0, 35.25, 45.0), Bar("better", 8.5, 7.25, 9.0)]
    axes = intervals.draw(bars, metric=ERROR).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["better", "worse"]
    assert axes.get_xlabel() == "mean absolute error (units of the task's numbers, 95 % interval)"
    words = intervals.alt(bars, ERROR)
    assert "better is best with 8.50 (95 % interval 7.25 to 9.00), worse last with 40.0." in words
