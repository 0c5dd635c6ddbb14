"""A leaderboard in the formats of others, so that their readers can read it. Each format is a file, found by its name.

Every figure stays one of audiobench's protocol, and says so: names of tasks that others measure by protocols of their
own are never used alone.
"""

import math
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, cast
from urllib.parse import quote

from leaderboard.measured import Measured
from leaderboard.selection import MEANING
from leaderboard.table import Cell, Table

FORMATS = ("hear", "mteb", "hf")
Documents = Mapping[str, str]  # the text of each file, by its path below a folder


def documents(table: Table, form: str) -> Documents:
    """The files of a leaderboard in one of ``FORMATS``: those of every entry that is measured, and of these alone."""
    make = cast(Callable[[Table], Documents], import_module(f".{form}", __package__).documents)
    return make(table)


def measured_cells(table: Table) -> list[tuple[Cell, Measured]]:
    """The cells that have a figure, each with its records."""
    return [
        (cell, table.measured[cell.entry, cell.task, cell.protocol]) for cell in table.cells if cell.mean is not None
    ]


def file_name(text: str) -> str:
    """A name as one part of a path, on every system; a sign that some system refuses is written as ``%`` and digits."""
    quoted = quote(text, safe=" ()+,=@", errors="backslashreplace")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


def by_fold(measured: Measured) -> dict[int, dict[str, float]]:
    """For each fold, the mean over seeds and draws of every metric that is defined, by its column."""
    columns = {metric.name: metric.column for metric in measured.judge.metrics}
    return {
        fold: {columns[name]: figure for name, figure in of_fold.observed().items() if not math.isnan(figure)}
        for fold, of_fold in sorted(measured.answers.items())
    }


def statement(table: Table, cell: Cell, measured: Measured) -> dict[str, Any]:
    """What a figure is: whose protocol, which selection, its interval, and the records that it was computed from."""
    return {
        "note": note(cell),
        "suite": table.name,
        "entry": cell.entry,
        "task": table.facts.tasks[cell.task].name,
        "folds": sorted(measured.answers),
        "official_folds": cell.official_folds,
        "protocol": cell.protocol,
        "selection": cell.selection,
        "metric": cell.metric.column,
        "figure": cell.mean,
        "low": cell.interval.low if cell.interval else None,
        "high": cell.interval.high if cell.interval else None,
        "deviation_over_folds": cell.deviation,
        "seeds": cell.seeds,
        "draws": cell.draws,
        "clips": cell.clips,
        "seen_in_pretraining": cell.seen,
        "labels_seen": cell.labels_seen,
        "data": measured.data_hash,
        "records": measured.keys,
    }


def note(cell: Cell) -> str:
    """The same in words, with everything that a reader must know to compare the figure with another."""
    several = f", {cell.seeds} seeds" if cell.seeds > 1 else ""
    sentences = [
        f"Measured by audiobench under its protocol {cell.protocol} on {cell.task}, not under a protocol of another"
        f" benchmark: {cell.metric.name}, mean over {cell.folds} of {cell.official_folds} folds{several}."
    ]
    if cell.interval:
        low, high = cell.metric.write(cell.interval.low, cell.interval.high)
        unit = "recordings" if cell.by_recording else "clips"
        sentences.append(f"95 % interval by bootstrap over {unit}: {low} to {high}.")
    chosen = "K was chosen inside the training folds." if cell.k else MEANING[cell.selection]
    sentences.append(f"Selection {cell.selection}: {chosen}")
    if cell.seen:
        learned = "with" if cell.labels_seen else "without"
        sentences.append(f"The pretraining corpus holds {cell.seen} of the {cell.clips} test clips, {learned} labels.")
    return " ".join(sentences)
