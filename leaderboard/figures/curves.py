"""Figures by epoch: the mean over folds of each entry, and a band of one standard deviation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from leaderboard.figures import FAINT, INK, WIDTH, Look, counted, looks, style, wrapped
from registry.metrics import Metric
from registry.targets.one_label import ACCURACY

COLOURED = 6  # entries beside the control


@dataclass(frozen=True)
class Line:
    """An entry's figure by epoch, drawn as a line.

    Args:
        epochs: counted from 1.
        mean: over folds, after each of these epochs.
        deviation: standard deviation over folds; None with one fold.
        control: whether the entry is the control.
    """

    entry: str
    epochs: Sequence[int]
    mean: Sequence[float]
    deviation: Sequence[float] | None
    control: bool = False


@style
def draw(
    curves: Sequence[Line],
    title: str = "",
    metric: Metric = ACCURACY,
    published: Mapping[str, float] | None = None,
    mark: float | None = None,
) -> Figure:
    """Up to seven entries in colours. Of more, the six best at the end and the control; the others are thin and grey.

    Args:
        curves: at least one.
        title: above the panel; may be empty.
        metric: of the figures.
        published: final figures by entry, drawn as dotted lines.
        mark: of convergence: 90 % of the best of training from scratch; where lower is better, the best divided by 0.9.
    """
    figure = Figure((WIDTH, 3.8), layout="constrained")
    axes = figure.subplots()
    control = _control(curves)
    shown = _shown(curves, control, metric)
    look = looks([curve.entry for curve in shown], control)
    others = [curve for curve in curves if curve.entry not in look]
    for curve in others:
        axes.plot(curve.epochs, curve.mean, color=INK, alpha=FAINT, linewidth=0.6, label=curve.entry)
    lines = [(_end(curve), _line(axes, curve, look[curve.entry], metric, first=i)) for i, curve in enumerate(shown)]
    axes.set(xlabel="epoch", ylabel=f"{metric.name} (mean of folds ± 1 sd)", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.margins(x=0.02)
    axes.grid(axis="y")
    handles = [line for _, line in sorted(lines, key=lambda pair: -metric.sign * pair[0])]
    if others:
        handles.append(
            Line2D([], [], color=INK, alpha=FAINT, linewidth=0.6, label=counted(len(others), "other", "others"))
        )
    handles += _levels(axes, published or {}, mark, look, metric)
    figure.legend(handles=handles, loc="outside right upper", handlelength=3.5, labelspacing=0.6)
    return figure


def _shown(curves: Sequence[Line], control: str | None, metric: Metric) -> list[Line]:
    """The curves in colours; their order stays."""
    if len(curves) <= COLOURED + 1:
        return list(curves)
    others = (curve for curve in curves if curve.entry != control)
    best = sorted(others, key=lambda curve: metric.sign * _end(curve), reverse=True)[:COLOURED]
    return [curve for curve in curves if curve.entry == control or curve in best]


def _end(curve: Line) -> float:
    return curve.mean[-1]


def _control(curves: Sequence[Line]) -> str | None:
    return next((curve.entry for curve in curves if curve.control), None)


def _line(axes: Axes, curve: Line, look: Look, metric: Metric, first: int) -> Line2D:
    # Markers of different curves stand on different epochs, or they would hide each other.
    every = max(1, len(curve.epochs) // 5)
    name = f"{curve.entry}{' (control)' if curve.control else ''}"
    (line,) = axes.plot(
        curve.epochs,
        curve.mean,
        color=look.colour,
        linestyle=look.dash,
        linewidth=1.6,
        marker=look.marker,
        markersize=4.5,
        markevery=(first % every, every),
        label=f"{wrapped(name, 22)}  {metric.write(_end(curve))[0]}",
    )
    if curve.deviation is not None:
        low = [mean - deviation for mean, deviation in zip(curve.mean, curve.deviation, strict=True)]
        high = [mean + deviation for mean, deviation in zip(curve.mean, curve.deviation, strict=True)]
        axes.fill_between(curve.epochs, low, high, color=look.colour, alpha=0.12, linewidth=0)
    return line


def _levels(
    axes: Axes, published: Mapping[str, float], mark: float | None, look: Mapping[str, Look], metric: Metric
) -> list[Line2D]:
    """Horizontal lines, named in the legend, because words on the panel would cover curves."""
    lines = []
    for entry, value in sorted(published.items(), key=lambda item: -metric.sign * item[1]):
        words = wrapped(f"{entry}, published", 22) + f"  {metric.write(value)[0]}"
        colour = look[entry].colour if entry in look else INK
        lines.append(axes.axhline(value, color=colour, linestyle=(0, (1, 2.5)), linewidth=1.3, label=words))
    if mark is not None:
        share = (
            "90 % of the best\nfrom scratch" if metric.higher_is_better else "the best from scratch,\ndivided by 0.9"
        )
        words = f"{share}  {metric.write(mark)[0]}"
        lines.append(axes.axhline(mark, color=INK, linewidth=0.9, linestyle=(0, (10, 4)), label=words))
    return lines


def alt(curves: Sequence[Line], metric: Metric = ACCURACY) -> str:
    """The figure in words: who ends best, and where the control ends."""
    best = max(curves, key=lambda curve: metric.sign * _end(curve))
    many = len(curves) > COLOURED + 1
    named = f"{len(curves)} entries" if many else ", ".join(curve.entry for curve in curves)
    words = f"Curves of {metric.name} by epoch, up to epoch {best.epochs[-1]}, of {named}."
    words += f" {best.entry} ends best, at {metric.write(_end(best))[0]}"
    control = next((curve for curve in curves if curve.control and curve is not best), None)
    return words + (f"; the control {control.entry} at {metric.write(_end(control))[0]}." if control else ".")
