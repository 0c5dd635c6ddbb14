"""Writes a protocol's predictions into files, and computes their figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmark.jobs.embedding import require_finite
from benchmark.jobs.evaluate import Fold
from benchmark.jobs.packing import Pack
from registry.metrics import Judge
from registry.protocols import Outcome
from registry.targets import find_target


def write(outcomes: Sequence[Outcome], pack: Pack, seen_N: NDArray[np.bool_], folder: Path) -> None:
    """Writes ``predictions.parquet``, with a row for each test clip, and ``epochs.parquet``, for each clip and epoch.

    Args:
        outcomes: one for each fold.
        pack: of the task.
        seen_N: which of its clips the encoder's pretraining saw.
        folder: to write into.

    Raises:
        Mistake: with the first clip whose score is not finite.
    """
    for outcome in outcomes:
        require_finite(torch.from_numpy(outcome.scores), [pack.ids[i] for i in outcome.clips], "the score")
    last = pd.concat([_predictions(outcome, pack, seen_N) for outcome in outcomes])
    last.to_parquet(folder / "predictions.parquet", index=False)
    curves = pd.concat([_curve(outcome, pack) for outcome in outcomes])
    curves.to_parquet(folder / "epochs.parquet", index=False)


def figures(outcomes: Sequence[Outcome], pack: Pack, judge: Judge) -> dict[int, Fold]:
    """The figures of every fold, by the columns of the judge's metrics; None for a figure that is not defined."""
    folds = {}
    for outcome in outcomes:
        label = pack.labels[outcome.clips]
        at_end = judge.figures(label, outcome.predicted[-1:], outcome.scores[None])
        of_fold: dict[str, Any] = {metric.column: _defined(at_end[metric.name][0]) for metric in judge.metrics}
        if outcome.epochs and not judge.uses_scores:
            by_epoch = judge.figures(label, outcome.predicted)[judge.chief.name]
            of_fold[f"{judge.chief.column}_by_epoch"] = by_epoch.tolist()
        folds[outcome.fold] = Fold(clips=len(label), epochs=outcome.epochs, **of_fold, **outcome.chosen)
    return folds


def _defined(figure: np.float64) -> float | None:
    return float(figure) if np.isfinite(figure) else None


def _predictions(outcome: Outcome, pack: Pack, seen_N: NDArray[np.bool_]) -> pd.DataFrame:
    """A row for each test clip: fold, clip, source, whether pretraining saw it, label, and the last prediction."""
    return pd.DataFrame(
        {
            "fold": outcome.fold,
            "clip": [pack.ids[i] for i in outcome.clips],
            "source": [pack.sources[i] for i in outcome.clips],
            "seen": seen_N[outcome.clips],
            "label": find_target(pack.target).listed(pack.labels[outcome.clips]),
            "predicted": outcome.predicted[-1],
            "scores": list(outcome.scores),
        }
    )


def _curve(outcome: Outcome, pack: Pack) -> pd.DataFrame:
    """A row for each test clip and epoch, with the prediction after this epoch."""
    epochs, clips = len(outcome.epochs), len(outcome.clips)
    return pd.DataFrame(
        {
            "fold": outcome.fold,
            "epoch": np.repeat(np.array(outcome.epochs, np.int64), clips),
            "clip": np.tile(np.array([pack.ids[i] for i in outcome.clips], object), epochs),
            "predicted": outcome.predicted.reshape(-1)[: epochs * clips],
        }
    )
