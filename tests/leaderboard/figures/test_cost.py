from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from leaderboard.figures import cost
from leaderboard.figures.cost import CostPoint
from registry.targets.number import ERROR
from tests.leaderboard.figures.gallery import data_of

POINTS = [
    CostPoint("small", 0.5, 100, 90.0),
    CostPoint("worse", 0.45, 150, 80.0),
    CostPoint("equal", 0.5, 200, 100.0),
    CostPoint("large", 0.8, 10_000, 5.0),
    CostPoint("unknown", 0.9, None, None),
]


def test_every_known_point_is_drawn_and_those_on_the_front_are_filled() -> None:
    parameters, throughput = cost.draw(POINTS).axes
    step, front, others = parameters.lines
    assert data_of(front) == [(100, 0.5), (10_000, 0.8)]
    assert data_of(step) == [(100, 0.5), (10_000, 0.8)]
    assert data_of(others) == [(150, 0.45), (200, 0.5)]
    assert others.get_markerfacecolor() == "none"
    step, front, others = throughput.lines  # more is better here
    assert data_of(front) == [(5.0, 0.8), (100.0, 0.5)]
    assert step.get_drawstyle() == "steps-pre"
    assert {axes.get_xscale() for axes in (parameters, throughput)} == {"log"}


def names(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_of_more_than_twelve_points_the_front_alone_is_named() -> None:
    points = [CostPoint(f"e{i}", 0.5 - i / 100, 1000 + i, 10.0) for i in range(11)]
    best = CostPoint("best", 0.9, 2_000, 10.0)
    assert len(names(cost.draw([*points, best]))) == 12
    assert names(cost.draw([*points, best, CostPoint("worst", 0.1, 9_000, 1.0)])) == ["e0", "best"]


def test_names_in_a_crowd_neither_overlap_nor_leave_the_panel() -> None:
    figure = cost.draw([CostPoint(f"an-entry-{i}", 0.6 + i / 200, 1_000_000 + 5_000 * i, 50.0) for i in range(12)])
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    axes = figure.axes[0]
    boxes = [Text.get_window_extent(text, renderer) for text in axes.texts]
    assert not any(one.padded(-0.5).overlaps(other.padded(-0.5)) for one, other in combinations(boxes, 2))
    panel = axes.get_window_extent(renderer).padded(2)
    assert all(panel.contains(*box.min) and panel.contains(*box.max) for box in boxes)


def test_one_point_without_parameters_says_so() -> None:
    figure = cost.draw([CostPoint("a", 0.5, None, 10.0)])
    assert names(figure) == ["not known"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["a"]


def test_of_errors_the_front_is_the_lower_one() -> None:
    parameters, throughput = cost.draw(POINTS, metric=ERROR).axes
    assert data_of(parameters.lines[1]) == [(100, 0.5), (150, 0.45)]
    assert data_of(throughput.lines[1]) == [(80.0, 0.45), (100.0, 0.5)]
    assert parameters.get_ylabel() == "mean absolute error (units of the task's numbers)"
    assert "worse is best with 0.450; the smallest, small (100 parameters), has 0.500;" in cost.alt(POINTS[:4], ERROR)


def test_words_name_the_best_the_smallest_and_the_fastest() -> None:
    words = cost.alt(POINTS[:4])
    assert "large is best with 0.800" in words
    assert "small (100 parameters), has 0.500" in words
    assert "equal (100 clips/s), 0.500" in words
