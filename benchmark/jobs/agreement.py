"""Whether the figures that an evaluation states are those of its predictions."""

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
    """Says where stated and stored differ, or nothing.

    A plugin's metrics are not computed again: they may be others by now.

    Args:
        record: an evaluation's.
        folder: of the record, with its ``predictions.parquet`` and ``epochs.parquet``.
        scores: whether to compute metrics of scores, such as average precision, which take long.

    Raises:
        Exception: of any kind, if a file cannot be read.
    """
    name = record.target
    is_own = name in TARGETS.names() and isinstance(TARGETS.version(name), int)
    if record.judge != f"targets/{name}" or not is_own:
        return ""
    target = find_target(name)
    return _Stored(record, target, folder).disagreement() if scores or not target.uses_scores else ""


class _Stored:
    """What a record states, and the predictions beside it."""

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
        facts, chief = self.record.folds[fold], self.target.chief
        own_N = np.flatnonzero(self.fold_N == fold)
        own_N = own_N[np.argsort(self.clip_N[own_N])]
        own_M = np.flatnonzero(self.fold_M == fold)
        own_M = own_M[np.lexsort((self.clip_M[own_M], self.epoch_M[own_M]))]
        epochs = np.unique(self.epoch_M[own_M]).tolist()
        if epochs != sorted(facts.epochs):
            return f"result.json and epochs.parquet are of different epochs of fold {fold}"
        if not np.array_equal(self.clip_M[own_M], np.tile(self.clip_N[own_N], len(epochs))):
            return f"epochs.parquet and predictions.parquet are of different clips of fold {fold}"
        at_end_1N = self.predicted_N[own_N][None]
        scores_1NC = None if self.score_NC is None else self.score_NC[own_N][None]
        ends = self.target.figures(self.label[own_N], at_end_1N, scores_1NC)[chief.name]
        found = [("the end", facts.figure(chief.column), float(ends[0]))]
        if epochs and not self.target.uses_scores:
            predicted_EN = self.predicted_M[own_M].reshape(len(epochs), -1)
            stored = dict(zip(epochs, self.target.figures(self.label[own_N], predicted_EN)[chief.name], strict=True))
            stated = zip(facts.epochs, facts.by_epoch(chief.column), strict=True)
            found += [(f"epoch {epoch}", figure, float(stored[epoch])) for epoch, figure in stated]
        differing = (one for one in found if not _agree(one[1], one[2]))
        return next((self._told(fold, *one) for one in differing), "")

    def _told(self, fold: int, when: str, stated: float, stored: float) -> str:
        metric = self.target.chief.name
        return (
            f"result.json states {metric} {stated:.4f} of fold {fold} at {when}, and the predictions give {stored:.4f}"
        )


def _agree(stated: float, stored: float) -> bool:
    return abs(stated - stored) <= _ROUNDING * max(1.0, abs(stored))


def _clips(table: "Table", number: dict[str, int]) -> tuple[NDArray[np.int64], dict[str, int]]:
    """The number of every row's clip; clips get new ones where ``number`` is empty, and -1 where it lacks them."""
    parts = [part for part in table.column("clip").chunks if len(part)]
    if not parts:
        return np.empty(0, np.int64), number
    names = parts[0].dictionary.to_pylist()
    number = number or {name: i for i, name in enumerate(names)}
    known = np.arange(len(names)) if names == list(number) else np.array([number.get(name, -1) for name in names])
    return known[np.concatenate([np.from_dlpack(part.indices) for part in parts])], number
