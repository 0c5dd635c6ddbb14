"""One figure of each kind, of made figures, for what holds of all of them."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from leaderboard.figures import confusion, cost, curves, embedding_map, intervals, loss, rank_difference, sweep


def data_of(line: Line2D) -> list[tuple[float, float]]:
    """The points that a line was drawn from."""
    return [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]


NAMES = ["moco", "a $b$ <c> & \"d\" id='e'", "simclr"]


def a_loss() -> Figure:
    return loss.draw({name: [(1, 3.0), (2, 2.5), (3, 2.0 + i)] for i, name in enumerate(NAMES)}, "Loss")


def a_curve(entry: str, end: float, control: bool = False) -> curves.Line:
    return curves.Line(entry, [1, 2, 3], [0.1, 0.2, end], [0.01, 0.02, 0.03], control)


def some_curves() -> Figure:
    own = [a_curve(name, 0.5 + i / 10, control=i == 0) for i, name in enumerate(NAMES)]
    return curves.draw(own, "Curves", published={"moco": 0.7}, mark=0.4)


def some_intervals() -> Figure:
    bars = [intervals.Bar(name, 0.5 + i / 10, 0.45, 0.75, 0.6, "1-2", i == 0) for i, name in enumerate(NAMES)]
    return intervals.draw(bars, "Intervals")


def a_cost() -> Figure:
    return cost.draw(
        [cost.CostPoint(name, 0.5 + i / 10, 10 ** (5 + i), 50.0 / (i + 1)) for i, name in enumerate(NAMES)]
    )


def a_confusion() -> Figure:
    return confusion.draw(confusion.Confusion(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]), NAMES), "Confusion")


def an_embedding() -> Figure:
    points = np.random.default_rng(0).normal(size=(30, 2))
    labels = np.arange(30) % 3
    return embedding_map.draw(points, labels.tolist(), labels[::-1].tolist(), NAMES)


def a_sweep() -> Figure:
    lines = [sweep.Variation({"crop": crop}, 0.3 + crop / 100, 0.25, 0.45, 0.31) for crop in (1, 2, 4)]
    cells = [
        sweep.Variation({"a.x": a, "a.y": [a, b]}, 0.3, None, None, 0.31) for a in ("p", "q") for b in (True, None)
    ]
    return sweep.draw(sweep.Sweep("moco", [*lines, *cells]))


def some_ranks() -> Figure:
    return rank_difference.draw(rank_difference.MeanRanks(NAMES, [1.5, 1.75, 2.75], 1.0))


DRAWN: list[Callable[[], Figure]] = [
    a_loss,
    some_curves,
    some_intervals,
    a_cost,
    a_confusion,
    an_embedding,
    a_sweep,
    some_ranks,
]
