"""A grid of eight linear probes, and neighbours with their choice of K, on embeddings of the size of ESC-50."""

from collections.abc import Iterator
from itertools import product

import torch

from tests.speed import Row, ratio
from tests.speed._made import evaluated, made

_CLIPS, _FOLDS, _EPOCHS, _BATCH, _CLASSES = 2000, 5, 30, 64, 50
_GRID = list(product((1e-3, 3e-3, 1e-2, 3e-2), (0.0, 1e-2)))  # learning rate, weight decay
_CPU_S = 20.0


def rows() -> Iterator[Row]:
    for dim in (512, 2048):
        yield _grid(dim)


def _grid(dim: int) -> Row:
    subject, split = made(_CLIPS, dim, _CLASSES, _FOLDS)
    assert subject.embeddings is not None
    window_WD = subject.embeddings.window_WD
    train = _CLIPS - _CLIPS // _FOLDS
    x_FBD, weight_FDC = torch.randn(_FOLDS, _BATCH, dim), torch.randn(_FOLDS, dim, _CLASSES)
    gradient_FBC = torch.randn(_FOLDS, _BATCH, _CLASSES)

    def ours() -> None:
        for rate, decay in _GRID:
            settings = {"epochs": _EPOCHS, "learning_rate": rate, "weight_decay": decay}
            evaluated("freeze", subject, split, settings)
        evaluated("knn", subject, split, {})

    def products() -> None:
        for _ in range(len(_GRID) * _EPOCHS):
            for _ in range(train // _BATCH):
                x_FBD @ weight_FDC
                x_FBD.mT @ gradient_FBC
            window_WD @ weight_FDC[0]  # the test clips of all folds
        window_WD @ window_WD.T

    row = ratio(
        f"freeze with a grid of {len(_GRID)} and knn with its choice of K: {_CLIPS:,} x {dim:,}, {_FOLDS} folds",
        ours,
        "the products alone",
        products,
        _CPU_S,
        pairs=1,
    )
    return Row(row.work, row.bound, row.ours, row.bare, row.ours, row.goal)
