"""Which classes are taken for which: a confusion matrix as a heat map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leaderboard.figures import WIDTH, counted, style

COUNTED = 20  # with more classes, cells have no counts


@dataclass(frozen=True)
class Confusion:
    """Predictions of one entry.

    Args:
        counts_KK: ``[true, predicted]`` how many clips.
        classes: their names.
    """

    counts_KK: NDArray[np.int64]
    classes: Sequence[str]


@style
def draw(confusion: Confusion, title: str = "") -> Figure:
    """Rows are true classes, and colours are shares of a class's clips; the row of a class without clips is zero."""
    share_KK = shares(confusion.counts_KK)
    k = len(confusion.classes)
    longest = max(map(len, confusion.classes))
    fontsize = float(np.interp(k, [10, 50], [8.5, 7]))
    names = 0.0085 * fontsize * longest  # inches
    height = min(WIDTH - names - 0.4, 1.2 + 0.45 * k)
    figure = Figure((WIDTH, height + names + 1.1), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share_KK, cmap="cividis", norm=Normalize(0, 1), interpolation="none")
    axes.set_xticks(range(k), confusion.classes, rotation=90, fontsize=fontsize)
    axes.set_yticks(range(k), confusion.classes, fontsize=fontsize)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    if k <= COUNTED:
        _write(axes, confusion.counts_KK, share_KK, fontsize)
    bar = figure.colorbar(
        image, ax=axes, location="bottom", shrink=0.5, aspect=30, label="share of the true class's clips"
    )
    assert bar.solids is not None
    bar.solids.set_rasterized(True)
    bar.outline.set_visible(False)
    return figure


def shares(counts_KK: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counts divided by their row's sum; zero where the sum is zero."""
    share_KK: NDArray[np.float64] = counts_KK / np.maximum(counts_KK.sum(1, keepdims=True), 1)
    return share_KK


def _write(axes: Axes, counts_KK: NDArray[np.int64], share_KK: NDArray[np.float64], fontsize: float) -> None:
    for (row, column), count in np.ndenumerate(counts_KK):
        if count:
            colour = on_cividis(float(share_KK[row, column]))
            axes.text(column, row, f"{count}", ha="center", va="center", fontsize=fontsize - 1, color=colour)


def on_cividis(value: float) -> str:
    """White or nearly black, whichever stands out from the map's colour for a value in [0, 1]."""
    red, green, blue, _ = colormaps["cividis"](value)
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#ffffff"


def alt(confusion: Confusion) -> str:
    """The figure in words: how many clips are right, and the most frequent confusion."""
    counts_KK = confusion.counts_KK
    right, total = int(np.trace(counts_KK)), int(counts_KK.sum())
    words = f"Confusion matrix of {counted(len(confusion.classes), 'class', 'classes')}: {right} of {total} clips"
    words += " are on the diagonal"
    wrong_KK = counts_KK - np.diag(np.diag(counts_KK))
    if wrong_KK.sum() == 0:
        return words + "."
    true, predicted = divmod(int(wrong_KK.argmax()), len(wrong_KK))
    names = confusion.classes
    return (
        words
        + f". Most often {names[true]} is taken for {names[predicted]}, {counted(wrong_KK.max(), 'time', 'times')}."
    )
