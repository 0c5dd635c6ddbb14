"""The leaderboard as a dot plot: every entry's figure with its 95 % interval, and the published figure beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leaderboard.figures import BLUE, FAINT, INK, SMALL, VERMILLION, WIDTH, counted, style, wrapped
from registry.metrics import Metric
from registry.targets.one_label import ACCURACY

ROW = 0.2  # inches


@dataclass(frozen=True)
class Bar:
    """One entry.

    Args:
        mean: of the folds' figures.
        low, high: ends of the 95 % interval; None where there is none.
        published: the figure that a paper prints.
        rank: the ranks that are possible within noise: ``1-2``; may be empty.
        control: whether the entry is the control.
    """

    entry: str
    mean: float
    low: float | None
    high: float | None
    published: float | None = None
    rank: str = ""
    control: bool = False


@style
def draw(bars: Sequence[Bar], title: str = "", metric: Metric = ACCURACY) -> Figure:
    """One row for each entry, the best on top; a line through the panel at the control's figure."""
    rows = _sorted(bars, metric)
    names = [wrapped(bar.entry, 40) for bar in rows]
    figure = Figure((WIDTH, 1.0 + ROW * sum(0.3 + 0.7 * len(name.split("\n")) for name in names)), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    for place, bar in zip(places, rows, strict=True):
        colour = INK if bar.control else BLUE
        if bar.low is not None and bar.high is not None:
            axes.plot([bar.low, bar.high], [place, place], color=colour, linewidth=1.6, solid_capstyle="round")
        axes.plot([bar.mean], [place], color=colour, marker="s" if bar.control else "o", markersize=5.5)
        axes.text(1.01, place, bar.rank, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL)
        if bar.control:
            axes.axvline(bar.mean, color=INK, alpha=FAINT, linewidth=1, zorder=0.5)
    _published(axes, rows)
    axes.set_yticks(places, names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set(xlabel=_label(bars, metric), title=title)
    axes.tick_params(axis="y", length=0)
    axes.grid()
    if any(bar.rank for bar in bars):
        axes.text(1.01, 1, "rank", transform=axes.transAxes, va="bottom", fontsize=SMALL)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower right")
    return figure


def _published(axes: Axes, rows: Sequence[Bar]) -> None:
    """Draws published figures as hollow diamonds, all in one line without a stroke."""
    points = [(bar.published, place) for place, bar in enumerate(rows) if bar.published is not None]
    if points:
        x, y = zip(*points, strict=True)
        axes.plot(
            x, y, "D", markersize=6, markerfacecolor="none", markeredgecolor=VERMILLION, zorder=3, label="published"
        )


def _sorted(bars: Sequence[Bar], metric: Metric) -> list[Bar]:
    """The bars, the best first."""
    return sorted(bars, key=lambda bar: metric.sign * bar.mean, reverse=True)


def _label(bars: Sequence[Bar], metric: Metric) -> str:
    drawn = ["95 % interval"] if any(bar.low is not None for bar in bars) else []
    unit = ", ".join([*([metric.unit] if metric.unit else []), *drawn])
    control = next((f"line: control, {bar.entry}" for bar in bars if bar.control), "")
    inside = "; ".join(filter(None, (unit, control)))
    return f"{metric.name} ({inside})" if inside else metric.name


def alt(bars: Sequence[Bar], metric: Metric = ACCURACY) -> str:
    """The figure in words: the best, the last and the control."""
    rows = _sorted(bars, metric)
    best, last = rows[0], rows[-1]
    words = f"Dot plot of {metric.name}, {counted(len(rows), 'entry', 'entries')}. "
    if best.low is not None and best.high is not None:
        mean, low, high = metric.write(best.mean, best.low, best.high)
        words += f"{best.entry} is best with {mean} (95 % interval {low} to {high})"
    else:
        words += f"{best.entry} is best with {metric.write(best.mean)[0]}"
    words += f", {last.entry} last with {metric.write(last.mean)[0]}" if len(rows) > 1 else ""
    control = next((bar for bar in rows if bar.control and bar not in (best, last)), None)
    return words + (f"; the control {control.entry} has {metric.write(control.mean)[0]}." if control else ".")
