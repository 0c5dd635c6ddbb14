"""Embeddings on a plane: which classes an encoder keeps apart."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from leaderboard.figures import COLOURS, INK, MARKERS, WIDTH, counted, style
from leaderboard.figures.labels import ON, place

MOST = 2_000  # points
PERPLEXITY = 30.0

_COLOURS = (*COLOURS, INK)  # seven and ten have no common divisor: seventy classes look different


def project(embedding_ND: NDArray[np.floating], seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """t-SNE (van der Maaten and Hinton 2008) from the first principal components: ``[n, 2]``, and the clips' indices.

    Of more than 2,000 clips an evenly spaced choice is taken. The same embeddings and seed give the same points.

    Args:
        embedding_ND: at least one clip, two dimensions.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    n = len(embedding_ND)
    chosen = np.linspace(0, n - 1, min(n, MOST)).round().astype(np.int64)
    taken_ND = np.asarray(embedding_ND, np.float64)[chosen]
    if len(taken_ND) == 1:
        return np.zeros((1, 2)), chosen
    varies = bool(np.ptp(taken_ND, axis=0).any())  # there are no principal components of what does not
    perplexity = min(PERPLEXITY, (len(taken_ND) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca" if varies else "random", random_state=seed)
    with threadpool_limits(1):  # sums over threads depend on their number
        points_N2 = tsne.fit_transform(taken_ND)
    return points_N2.astype(np.float64), chosen


@style
def draw(
    points_N2: NDArray[np.float64],
    labels: Sequence[int],
    predicted: Sequence[int],
    classes: Sequence[str],
    title: str = "",
) -> Figure:
    """Two panels, coloured by true and by predicted label; more than ten classes are named where they lie instead of
    in a legend.

    Args:
        points_N2: of :func:`project`.
        labels, predicted: index of the class, for each point.
        classes: their names.
    """
    named = len(classes) > len(MARKERS)
    figure = Figure((WIDTH, 12.5 if named else 4.2), layout="constrained")
    panels = figure.subplots(2, 1) if named else figure.subplots(1, 2)
    for axes, own, words in zip(panels, (labels, predicted), ("true label", "predicted label"), strict=True):
        _panel(axes, points_N2, np.asarray(own), classes)
        axes.set_title(words)
    figure.suptitle(title, fontsize=10)
    if named:
        for axes, own in zip(panels, (labels, predicted), strict=True):
            place(axes, _medians(points_N2, np.asarray(own), classes), offsets=ON)
    else:
        handles = {
            text: handle for axes in panels for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        order = [name for name in classes if name in handles]
        figure.legend([handles[name] for name in order], order, loc="outside lower center", ncols=5, markerscale=1.5)
    return figure


def _panel(axes: Axes, points_N2: NDArray[np.float64], own: NDArray[np.int64], classes: Sequence[str]) -> None:
    size = float(np.interp(len(points_N2), [100, 2000], [4.5, 2.5]))
    for k, name in enumerate(classes):
        of_class = points_N2[own == k]
        if len(of_class):
            axes.plot(
                *of_class.T,
                linestyle="",
                marker=MARKERS[k % len(MARKERS)],
                color=_COLOURS[k % len(_COLOURS)],
                alpha=0.35 if len(classes) > len(MARKERS) else 0.75,
                markersize=size,
                markeredgewidth=0,
                label=name,
            )
    axes.set_aspect("equal", adjustable="box")
    axes.set(xticks=[], yticks=[])  # distances of t-SNE have no unit
    axes.spines[:].set_visible(True)
    axes.spines[:].set_alpha(0.3)


def _medians(
    points_N2: NDArray[np.float64], own: NDArray[np.int64], classes: Sequence[str]
) -> list[tuple[float, float, str]]:
    found = []
    for k, name in enumerate(classes):
        if (own == k).any():
            x, y = np.median(points_N2[own == k], 0)
            found.append((float(x), float(y), name))
    return found


def alt(labels: Sequence[int], predicted: Sequence[int], classes: Sequence[str]) -> str:
    """The figure in words: how many clips of how many classes, and how many predictions are right."""
    right = int((np.asarray(labels) == np.asarray(predicted)).sum())
    return (
        f"Embeddings of {counted(len(labels), 'clip', 'clips')} of {counted(len(classes), 'class', 'classes')},"
        f" laid out on a plane by t-SNE, by true and by predicted label; {right} of the"
        f" predictions are right ({right / len(labels):.3f})."
    )
