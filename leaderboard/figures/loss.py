"""The loss of pretraining by epoch, with a panel for each entry: losses of different methods have different scales."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leaderboard.figures import BLUE, WIDTH, style, wrapped

COLUMNS = 4

Losses = Mapping[str, Sequence[tuple[float, float]]]  # by entry: epochs, counted from 1, with the loss


@style
def draw(losses: Losses, title: str = "") -> Figure:
    """A panel for each entry, with its scale; panels with equal epochs share the labels under the lowest of them."""
    columns = min(COLUMNS, len(losses))
    rows = math.ceil(len(losses) / columns)
    figure = Figure((WIDTH * columns / COLUMNS, 0.6 + 1.2 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    entries = list(losses)
    for i, (entry, panel) in enumerate(zip(entries, panels, strict=False)):
        _panel(panel, entry, losses[entry])
        below = i + columns
        shared = below < len(entries) and _epochs(losses[entries[below]]) == _epochs(losses[entry])
        panel.tick_params(labelbottom=not shared)
    for panel in panels[len(entries) :]:
        panel.remove()
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("loss", fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def _panel(panel: Axes, entry: str, losses: Sequence[tuple[float, float]]) -> None:
    epochs = _epochs(losses)
    panel.plot(epochs, [loss for _, loss in losses], color=BLUE, marker="o" if len(epochs) == 1 else "", markersize=4)
    panel.set_title(wrapped(entry, 24), fontsize=8)
    panel.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    panel.yaxis.set_major_locator(MaxNLocator(3))
    panel.grid(axis="y")


def _epochs(losses: Sequence[tuple[float, float]]) -> list[float]:
    return [epoch for epoch, _ in losses]


def alt(losses: Losses) -> str:
    """The figure in words: which entries' loss fell, and which did not."""
    fall = {entry: (of_entry[0][1], of_entry[-1][1]) for entry, of_entry in losses.items()}
    if len(fall) == 1:
        ((entry, (first, last)),) = fall.items()
        return f"Pretraining loss of {entry} by epoch: from {first:.3g} to {last:.3g}."
    fallen = [entry for entry, (first, last) in fall.items() if last < first]
    rest = [entry for entry in fall if entry not in fallen]
    ends = f"It ends below its start for {len(fallen)} of them" + (f"; not for {', '.join(rest)}." if rest else ".")
    return f"Pretraining loss by epoch of {len(fall)} entries, each with a scale of its own. {ends}"
