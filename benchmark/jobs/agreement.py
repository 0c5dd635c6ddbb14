"""Whether the figures that an evaluation states are those of its predictions."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.jobs.evaluate import Record
from benchmark.store.columns import numbers, read_columns

if TYPE_CHECKING:
    from pyarrow import Table

_ROUNDING = 1e-6


def disagreement(record: Record, folder: Path, *, rankings: bool) -> str:
    """Says where stated and stored differ, or nothing.

    Args:
        record: an evaluation's.
        folder: of the record, with its ``predictions.parquet`` and ``epochs.parquet``.
        rankings: whether to compute average precision again, where clips have several labels.

    Raises:
        Exception: of any kind, if a file cannot be read.
    """
    if record.metric == "accuracy":
        return _accuracies(record, folder)
    return _precisions(record, folder) if rankings else ""


def _accuracies(record: Record, folder: Path) -> str:
    last = read_columns(folder / "predictions.parquet", ("fold", "clip", "label", "predicted"))
    curve = read_columns(folder / "epochs.parquet", ("fold", "epoch", "clip", "predicted"))
    fold_N, label_N, predicted_N = (numbers(last, name) for name in ("fold", "label", "predicted"))
    clip_N, number = _clips(last, {})
    fold_M, epoch_M, guess_M = (numbers(curve, name) for name in ("fold", "epoch", "predicted"))
    clip_M, _ = _clips(curve, number)
    told = _other_folds(record, fold_N)
    for name, facts in record.folds.items() if not told else ():
        own_N, own_M = fold_N == name, fold_M == name
        label_of = np.full(len(number) + 1, -1)  # the last of them is of clips without a number
        label_of[clip_N[own_N]] = label_N[own_N]
        epochs, at_M = np.unique(epoch_M[own_M], return_inverse=True)
        if epochs.tolist() != sorted(facts.epochs):
            return f"result.json and epochs.parquet are of different epochs of fold {name}"
        right_M = label_of[clip_M[own_M]] == guess_M[own_M]
        by_epoch = np.bincount(at_M, right_M, len(epochs)) / np.maximum(np.bincount(at_M, minlength=len(epochs)), 1)
        stored = {f"epoch {epoch}": figure for epoch, figure in zip(epochs.tolist(), by_epoch.tolist(), strict=True)}
        stored["the end"] = float((label_N[own_N] == predicted_N[own_N]).mean())
        by_epoch_stated = facts.by_epoch("accuracy")
        stated = {f"epoch {epoch}": by_epoch_stated[i] for i, epoch in enumerate(facts.epochs)}
        for when, figure in {**stated, "the end": facts.figure("accuracy")}.items():
            if not abs(figure - stored[when]) < _ROUNDING:
                return _differ("accuracy", name, when, figure, stored[when])
    return told


def _precisions(record: Record, folder: Path) -> str:
    from registry.metrics import ranking

    table = read_columns(folder / "predictions.parquet", ("fold", "label", "scores"))
    fold_N = numbers(table, "fold")
    told = _other_folds(record, fold_N)
    for name, facts in record.folds.items() if not told else ():
        at = np.flatnonzero(fold_N == name)
        score_NC = np.array(table.column("scores").take(at).to_pylist(), np.float32)
        label_NC = np.zeros_like(score_NC)
        for i, own in enumerate(table.column("label").take(at).to_pylist()):
            label_NC[i, own] = 1
        stored = ranking(label_NC, score_NC).mean_average_precision
        if not abs(stored - facts.figure("mAP")) < _ROUNDING:
            return _differ("mAP", name, "the end", facts.figure("mAP"), stored)
    return told


def _other_folds(record: Record, fold_N: NDArray[np.int64]) -> str:
    stored, stated = sorted(set(fold_N.tolist())), sorted(record.folds)
    return "" if stored == stated else f"result.json states folds {stated}, and the predictions are of folds {stored}"


def _differ(metric: str, fold: int, when: str, stated: float, stored: float) -> str:
    return f"result.json states {metric} {stated:.4f} of fold {fold} at {when}, and the predictions give {stored:.4f}"


def _clips(table: "Table", number: dict[str, int]) -> tuple[NDArray[np.int64], dict[str, int]]:
    """The number of every row's clip; clips get new ones where ``number`` is empty, and -1 where it lacks them."""
    parts = [part for part in table.column("clip").chunks if len(part)]
    if not parts:
        return np.empty(0, np.int64), number
    names = parts[0].dictionary.to_pylist()
    number = number or {name: i for i, name in enumerate(names)}
    known = np.arange(len(names)) if names == list(number) else np.array([number.get(name, -1) for name in names])
    return known[np.concatenate([np.from_dlpack(part.indices) for part in parts])], number
