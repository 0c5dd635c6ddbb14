"""Checks that the figures that an evaluation states are those of its predictions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.jobs.evaluate import Record
from benchmark.store.columns import flags, matrix, numbers, read_columns, require_room, rows_of, texts, values
from registry.errors import Damaged
from registry.lookup import TARGETS
from registry.targets import Target, find_target

if TYPE_CHECKING:
    from pyarrow import Table

_ROUNDING = 1e-6
_MOST_CLASSES = 100_000  # of a task whose record does not name its classes, as older ones do not


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
    target = None if in_plugin else find_target(name)
    reads_scores = scores and target is not None and target.uses_scores
    return _Stored(record, target, folder, scores=reads_scores).disagreement()


class _Stored:
    """A record, and the predictions beside it. ``target`` is None if a plugin has it."""

    def __init__(self, record: Record, target: Target | None, folder: Path, *, scores: bool) -> None:
        self.record, self.target, self.scores = record, target, scores
        path = folder / "predictions.parquet"
        folds = record.folds.values()
        _require_rows(path, sum(fold.clips for fold in folds))
        _require_rows(folder / "epochs.parquet", sum(fold.clips * len(fold.epochs) for fold in folds))
        columns = ("fold", "clip", "label", "predicted", "source", "seen", *(["scores"] if scores else []))
        last = read_columns(path, columns)
        curve = read_columns(folder / "epochs.parquet", ("fold", "epoch", "clip", "predicted"))
        self.fold_N, self.predicted_N = numbers(last, "fold"), numbers(last, "predicted")
        self.score_NC = matrix(last, "scores") if scores else None
        if target:
            self.label = labels_of(last, target, len(record.classes), path)
        self.fold_M, self.epoch_M, self.predicted_M = (numbers(curve, name) for name in ("fold", "epoch", "predicted"))
        self.clip_N, number = _clips(last, {})
        self.clip_M, _ = _clips(curve, number)
        if "source" in last.column_names:
            texts(last, "source")
        if "seen" in last.column_names:
            flags(last, "seen")

    def disagreement(self) -> str:
        stored, stated = sorted(set(self.fold_N.tolist())), sorted(self.record.folds)
        if stored != stated or not set(self.fold_M.tolist()) <= set(stored):
            return f"result.json states folds {stated}, and the predictions are of folds {stored}"
        classes = len(self.record.classes)
        if not all(are_predictions(predicted, classes) for predicted in (self.predicted_N, self.predicted_M)):
            return "the predictions are not all classes of the task, or finite numbers"
        judged = self.target is not None and self.record.judge == f"targets/{self.record.target}"
        if self.target and judged and self.record.metric != self.target.chief.column:
            return f"result.json states {self.record.metric}, and {self.record.target} is judged by another metric"
        return next(filter(None, (self._of_fold(fold, judged=judged) for fold in stated)), "")

    def _of_fold(self, fold: int, *, judged: bool) -> str:
        record = self.record.folds[fold]
        row_N = np.flatnonzero(self.fold_N == fold)
        row_N = row_N[np.argsort(self.clip_N[row_N])]
        row_M = np.flatnonzero(self.fold_M == fold)
        row_M = row_M[np.lexsort((self.clip_M[row_M], self.epoch_M[row_M]))]
        epochs = np.unique(self.epoch_M[row_M]).tolist()
        if len(row_N) != record.clips or len(np.unique(self.clip_N[row_N])) != len(row_N):
            return f"result.json states {record.clips} clips of fold {fold}, and the predictions are of other clips"
        if epochs != sorted(record.epochs):
            return f"result.json and epochs.parquet are of different epochs of fold {fold}"
        if not np.array_equal(self.clip_M[row_M], np.tile(self.clip_N[row_N], len(epochs))):
            return f"epochs.parquet and predictions.parquet are of different clips of fold {fold}"
        return self._of_figures(fold, row_N, row_M, epochs) if judged else ""

    def _of_figures(self, fold: int, row_N: NDArray[np.int64], row_M: NDArray[np.int64], epochs: list[int]) -> str:
        """How the stated figures of a fold differ from those of its predictions."""
        target, record = self.target, self.record.folds[fold]
        assert target
        if target.uses_scores and not self.scores:
            return ""
        at_end_1N = self.predicted_N[row_N][None]
        scores_1NC = None if self.score_NC is None else self.score_NC[row_N][None]
        ends = target.chief_figure(self.label[row_N], at_end_1N, scores_1NC)
        pairs = [("the end", record.figure(target.chief.column), float(ends[0]))]  # of a stated and a computed figure
        if epochs and not target.uses_scores:
            predicted_EN = self.predicted_M[row_M].reshape(len(epochs), -1)
            computed = dict(zip(epochs, target.chief_figure(self.label[row_N], predicted_EN), strict=True))
            stated = zip(record.epochs, record.by_epoch(target.chief.column), strict=True)
            pairs += [(f"epoch {epoch}", figure, float(computed[epoch])) for epoch, figure in stated]
        differing = (pair for pair in pairs if not _agree(pair[1], pair[2]))
        return next((self._difference(target, fold, *pair) for pair in differing), "")

    @staticmethod
    def _difference(target: Target, fold: int, when: str, stated: float, computed: float) -> str:
        return (
            f"result.json states {target.chief.name} {stated:.4f} of fold {fold} at {when}, "
            f"and the predictions give {computed:.4f}"
        )


def _require_rows(path: Path, stated: int) -> None:
    """Refuses a table, before it is read, that has not as many rows as the record states clips."""
    if rows_of(path) != stated:
        raise Damaged(f"{path.name} has {rows_of(path):,} rows, and result.json states {stated:,}", path)


def labels_of(table: "Table", target: Target, classes: int, path: Path) -> NDArray[Any]:
    """The labels of a table of predictions, in the form that the target's ``array`` gives.

    Args:
        table: has a column ``label``.
        target: of the task.
        classes: how many the task has; 0 if the record does not say it.
        path: of the table.

    Raises:
        ValueError: if the labels are no labels of the task.
    """
    require_room(path, len(table) * classes)
    label = target.array(values(table, "label"), classes)
    if label.ndim == 1 and not are_predictions(label, classes):
        raise ValueError("the labels are not all classes of the task, or finite numbers")
    return label


def are_predictions(predicted: NDArray[Any], classes: int) -> bool:
    """Whether predictions are all classes of a task (of at most ``_MOST_CLASSES`` if it is not known), or numbers."""
    if not np.issubdtype(predicted.dtype, np.integer):
        return bool(np.isfinite(predicted).all())
    return not len(predicted) or bool(predicted.min() >= 0 and predicted.max() < (classes or _MOST_CLASSES))


def _agree(stated: float, computed: float) -> bool:
    return abs(stated - computed) <= _ROUNDING * max(1.0, abs(computed))


def _clips(table: "Table", number: dict[str, int]) -> tuple[NDArray[np.int64], dict[str, int]]:
    """The number of every row's clip, and the number of each name.

    Args:
        table: has a column ``clip``.
        number: of each name; if it is empty, names get new numbers. A clip with an unknown name has number -1.
    """
    texts(table, "clip")
    chunks = [chunk for chunk in table.column("clip").chunks if len(chunk)]
    if not chunks:
        return np.empty(0, np.int64), number
    names = chunks[0].dictionary.to_pylist()
    number = number or {name: i for i, name in enumerate(names)}
    known = np.arange(len(names)) if names == list(number) else np.array([number.get(name, -1) for name in names])
    return known[np.concatenate([np.from_dlpack(chunk.indices) for chunk in chunks])], number
