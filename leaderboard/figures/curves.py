"""Accuracy by epoch: the mean over folds of each entry, and a band of one standard deviation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from leaderboard.figures import FAINT, INK, SCORE, WIDTH, Look, counted, looks, style, wrapped

COLOURED = 6  # entries beside the control


@dataclass(frozen=True)
class Curve:
    """An entry's accuracy by epoch.

    Args:
        epochs: counted from 1.
        mean: over folds, in [0, 1], after each of them.
        deviation: standard deviation over folds; None with one fold.
        control: whether the others are compared with it.
    """

    entry: str
    epochs: Sequence[int]
    mean: Sequence[float]
    deviation: Sequence[float] | None
    control: bool = False


@style
def draw(
    curves: Sequence[Curve],
    title: str = "",
    metric: str = "accuracy",
    published: Mapping[str, float] | None = None,
    mark: float | None = None,
) -> Figure:
    """Up to seven entries in colours; of more, the best six at the end and the control, and the others thin and grey.

    Args:
        published: final figures by entry, drawn as dotted lines.
        mark: the accuracy that counts as learned: 90 % of the best of training from scratch.
    """
    figure = Figure((WIDTH, 3.8), layout="constrained")
    axes = figure.subplots()
    control = _control(curves)
    shown = _shown(curves, control)
    look = looks([curve.entry for curve in shown], control)
    others = [curve for curve in curves if curve.entry not in look]
    for curve in others:
        axes.plot(curve.epochs, curve.mean, color=INK, alpha=FAINT, linewidth=0.6, label=curve.entry)
    lines = [(_end(curve), _line(axes, curve, look[curve.entry], first=i)) for i, curve in enumerate(shown)]
    axes.set(xlabel="epoch", ylabel=f"{metric} (mean of folds ± 1 sd)", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.margins(x=0.02)
    axes.grid(axis="y")
    handles = [line for _, line in sorted(lines, key=lambda pair: -pair[0])]
    if others:
        handles.append(
            Line2D([], [], color=INK, alpha=FAINT, linewidth=0.6, label=counted(len(others), "other", "others"))
        )
    handles += _levels(axes, published or {}, mark, look)
    figure.legend(handles=handles, loc="outside right upper", handlelength=3.5, labelspacing=0.6)
    return figure


def _shown(curves: Sequence[Curve], control: str | None) -> list[Curve]:
    """The curves that are coloured, in the order given."""
    if len(curves) <= COLOURED + 1:
        return list(curves)
    best = sorted((curve for curve in curves if curve.entry != control), key=_end, reverse=True)[:COLOURED]
    return [curve for curve in curves if curve.entry == control or curve in best]


def _end(curve: Curve) -> float:
    return curve.mean[-1]


def _control(curves: Sequence[Curve]) -> str | None:
    return next((curve.entry for curve in curves if curve.control), None)


def _line(axes: Axes, curve: Curve, look: Look, first: int) -> Line2D:
    # Markers of different curves stand on different epochs, or they would hide each other.
    every = max(1, len(curve.epochs) // 5)
    (line,) = axes.plot(
        curve.epochs,
        curve.mean,
        color=look.colour,
        linestyle=look.dash,
        linewidth=1.6,
        marker=look.marker,
        markersize=4.5,
        markevery=(first % every, every),
        label=wrapped(f"{curve.entry}{' (control)' if curve.control else ''}", 22) + f"  {SCORE.format(_end(curve))}",
    )
    if curve.deviation is not None:
        low = [mean - deviation for mean, deviation in zip(curve.mean, curve.deviation, strict=True)]
        high = [mean + deviation for mean, deviation in zip(curve.mean, curve.deviation, strict=True)]
        axes.fill_between(curve.epochs, low, high, color=look.colour, alpha=0.12, linewidth=0)
    return line


def _levels(axes: Axes, published: Mapping[str, float], mark: float | None, look: Mapping[str, Look]) -> list[Line2D]:
    """Horizontal lines, named in the legend: on the panel, words would lie on curves."""
    lines = []
    for entry, value in sorted(published.items(), key=lambda item: -item[1]):
        words = wrapped(f"{entry}, published", 22) + f"  {SCORE.format(value)}"
        colour = look[entry].colour if entry in look else INK
        lines.append(axes.axhline(value, color=colour, linestyle=(0, (1, 2.5)), linewidth=1.3, label=words))
    if mark is not None:
        words = f"90 % of the best\nfrom scratch  {SCORE.format(mark)}"
        lines.append(axes.axhline(mark, color=INK, linewidth=0.9, linestyle=(0, (10, 4)), label=words))
    return lines


def alt(curves: Sequence[Curve], metric: str = "accuracy") -> str:
    """The figure in words: who ends best, and where the control ends."""
    best = max(curves, key=_end)
    many = len(curves) > COLOURED + 1
    named = f"{len(curves)} entries" if many else ", ".join(curve.entry for curve in curves)
    words = f"Curves of {metric} by epoch, up to epoch {best.epochs[-1]}, of {named}."
    words += f" {best.entry} ends best, at {SCORE.format(_end(best))}"
    control = next((curve for curve in curves if curve.control and curve is not best), None)
    return words + (f"; the control {control.entry} at {SCORE.format(_end(control))}." if control else ".")
