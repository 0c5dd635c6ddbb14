"""Checks that the figures that an evaluation states are those of its predictions."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.jobs.evaluate import Record
from benchmark.store.columns import matrix, numbers, read_columns, values
from registry.lookup import TARGETS
from registry.targets import Target, find_target

if TYPE_CHECKING:
    from pyarrow import Table

_ROUNDING = 1e-6


def disagreement(record: Record, folder: Path, *, scores: bool) -> str:
    """How a record's figures differ from its predictions, in words; empty if they agree.

    The metrics of a plugin are not computed again: the plugin may have changed.

    Args:
        record: of an evaluation.
        folder: of the record, with its ``predictions.parquet`` and ``epochs.parquet``.
        scores: also compute metrics of scores, such as average precision, which take long.

    Raises:
        Exception: of any kind, if a file cannot be read.
    """
    name = record.target
    in_plugin = name not in TARGETS.names() or not isinstance(TARGETS.version(name), int)
    if record.judge != f"targets/{name}" or in_plugin:
        return ""
    target = find_target(name)
    return _Stored(record, target, folder).disagreement() if scores or not target.uses_scores else ""


class _Stored:
    """A record, and the predictions beside it."""

    def __init__(self, record: Record, target: Target, folder: Path) -> None:
        self.record, self.target = record, target
        columns = ("fold", "clip", "label", "predicted", *(["scores"] if target.uses_scores else []))
        last = read_columns(folder / "predictions.parquet", columns)
        curve = read_columns(folder / "epochs.parquet", ("fold", "epoch", "clip", "predicted"))
        self.fold_N, self.predicted_N = numbers(last, "fold"), numbers(last, "predicted")
        self.label = target.array(values(last, "label"), len(record.classes))
        self.score_NC = matrix(last, "scores") if target.uses_scores else None
        self.fold_M, self.epoch_M, self.predicted_M = (numbers(curve, name) for name in ("fold", "epoch", "predicted"))
        self.clip_N, number = _clips(last, {})
        self.clip_M, _ = _clips(curve, number)

    def disagreement(self) -> str:
        stored, stated = sorted(set(self.fold_N.tolist())), sorted(self.record.folds)
        if stored != stated:
            return f"result.json states folds {stated}, and the predictions are of folds {stored}"
        return next(filter(None, map(self._of_fold, stated)), "")

    def _of_fold(self, fold: int) -> str:
        record, chief = self.record.folds[fold], self.target.chief
        row_N = np.flatnonzero(self.fold_N == fold)
        row_N = row_N[np.argsort(self.clip_N[row_N])]
        row_M = np.flatnonzero(self.fold_M == fold)
        row_M = row_M[np.lexsort((self.clip_M[row_M], self.epoch_M[row_M]))]
        epochs = np.unique(self.epoch_M[row_M]).tolist()
        if epochs != sorted(record.epochs):
            return f"result.json and epochs.parquet are of different epochs of fold {fold}"
        if not np.array_equal(self.clip_M[row_M], np.tile(self.clip_N[row_N], len(epochs))):
            return f"epochs.parquet and predictions.parquet are of different clips of fold {fold}"
        at_end_1N = self.predicted_N[row_N][None]
        scores_1NC = None if self.score_NC is None else self.score_NC[row_N][None]
        ends = self.target.chief_figure(self.label[row_N], at_end_1N, scores_1NC)
        pairs = [("the end", record.figure(chief.column), float(ends[0]))]  # of a stated and a computed figure
        if epochs and not self.target.uses_scores:
            predicted_EN = self.predicted_M[row_M].reshape(len(epochs), -1)
            computed = dict(zip(epochs, self.target.chief_figure(self.label[row_N], predicted_EN), strict=True))
            stated = zip(record.epochs, record.by_epoch(chief.column), strict=True)
            pairs += [(f"epoch {epoch}", figure, float(computed[epoch])) for epoch, figure in stated]
        differing = (pair for pair in pairs if not _agree(pair[1], pair[2]))
        return next((self._difference(fold, *pair) for pair in differing), "")

    def _difference(self, fold: int, when: str, stated: float, computed: float) -> str:
        metric = self.target.chief.name
        return (
            f"result.json states {metric} {stated:.4f} of fold {fold} at {when}, "
            f"and the predictions give {computed:.4f}"
        )


def _agree(stated: float, computed: float) -> bool:
    return abs(stated - computed) <= _ROUNDING * max(1.0, abs(computed))


def _clips(table: "Table", number: dict[str, int]) -> tuple[NDArray[np.int64], dict[str, int]]:
    """The number of every row's clip, and the number of each name.

    Args:
        table: has a column ``clip``.
        number: of each name; if it is empty, names get new numbers. A clip with an unknown name has number -1.
    """
    chunks = [chunk for chunk in table.column("clip").chunks if len(chunk)]
    if not chunks:
        return np.empty(0, np.int64), number
    names = chunks[0].dictionary.to_pylist()
    number = number or {name: i for i, name in enumerate(names)}
    known = np.arange(len(names)) if names == list(number) else np.array([number.get(name, -1) for name in names])
    return known[np.concatenate([np.from_dlpack(chunk.indices) for chunk in chunks])], number
