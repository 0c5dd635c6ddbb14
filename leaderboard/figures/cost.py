"""Figures and their cost: the metric against the encoder's parameters, and against its throughput."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from leaderboard.figures import BLUE, INK, WIDTH, counted, style
from leaderboard.figures.labels import place
from registry.metrics import Metric
from registry.targets.one_label import ACCURACY

LABELLED = 12  # points with a name; where there are more, only those on the front have one


@dataclass(frozen=True)
class CostPoint:
    """One entry.

    Args:
        score: by the metric.
        parameters: of the encoder; None where they are not known.
        clips_per_second: speed of embedding, front end included; None where it was not measured.
    """

    entry: str
    score: float
    parameters: int | None
    clips_per_second: float | None


@dataclass(frozen=True)
class _Spot:
    entry: str
    cost: float
    score: float


@style
def draw(points: Sequence[CostPoint], title: str = "", metric: Metric = ACCURACY) -> Figure:
    """Two panels with a logarithmic x, each with the stepped front of entries that no other entry beats."""
    figure = Figure((WIDTH, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    panels = [(left, _parameters(points), False), (right, _throughput(points), True)]
    for axes, spots, more_is_better in panels:
        _panel(axes, spots, pareto(spots, more_is_better, metric), more_is_better)
    left.set(xlabel="parameters of the encoder", ylabel=metric.axis)
    right.set(xlabel="clips per second")
    figure.suptitle(title, fontsize=10)
    figure.legend(*(left if panels[0][1] else right).get_legend_handles_labels(), loc="outside lower center", ncols=2)
    for axes, spots, more_is_better in panels:
        labelled = spots if len(spots) <= LABELLED else pareto(spots, more_is_better, metric)
        labels = [(spot.cost, spot.score, spot.entry) for spot in labelled]
        place(axes, labels, avoid=axes.lines)
    return figure


def _parameters(points: Sequence[CostPoint]) -> list[_Spot]:
    return [_Spot(p.entry, p.parameters, p.score) for p in points if p.parameters]


def _throughput(points: Sequence[CostPoint]) -> list[_Spot]:
    return [_Spot(p.entry, p.clips_per_second, p.score) for p in points if p.clips_per_second]


def pareto(spots: Sequence[_Spot], more_is_better: bool, metric: Metric = ACCURACY) -> list[_Spot]:
    """The front: the spots without another that is better in cost or score and no worse in the other; by rising cost.

    Args:
        spots: in any order.
        more_is_better: whether a higher cost is better, as for throughput.
        metric: of the score.
    """
    sign = -1 if more_is_better else 1
    front: list[_Spot] = []
    for spot in sorted(spots, key=lambda spot: (sign * spot.cost, -metric.sign * spot.score)):
        if not front or metric.sign * spot.score > metric.sign * front[-1].score:
            front.append(spot)
    return front[::sign]


def _panel(axes: Axes, spots: Sequence[_Spot], front: Sequence[_Spot], more_is_better: bool) -> None:
    axes.grid()
    if not spots:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center")
        return
    axes.set_xscale("log")
    off = [spot for spot in spots if spot not in front]
    x, y = [spot.cost for spot in front], [spot.score for spot in front]
    axes.step(x, y, where="pre" if more_is_better else "post", color=BLUE, linewidth=1, alpha=0.6)
    axes.plot(x, y, "o", color=BLUE, markersize=6, label="on the front: none is better and cheaper")
    axes.plot(
        [spot.cost for spot in off],
        [spot.score for spot in off],
        "o",
        markerfacecolor="none",
        markeredgecolor=(INK, 0.6),
        markersize=5,
        label="others",
    )
    low, high = min(spot.cost for spot in spots), max(spot.cost for spot in spots)
    room = max(1.3, (high / low) ** 0.18)  # names stand beside points
    axes.set_xlim(low / room, high * room)
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 50 else (1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(y=0.08)


def alt(points: Sequence[CostPoint], metric: Metric = ACCURACY) -> str:
    """The figure in words: the best entry, the smallest and the fastest."""
    best = max(points, key=lambda point: metric.sign * point.score)
    words = f"{counted(len(points), 'entry', 'entries')}: {metric.name} against parameters and clips per second. "
    words += f"{best.entry} is best with {metric.write(best.score)[0]}"
    parameters, throughput = _parameters(points), _throughput(points)
    if parameters:
        smallest = min(parameters, key=lambda spot: (spot.cost, -metric.sign * spot.score))
        words += f"; the smallest, {smallest.entry} ({smallest.cost:,.0f} parameters), has "
        words += metric.write(smallest.score)[0]
    if throughput:
        fastest = max(throughput, key=lambda spot: (spot.cost, metric.sign * spot.score))
        words += f"; the fastest, {fastest.entry} ({fastest.cost:.3g} clips/s), {metric.write(fastest.score)[0]}"
    return words + "."
