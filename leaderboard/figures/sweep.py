"""How a swept entry's figures vary with its settings: one panel for each grid of settings."""

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

LOGARITHMIC = 20  # an axis is logarithmic if its largest value is more than so many times the smallest


@dataclass(frozen=True)
class Variation:
    """One variation of a swept entry, with its figure.

    Args:
        values: the varied settings by dotted path, as a suite writes them.
        mean: of the folds' figures.
        low, high: ends of the 95 % interval; None where there is none.
        published: the figure that a paper prints.
    """

    values: Mapping[str, Any]
    mean: float
    low: float | None
    high: float | None
    published: float | None = None


@dataclass(frozen=True)
class Sweep:
    """A swept entry. The variations of the same paths are a grid; an entry may have several grids."""

    entry: str
    variations: Sequence[Variation]


@dataclass(frozen=True)
class Panel:
    """The variations of a grid. A grid of more than two paths has a panel for each set of values of the further paths.

    Args:
        paths: the one or two paths that vary here.
        variations: of these paths.
        fixed: words for the values of the further paths.
    """

    paths: tuple[str, ...]
    variations: list[Variation]
    fixed: str = ""


@style
def draw(sweep: Sweep, title: str = "", metric: Metric = ACCURACY) -> Figure:
    """A panel with one path is a line, with two paths a table of cells. The better the figure, the lighter the cell."""
    shown = panels(sweep)
    names = short_names([path for variation in sweep.variations for path in variation.values])
    columns = 2 if len(shown) > 1 and all(len(panel.paths) == 1 for panel in shown) else 1
    rows = [shown[i : i + columns] for i in range(0, len(shown), columns)]
    heights = [max(map(_height, row)) for row in rows]
    figure = Figure((WIDTH, sum(heights) + 0.5), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights).ravel()
    for unused in grid[len(shown) :]:
        unused.remove()
    means = [variation.mean for variation in sweep.variations]
    measured = (
        "measured, 95 % interval" if any(variation.low is not None for variation in sweep.variations) else "measured"
    )
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
        handle_of: dict[str, Artist] = {}
        for axes in lined:
            axes.set_ylim(min(low), max(high))
            handles, words = axes.get_legend_handles_labels()
            handle_of.update(zip(words, handles, strict=True))
        labels = sorted(handle_of)
        handles = [handle_of[label] for label in labels]
        figure.legend(handles=handles, labels=labels, loc="outside lower center", ncols=2)


def panels(sweep: Sweep) -> list[Panel]:
    """The panels of a sweep, in the order of its grids; a grid of more than two paths has several."""
    names = short_names([path for variation in sweep.variations for path in variation.values])
    of_paths: dict[tuple[tuple[str, ...], str], Panel] = {}
    for variation in sweep.variations:
        paths = tuple(variation.values)
        fixed = ", ".join(f"{names[path]} {word(variation.values[path])}" for path in paths[2:])
        of_paths.setdefault((paths, fixed), Panel(paths[:2], [], fixed)).variations.append(variation)
    return list(of_paths.values())


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """For each path its last key; the whole path where another path ends in the same key."""
    last = {path: path.rpartition(".")[2] for path in paths}
    ends = list(last.values())
    return {path: path if key.isdecimal() or ends.count(key) > 1 else key for path, key in last.items()}


def values_of(variations: Sequence[Variation], path: str) -> list[Any]:
    """The values at a path, each once: numbers by size, other values in the order of the variations."""
    values = list({_key(variation.values[path]): variation.values[path] for variation in variations}.values())
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
    """Draws a line over the values, and published figures as hollow diamonds."""
    (path,) = panel.paths
    values = values_of(panel.variations, path)
    places = _places(axes, values)
    variation_at = {_key(variation.values[path]): variation for variation in panel.variations}
    variations = [variation_at[_key(value)] for value in values]
    means = [variation.mean for variation in variations]
    down = [np.nan if variation.low is None else variation.mean - variation.low for variation in variations]
    up = [np.nan if variation.high is None else variation.high - variation.mean for variation in variations]
    drawn = axes.errorbar(places, means, [down, up], color=BLUE, marker="o", markersize=4.5, elinewidth=1.4)
    drawn.set_label(label)
    beside = [(place, p.published) for place, p in zip(places, variations, strict=True) if p.published is not None]
    if beside:
        axes.plot(*zip(*beside, strict=True), "D:", color=VERMILLION, markerfacecolor="none", label="published")
    axes.grid(axis="y")


def _places(axes: Axes, values: Sequence[Any]) -> list[float]:
    """The places of the values on the axis: logarithmic where they span much, else side by side."""
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
    """Draws a cell for each pair of values, with its figure, and below it the published figure in brackets."""
    rows, columns = (values_of(panel.variations, path) for path in panel.paths)
    places = {(_key(row), _key(column)): (i, j) for i, row in enumerate(rows) for j, column in enumerate(columns)}
    mean_RC = np.full((len(rows), len(columns)), np.nan)
    for variation in panel.variations:
        i, j = places[_key(variation.values[panel.paths[0]]), _key(variation.values[panel.paths[1]])]
        mean_RC[i, j] = variation.mean
        words = metric.write(variation.mean)[0]
        words += f"\n({metric.write(variation.published)[0]})" if variation.published is not None else ""
        light = float(scale(variation.mean))
        colour = on_cividis(light if metric.higher_is_better else 1 - light)
        axes.text(j, i, words, ha="center", va="center", fontsize=SMALL, color=colour)
    colours = "cividis" if metric.higher_is_better else "cividis_r"
    axes.imshow(mean_RC, cmap=colours, norm=scale, interpolation="none", aspect="auto")
    axes.set_xticks(range(len(columns)), [wrapped(word(value), 14) for value in columns])
    axes.set_yticks(range(len(rows)), [wrapped(word(value), 24) for value in rows])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _height(panel: Panel) -> float:
    """The height of a panel in inches."""
    return 2.3 if len(panel.paths) == 1 else 1.1 + 0.42 * len(values_of(panel.variations, panel.paths[0]))


def alt(sweep: Sweep, metric: Metric = ACCURACY) -> str:
    """The figure in words: the best and the worst variation."""
    names = short_names([path for variation in sweep.variations for path in variation.values])
    best = max(sweep.variations, key=lambda variation: metric.sign * variation.mean)
    last = min(sweep.variations, key=lambda variation: metric.sign * variation.mean)

    def where(variation: Variation) -> str:
        return ", ".join(f"{names[path]} {word(value)}" for path, value in variation.values.items())

    return (
        f"How {metric.name} of {sweep.entry} varies with {', '.join(names.values())}: best with {where(best)},"
        f" {metric.write(best.mean)[0]}; worst with {where(last)}, {metric.write(last.mean)[0]}."
    )
