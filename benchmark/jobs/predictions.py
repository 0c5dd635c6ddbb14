"""Writes a protocol's predictions into files, and computes their figures."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
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

_ROWS_AT_ONCE = 2**16


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
    _write(folder / "predictions.parquet", (_predictions(outcome, pack, seen_N) for outcome in outcomes))
    _write(folder / "epochs.parquet", (table for outcome in outcomes for table in _curve(outcome, pack)))


def _write(path: Path, tables: Iterable[pd.DataFrame]) -> None:
    """Writes tables one below the other. So many rows at a time are in memory as are a group of rows in the file."""
    from pyarrow import Table
    from pyarrow.parquet import ParquetWriter

    with ExitStack() as stack:
        writer: ParquetWriter | None = None
        for group in _groups(tables):
            table = Table.from_pandas(group, writer and writer.schema, preserve_index=False, nthreads=1)
            writer = writer or stack.enter_context(ParquetWriter(path, table.schema))
            writer.write_table(table)


def _groups(tables: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The rows of all tables, in groups of ``_ROWS_AT_ONCE``, except the last."""
    waiting: list[pd.DataFrame] = []
    for table in tables:
        waiting.append(table)
        while sum(map(len, waiting)) > _ROWS_AT_ONCE:
            joined = pd.concat(waiting)
            yield joined[:_ROWS_AT_ONCE]
            waiting = [joined[_ROWS_AT_ONCE:]]
    yield pd.concat(waiting)


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


def _curve(outcome: Outcome, pack: Pack) -> Iterator[pd.DataFrame]:
    """For each epoch, a row for each test clip with the prediction after this epoch; no rows if there are no epochs."""
    clip_N = np.array([pack.ids[i] for i in outcome.clips], object)
    rows = [(epoch, clip_N, outcome.predicted[e]) for e, epoch in enumerate(outcome.epochs)]
    for epoch, clips, predicted in rows or [(0, clip_N[:0], outcome.predicted[0, :0])]:
        yield pd.DataFrame({"fold": outcome.fold, "epoch": epoch, "clip": clips, "predicted": predicted})
