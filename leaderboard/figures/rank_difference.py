"""The critical-difference diagram of Demsar (2006, JMLR 7): mean ranks over tasks, and which of them differ."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leaderboard.figures import BLUE, INK, SMALL, WIDTH, counted, style, wrapped

Group = tuple[float, float]  # lowest and highest mean rank


@dataclass(frozen=True)
class MeanRanks:
    """The mean ranks of all entries.

    Args:
        entries: their names.
        mean_ranks: of each entry over tasks; 1 is the best.
        critical_difference: two entries differ if their mean ranks are at least this far apart.
    """

    entries: Sequence[str]
    mean_ranks: Sequence[float]
    critical_difference: float


LEVEL = 0.5  # height of a bar, in rows of names
SIDE = 0.04  # of the axis's length, to the names


@style
def draw(ranks: MeanRanks, title: str = "") -> Figure:
    """Names left and right of an axis of mean ranks, the best at the left; a bar joins entries that do not differ."""
    order = sorted(zip(ranks.mean_ranks, ranks.entries, strict=True))
    k, half = len(order), (len(order) + 1) // 2
    last = max(k, 2)
    bars = _levels(groups(ranks.mean_ranks, ranks.critical_difference))
    top = -1.2 - LEVEL * max((1 + level for _, level in bars), default=0)  # names begin below the bars
    figure = Figure((WIDTH, 0.19 * (half - top) + 0.9), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    for i, (rank, entry) in enumerate(order):
        left = i < half
        y = top - (i if left else k - 1 - i)
        side = 1 - SIDE * (last - 1) if left else last + SIDE * (last - 1)
        words = f"{wrapped(entry)}  {rank:.2f}" if left else f"{rank:.2f}  {wrapped(entry)}"
        beyond = side + (0.01 if side > last else -0.01) * (last - 1)
        axes.plot([rank, rank, side], [0, y, y], color=INK, linewidth=0.7, label=entry)
        axes.text(beyond, y, words, ha="right" if left else "left", va="center", fontsize=SMALL)
    for (first, end), level in bars:
        y = -0.6 - LEVEL * level
        axes.plot([first, end], [y, y], color=BLUE, linewidth=3.5, solid_capstyle="round", label="no difference")
    _axis(axes, last)
    _ruler(axes, ranks.critical_difference, last)
    axes.set_ylim(top - half + 0.4, 3.4)
    axes.set_title(title)
    return figure


def _axis(axes: Axes, last: int) -> None:
    """Ranks from 1 to the last, at y = 0."""
    axes.plot([1, last], [0, 0], color=INK, linewidth=1, label="axis")
    step = 1 if last <= 12 else 2 if last <= 20 else 5
    for rank in sorted({1, *range(step, last + 1, step)}):
        axes.plot([rank, rank], [0, 0.3], color=INK, linewidth=1, label="tick")
        axes.text(rank, 0.4, f"{rank}", ha="center", va="bottom", fontsize=SMALL)
    axes.text((1 + last) / 2, 1.3, "mean rank (1 is the best)", ha="center", va="bottom")


def _ruler(axes: Axes, difference: float, last: int) -> None:
    """The critical difference, to scale, above the axis."""
    words = f"critical difference {difference:.2f}"
    if difference > last - 1:
        axes.text(1, 2.8, f"{words}: wider than the axis", va="center", fontsize=SMALL)
        return
    axes.plot([1, 1 + difference], [2.8, 2.8], color=INK, linewidth=1.2, marker="|", label="critical difference")
    axes.text(1 + difference + 0.02 * (last - 1), 2.8, words, va="center", fontsize=SMALL)


def groups(mean_ranks: Sequence[float], difference: float) -> list[Group]:
    """The widest runs of two or more mean ranks that lie less than the critical difference apart."""
    ordered = sorted(mean_ranks)
    runs: list[tuple[int, int]] = []
    for i, first in enumerate(ordered):
        last = max(j for j, rank in enumerate(ordered) if rank == first or rank - first < difference)
        if last > i and (not runs or last > runs[-1][1]):
            runs.append((i, last))
    return [(ordered[i], ordered[j]) for i, j in runs]


def _levels(runs: Sequence[Group]) -> list[tuple[Group, int]]:
    """For each run, the first level where it touches no other run."""
    ends: list[float] = []
    placed = []
    for run in runs:
        level = next((level for level, end in enumerate(ends) if end < run[0]), len(ends))
        ends[level : level + 1] = [run[1]]
        placed.append((run, level))
    return placed


def alt(ranks: MeanRanks) -> str:
    """The figure in words: the best mean rank, and how many entries do not differ from it."""
    order = sorted(zip(ranks.mean_ranks, ranks.entries, strict=True))
    best = order[0]
    tied = sum(rank - best[0] < ranks.critical_difference for rank, _ in order[1:])
    return (
        f"Mean ranks of {counted(len(order), 'entry', 'entries')}. {best[1]} has the best, {best[0]:.2f}; of the others"
        f" {tied} lie within the critical difference, {ranks.critical_difference:.2f}."
    )
