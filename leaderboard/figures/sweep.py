"""What a swept entry's figures do as its settings vary: one panel for each of its grids."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from leaderboard.figures import BLUE, SMALL, VERMILLION, WIDTH, style, wrapped
from leaderboard.figures.confusion import on_cividis
from registry.metrics import Metric
from registry.targets.one_label import ACCURACY

LOGARITHMIC = 20  # times the smallest value, which the largest must exceed


@dataclass(frozen=True)
class Point:
    """One variation.

    Args:
        values: at each dotted path that it varies, as a suite writes them.
        mean: of the folds' figures.
        low, high: of the 95 % interval; None where there is none.
        published: the figure that a paper prints.
    """

    values: Mapping[str, Any]
    mean: float
    low: float | None
    high: float | None
    published: float | None = None


@dataclass(frozen=True)
class Sweep:
    """A swept entry. Points that vary the same paths are a grid; it may have several."""

    entry: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Panel:
    """The points of a grid, or where it varies more than two paths those with the same values at the others.

    Args:
        paths: one or two that vary here.
        fixed: words for the values of the others.
    """

    paths: tuple[str, ...]
    points: list[Point]
    fixed: str = ""


@style
def draw(sweep: Sweep, title: str = "", metric: Metric = ACCURACY) -> Figure:
    """Lines over one path, cells over two; cells for each value of the others where a grid varies more.

    The better the figure, the lighter the cell.
    """
    shown = panels(sweep)
    names = short_names([path for point in sweep.points for path in point.values])
    columns = 2 if len(shown) > 1 and all(len(panel.paths) == 1 for panel in shown) else 1
    rows = [shown[i : i + columns] for i in range(0, len(shown), columns)]
    heights = [max(map(_height, row)) for row in rows]
    figure = Figure((WIDTH, sum(heights) + 0.5), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights).ravel()
    for unused in grid[len(shown) :]:
        unused.remove()
    means = [point.mean for point in sweep.points]
    measured = "measured, 95 % interval" if any(point.low is not None for point in sweep.points) else "measured"
    lined = []
    for axes, panel in zip(grid, shown, strict=False):
        axes.set_title(panel.fixed, fontsize=SMALL)
        axes.set_xlabel(names[panel.paths[-1]])
        if len(panel.paths) == 1:
            _line(axes, panel, measured)
            axes.set_ylabel(metric.axis)
            lined.append(axes)
        else:
            _cells(axes, panel, Normalize(min(means), max(means)), metric)
            axes.set_ylabel(names[panel.paths[0]])
    _finish(figure, lined)
    figure.suptitle(title or f"{sweep.entry}: {metric.name}", fontsize=10)
    return figure


def _finish(figure: Figure, lined: Sequence[Axes]) -> None:
    """One scale and one legend for all panels with lines."""
    if lined:
        low, high = zip(*(axes.get_ylim() for axes in lined), strict=True)
        found: dict[str, Artist] = {}
        for axes in lined:
            axes.set_ylim(min(low), max(high))
            handles, words = axes.get_legend_handles_labels()
            found.update(zip(words, handles, strict=True))
        figure.legend(
            handles=[found[words] for words in sorted(found)], labels=sorted(found), loc="outside lower center", ncols=2
        )


def panels(sweep: Sweep) -> list[Panel]:
    """The grids of a sweep in the order given, those of more than two paths cut into panels."""
    names = short_names([path for point in sweep.points for path in point.values])
    found: dict[tuple[tuple[str, ...], str], Panel] = {}
    for point in sweep.points:
        paths = tuple(point.values)
        fixed = ", ".join(f"{names[path]} {word(point.values[path])}" for path in paths[2:])
        found.setdefault((paths, fixed), Panel(paths[:2], [], fixed)).points.append(point)
    return list(found.values())


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """For each path its last key, or all of it where another path ends alike."""
    last = {path: path.rpartition(".")[2] for path in paths}
    ends = list(last.values())
    return {path: path if key.isdecimal() or ends.count(key) > 1 else key for path, key in last.items()}


def values_of(points: Sequence[Point], path: str) -> list[Any]:
    """The values at a path, each once: numbers by size, others in the order given."""
    values = list({_key(point.values[path]): point.values[path] for point in points}.values())
    return sorted(values) if all(map(_is_number, values)) else values


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def word(value: Any) -> str:
    """A value in words: ``[mix, {name: frequency-shift, bins: 10}]`` is mix + frequency-shift (bins 10)."""
    if isinstance(value, Mapping):
        rest = ", ".join(f"{key} {word(inner)}" for key, inner in value.items() if key != "name")
        return f"{value['name']} ({rest})" if "name" in value and rest else str(value.get("name", rest))
    if isinstance(value, list):
        return " + ".join(map(word, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def _line(axes: Axes, panel: Panel, label: str) -> None:
    """A line over the values, and published figures as hollow diamonds beside it."""
    (path,) = panel.paths
    values = values_of(panel.points, path)
    places = _places(axes, values)
    point_at = {_key(point.values[path]): point for point in panel.points}
    points = [point_at[_key(value)] for value in values]
    means = [point.mean for point in points]
    down = [np.nan if point.low is None else point.mean - point.low for point in points]
    up = [np.nan if point.high is None else point.high - point.mean for point in points]
    drawn = axes.errorbar(places, means, [down, up], color=BLUE, marker="o", markersize=4.5, elinewidth=1.4)
    drawn.set_label(label)
    beside = [(place, p.published) for place, p in zip(places, points, strict=True) if p.published is not None]
    if beside:
        axes.plot(*zip(*beside, strict=True), "D:", color=VERMILLION, markerfacecolor="none", label="published")
    axes.grid(axis="y")


def _places(axes: Axes, values: Sequence[Any]) -> list[float]:
    """Where the values stand: on a logarithmic scale where they span much, else side by side."""
    numbers = all(map(_is_number, values))
    if numbers and values[0] > 0 and values[-1] > LOGARITHMIC * values[0]:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        places = [float(value) for value in values]
    else:
        places = [float(place) for place in range(len(values))]
        axes.set_xlim(-0.5, len(values) - 0.5)
    words = [wrapped(word(value), 16) for value in values]
    axes.set_xticks(places, words)
    if sum(max(map(len, lines.split("\n"))) for lines in words) > 40:
        axes.tick_params(axis="x", labelrotation=40)
    return places


def _cells(axes: Axes, panel: Panel, scale: Normalize, metric: Metric) -> None:
    """A cell for each pair of values, with its figure and below it the published one in brackets."""
    rows, columns = (values_of(panel.points, path) for path in panel.paths)
    places = {(_key(row), _key(column)): (i, j) for i, row in enumerate(rows) for j, column in enumerate(columns)}
    mean_RC = np.full((len(rows), len(columns)), np.nan)
    for point in panel.points:
        i, j = places[_key(point.values[panel.paths[0]]), _key(point.values[panel.paths[1]])]
        mean_RC[i, j] = point.mean
        words = metric.write(point.mean)[0]
        words += f"\n({metric.write(point.published)[0]})" if point.published is not None else ""
        light = float(scale(point.mean))
        colour = on_cividis(light if metric.higher_is_better else 1 - light)
        axes.text(j, i, words, ha="center", va="center", fontsize=SMALL, color=colour)
    colours = "cividis" if metric.higher_is_better else "cividis_r"
    axes.imshow(mean_RC, cmap=colours, norm=scale, interpolation="none", aspect="auto")
    axes.set_xticks(range(len(columns)), [wrapped(word(value), 14) for value in columns])
    axes.set_yticks(range(len(rows)), [wrapped(word(value), 24) for value in rows])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _height(panel: Panel) -> float:
    """Of a panel, in inches."""
    return 2.3 if len(panel.paths) == 1 else 1.1 + 0.42 * len(values_of(panel.points, panel.paths[0]))


def alt(sweep: Sweep, metric: Metric = ACCURACY) -> str:
    """The figure in words: where it is best and where it is worst."""
    names = short_names([path for point in sweep.points for path in point.values])
    best = max(sweep.points, key=lambda point: metric.sign * point.mean)
    last = min(sweep.points, key=lambda point: metric.sign * point.mean)

    def where(point: Point) -> str:
        return ", ".join(f"{names[path]} {word(value)}" for path, value in point.values.items())

    return (
        f"How {metric.name} of {sweep.entry} varies with {', '.join(names.values())}: best with {where(best)},"
        f" {metric.write(best.mean)[0]}; worst with {where(last)}, {metric.write(last.mean)[0]}."
    )
