"""What a protocol predicted, as files and as figures."""

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
from registry.metrics import ranking
from registry.protocols import Outcome


def write(outcomes: Sequence[Outcome], pack: Pack, seen_N: NDArray[np.bool_], folder: Path) -> None:
    """Writes ``predictions.parquet``, a row a test clip, and ``epochs.parquet``, a row a test clip and epoch.

    Args:
        outcomes: one a fold.
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


def figures(outcomes: Sequence[Outcome], pack: Pack) -> tuple[str, dict[int, Fold]]:
    """The chief metric, and the figures of every fold."""
    several = pack.labels.ndim > 1
    of_fold = _rankings if several else _accuracies
    folds = {
        outcome.fold: Fold(clips=len(outcome.clips), epochs=outcome.epochs, **of_fold(outcome, pack), **outcome.facts)
        for outcome in outcomes
    }
    return "mAP" if several else "accuracy", folds


def _accuracies(outcome: Outcome, pack: Pack) -> dict[str, Any]:
    accuracy = (outcome.predicted == pack.labels[outcome.clips]).mean(1).tolist()
    return {"accuracy": accuracy[-1], "accuracy_by_epoch": accuracy if outcome.epochs else []}


def _rankings(outcome: Outcome, pack: Pack) -> dict[str, Any]:
    found = ranking(pack.labels[outcome.clips].astype(np.float32), outcome.scores)
    return {"mAP": found.mean_average_precision, "auc": found.auc, "d_prime": found.d_prime, "classes": found.classes}


def _predictions(outcome: Outcome, pack: Pack, seen_N: NDArray[np.bool_]) -> pd.DataFrame:
    """One row a test clip: fold, clip, what it was cut from, whether pretraining saw it, label, and what was predicted
    after the last epoch.
    """
    return pd.DataFrame(
        {
            "fold": outcome.fold,
            "clip": [pack.ids[i] for i in outcome.clips],
            "source": [pack.sources[i] for i in outcome.clips],
            "seen": seen_N[outcome.clips],
            "label": [
                label if pack.labels.ndim == 1 else np.flatnonzero(label) for label in pack.labels[outcome.clips]
            ],
            "predicted": outcome.predicted[-1],
            "scores": list(outcome.scores),
        }
    )


def _curve(outcome: Outcome, pack: Pack) -> pd.DataFrame:
    """One row a test clip and epoch: what was predicted after it."""
    epochs, clips = len(outcome.epochs), len(outcome.clips)
    return pd.DataFrame(
        {
            "fold": outcome.fold,
            "epoch": np.repeat(np.array(outcome.epochs, np.int64), clips),
            "clip": np.tile(np.array([pack.ids[i] for i in outcome.clips], object), epochs),
            "predicted": outcome.predicted.reshape(-1) if epochs else np.empty(0, np.int64),
        }
    )
