"""Puts words beside points, where they cover the least."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.typing import NDArray

from leaderboard.figures import INK, SMALL, settle

Boxes = NDArray[np.float64]  # [M, 4] in pixels: left, bottom, right, top

# Offsets of words from their point, in typographic points, the first preferred.
BESIDE = tuple((x * far, y * far) for far in (5, 12, 22, 36) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)))
BESIDE += tuple((x * far, y * far) for far in (4, 10, 20, 32) for x in (1, -1) for y in (1, -1))
ON = tuple((x, y) for y in (0, 5, -5, 14, -14) for x in (0, 5, -5))

FAR = 10  # typographic points: from this distance on, a line joins words and point
LEADER = {"arrowstyle": "-", "color": INK, "alpha": 0.5, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3.5}


def place(
    axes: Axes,
    labels: Sequence[tuple[float, float, str]],
    avoid: Sequence[Line2D] = (),
    offsets: Sequence[tuple[float, float]] = BESIDE,
) -> None:
    """Writes each label near its point, where the label covers the least of lines and earlier labels, and stays inside.

    The layout is final from here on, because free space depends on it.

    Args:
        axes: of the points.
        labels: points in the axes' units, with their words.
        avoid: lines and points that should not be covered.
        offsets: of words from their point, in typographic points, the first preferred.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    settle(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    scale = figure.dpi / 72
    panel_14 = np.array([axes.get_window_extent(renderer).extents])
    taken_M4 = np.concatenate([np.empty((0, 4)), *(_along(line, 3 * scale) for line in avoid)])
    for x, y, words in labels:
        written = axes.annotate(
            words, (x, y), xytext=(0, 0), textcoords="offset points", fontsize=SMALL, arrowprops=LEADER
        )
        size_2 = np.array(Text.get_window_extent(written, renderer).size)
        boxes_K4 = _candidates(np.asarray(axes.transData.transform((x, y))), scale * np.asarray(offsets), size_2)
        outside_K = size_2.prod() - _shared(boxes_K4, panel_14).sum(1)
        chosen = int((_shared(boxes_K4, taken_M4).sum(1) + 4 * outside_K).round(1).argmin())
        taken_M4 = np.concatenate([taken_M4, boxes_K4[chosen : chosen + 1]])
        across, up = offsets[chosen]
        written.set_position((across, up))
        written.set_horizontalalignment("center" if across == 0 else "left" if across > 0 else "right")
        written.set_verticalalignment("center" if up == 0 else "bottom" if up > 0 else "top")
        assert written.arrow_patch is not None
        written.arrow_patch.set_visible(max(abs(across), abs(up)) >= FAR)


def _along(line: Line2D, radius: float) -> Boxes:
    """Boxes along a line; for a line without a stroke, boxes around its points."""
    path = line.get_transform().transform_path(line.get_path())
    dense = path if line.get_linestyle() == "None" else path.interpolated(40)
    at_M2 = np.asarray(dense.vertices)
    return np.concatenate([at_M2 - radius, at_M2 + radius], 1)


def _candidates(at_2: NDArray[np.float64], offset_K2: NDArray[np.float64], size_2: NDArray[np.float64]) -> Boxes:
    """A box of this size for each offset, all of it on the point's side that the offset gives."""
    low_K2 = at_2 + offset_K2 - size_2 * (1 - np.sign(offset_K2)) / 2
    return np.concatenate([low_K2, low_K2 + size_2], 1)


def _shared(one_K4: Boxes, other_M4: Boxes) -> NDArray[np.float64]:
    """``[K, M]`` areas that each box of the one list shares with each box of the other."""
    low_KM2 = np.maximum(one_K4[:, None, :2], other_M4[:, :2])
    high_KM2 = np.minimum(one_K4[:, None, 2:], other_M4[:, 2:])
    area_KM: NDArray[np.float64] = (high_KM2 - low_KM2).clip(0).prod(-1)
    return area_KM
