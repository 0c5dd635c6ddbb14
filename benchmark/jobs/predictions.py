"""Writes a protocol's predictions into files, and computes their figures."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.jobs.embedding import require_finite
from benchmark.jobs.evaluate import Fold
from benchmark.jobs.packing import Pack
from benchmark.store.columns import column_of
from registry.metrics import Judge
from registry.protocols import Outcome
from registry.targets import find_target

if TYPE_CHECKING:
    from pyarrow import Table

_ROWS_AT_ONCE = 2**16
_PAGE = 2**16  # bytes; in pages of a megabyte, Parquet's default, writing takes 30 MB more, and the files no less


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
        require_finite(torch.from_numpy(outcome.scores), pack.ids.take(column_of(outcome.clips)), "the score")
    _write(
        folder / "predictions.parquet", (table for outcome in outcomes for table in _predictions(outcome, pack, seen_N))
    )
    _write(folder / "epochs.parquet", (table for outcome in outcomes for table in _curve(outcome, pack)))


def _write(path: Path, tables: Iterable["Table"]) -> None:
    """Writes tables one below the other. So many rows at a time are in memory as are a group of rows in the file."""
    from pyarrow.parquet import ParquetWriter

    with ExitStack() as stack:
        writer: ParquetWriter | None = None
        for group in _groups(tables):
            writer = writer or stack.enter_context(
                ParquetWriter(path, group.schema, data_page_size=_PAGE, dictionary_pagesize_limit=_PAGE)
            )
            writer.write_table(group)


def _groups(tables: Iterable["Table"]) -> Iterator["Table"]:
    """The rows of all tables, in groups of ``_ROWS_AT_ONCE``, except the last."""
    from pyarrow import concat_tables

    waiting: list[Table] = []
    for table in tables:
        waiting = [concat_tables([*waiting, table])]
        while len(waiting[0]) > _ROWS_AT_ONCE:
            yield waiting[0][:_ROWS_AT_ONCE]
            waiting = [waiting[0][_ROWS_AT_ONCE:]]
    yield waiting[0]


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


def _predictions(outcome: Outcome, pack: Pack, seen_N: NDArray[np.bool_]) -> Iterator["Table"]:
    """A row for each test clip: fold, clip, source, whether pretraining saw it, label, and the last prediction."""
    from pyarrow import table

    target = find_target(pack.target)
    for first in range(0, len(outcome.clips), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        clips = outcome.clips[rows]
        label = pack.labels[clips]
        yield table(
            {
                "fold": column_of(np.full(len(clips), outcome.fold)),
                "clip": pack.ids.take(column_of(clips)),
                "source": pack.sources.take(column_of(clips)),
                "seen": column_of(seen_N[clips]),
                "label": column_of(label if label.ndim == 1 else target.listed(label)),
                "predicted": column_of(outcome.predicted[-1, rows]),
                "scores": column_of(outcome.scores[rows]),
            }
        )


def _curve(outcome: Outcome, pack: Pack) -> Iterator["Table"]:
    """For each epoch, a row for each test clip with the prediction after this epoch; no rows if there are no epochs."""
    from pyarrow import table

    clip_N = pack.ids.take(column_of(outcome.clips))
    rows = [(epoch, clip_N, outcome.predicted[e]) for e, epoch in enumerate(outcome.epochs)]
    for epoch, clips, predicted in rows or [(0, clip_N[:0], outcome.predicted[0, :0])]:
        fold, of_epoch = np.full(len(clips), outcome.fold), np.full(len(clips), epoch)
        columns = {"fold": column_of(fold), "epoch": column_of(of_epoch), "clip": clips}
        yield table({**columns, "predicted": column_of(predicted)})
