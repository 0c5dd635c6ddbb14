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

_COLOURS = (*COLOURS, INK)  # seven colours, ten markers, no common divisor: seventy classes look different


def project(embedding_ND: NDArray[np.floating], seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """t-SNE (van der Maaten and Hinton 2008) from the first principal components: ``[n, 2]``, and the clips' indices.

    Of more than 2,000 clips, 2,000 at even distances are taken. The same embeddings and seed give the same points.

    Args:
        embedding_ND: at least one clip, two dimensions.
        seed: of t-SNE.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    n = len(embedding_ND)
    chosen = np.linspace(0, n - 1, min(n, MOST)).round().astype(np.int64)
    taken_ND = np.asarray(embedding_ND, np.float64)[chosen]
    if len(taken_ND) == 1:
        return np.zeros((1, 2)), chosen
    varies = bool(np.ptp(taken_ND, axis=0).any())  # equal embeddings have no principal components
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
    """Two panels, coloured by true and by predicted label. Up to ten classes have a legend; of more, names lie on them.

    Args:
        points_N2: of :func:`project`.
        labels, predicted: index of the class, for each point.
        classes: the names of the classes.
        title: above the panels; may be empty.
    """
    named = len(classes) > len(MARKERS)
    figure = Figure((WIDTH, 12.5 if named else 4.2), layout="constrained")
    panels = figure.subplots(2, 1) if named else figure.subplots(1, 2)
    for axes, class_of, words in zip(panels, (labels, predicted), ("true label", "predicted label"), strict=True):
        _panel(axes, points_N2, np.asarray(class_of), classes)
        axes.set_title(words)
    figure.suptitle(title, fontsize=10)
    if named:
        for axes, class_of in zip(panels, (labels, predicted), strict=True):
            place(axes, _medians(points_N2, np.asarray(class_of), classes), offsets=ON)
    else:
        handles = {
            text: handle for axes in panels for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        order = [name for name in classes if name in handles]
        figure.legend([handles[name] for name in order], order, loc="outside lower center", ncols=5, markerscale=1.5)
    return figure


def _panel(axes: Axes, points_N2: NDArray[np.float64], class_N: NDArray[np.int64], classes: Sequence[str]) -> None:
    size = float(np.interp(len(points_N2), [100, 2000], [4.5, 2.5]))
    for k, name in enumerate(classes):
        of_class = points_N2[class_N == k]
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
    points_N2: NDArray[np.float64], class_N: NDArray[np.int64], classes: Sequence[str]
) -> list[tuple[float, float, str]]:
    """The median point of every class that has points, with the class's name."""
    medians = []
    for k, name in enumerate(classes):
        if (class_N == k).any():
            x, y = np.median(points_N2[class_N == k], 0)
            medians.append((float(x), float(y), name))
    return medians


def alt(labels: Sequence[int], predicted: Sequence[int], classes: Sequence[str]) -> str:
    """The figure in words: the numbers of clips, of classes, and of right predictions."""
    right = int((np.asarray(labels) == np.asarray(predicted)).sum())
    return (
        f"Embeddings of {counted(len(labels), 'clip', 'clips')} of {counted(len(classes), 'class', 'classes')},"
        f" laid out on a plane by t-SNE, by true and by predicted label; {right} of the"
        f" predictions are right ({right / len(labels):.3f})."
    )
