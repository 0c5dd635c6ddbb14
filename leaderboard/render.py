"""A leaderboard as Markdown, LaTeX, CSV or JSON, and on the terminal."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.files import replace_file
from benchmark.store import Store
from leaderboard.grid import Grid, grids
from leaderboard.metrics import AUC, D_PRIME, MACRO_F1
from leaderboard.notes import notes
from leaderboard.table import Cell, Figure, Table

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("md", "latex", "csv", "json")


def render(table: Table, form: str) -> str:
    """The table as text in one of ``FORMATS``."""
    return {"md": _markdown, "latex": _latex, "csv": _csv, "json": _json}[form](table)


def write_markdown(table: Table, store: Store) -> Path:
    """Writes the Markdown beside the records, and says where."""
    path = store.root / "leaderboards" / f"{table.name.replace('/', '%')}.md"
    replace_file(path, lambda aside: aside.write_text(render(table, "md")))
    return path


def show(table: Table, console: "Console") -> None:
    """Prints the table on a terminal."""
    from rich.table import Table as Lines
    from rich.text import Text as Styled

    for grid in grids(table):
        lines = Lines(title=f"{table.title} · {grid.title}", title_justify="left")
        for i, column in enumerate(grid.header):
            lines.add_column(column, justify="left" if i in grid.left else "right")
        for row in grid.rows:
            lines.add_row(*(Styled(cell.text, "bold" if cell.best else "") for cell in row))
        console.print(lines)
    for note in notes(table):
        console.print(f"  {note}", highlight=False, markup=False)


def _markdown(table: Table) -> str:
    parts = [f"# {table.title}", ""]
    for grid in grids(table):
        parts += [f"## {grid.title}", "", _tabulate(grid, "pipe", lambda text: f"**{text}**"), ""]
    parts += [f"- {note}" for note in notes(table)]
    return "\n".join(parts) + "\n"


def _latex(table: Table) -> str:
    """Tables for a paper, with the notes below them as comments."""
    parts = []
    for grid in grids(table):
        escaped = Grid(
            _escape(grid.title),
            list(map(_escape, grid.header)),
            [[replace(cell, text=_escape(cell.text)) for cell in row] for row in grid.rows],
            grid.left,
        )
        parts += [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{_escape(table.title)}: {escaped.title}}}",
            _tabulate(escaped, "latex_raw", lambda text: f"\\textbf{{{text}}}"),
            "\\end{table}",
            "",
        ]
    return "\n".join([*parts, *(f"% {note}" for note in notes(table))]) + "\n"


def _tabulate(grid: Grid, form: str, bold: Callable[[str], str]) -> str:
    from tabulate import tabulate

    rows = [[bold(cell.text) if cell.best else cell.text for cell in row] for row in grid.rows]
    align = ["left" if i in grid.left else "right" for i in range(len(grid.header))]
    return tabulate(rows, grid.header, tablefmt=form, colalign=align, disable_numparse=True)


_SPECIAL = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
}


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in text)


def _csv(table: Table) -> str:
    out = io.StringIO()
    rows = [_flat(cell) for cell in table.cells]
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _json(table: Table) -> str:
    pairs = [
        {"task": task, "protocol": protocol, **asdict(pair)}
        for (task, protocol), column in table.columns.items()
        for pair in column.pairs
    ]
    content = {
        "name": table.name,
        **table.facts,
        "selection": table.rule,
        "cells": [asdict(cell) for cell in table.cells],
        "pairs": pairs,
        "smallest": [
            {"task": task, "protocol": protocol, **asdict(column.smallest)}
            for (task, protocol), column in table.columns.items()
            if column.smallest
        ],
        "across": [asdict(across) for across in table.across],
    }
    return json.dumps(content, indent=1) + "\n"


_OTHERS = {"macro_f1": MACRO_F1, "auc": AUC, "d_prime": D_PRIME}


def _parts(found: Figure | None) -> Iterator[tuple[str, float | None]]:
    """A further metric's figure, interval, and difference from the control."""
    interval = found.interval if found else None
    against = found.against_control if found else None
    yield "", interval.mean if interval else None
    yield "_low", interval.low if interval else None
    yield "_high", interval.high if interval else None
    yield "_minus_control", against.difference.mean if against else None
    yield "_minus_control_low", against.difference.low if against else None
    yield "_minus_control_high", against.difference.high if against else None
    yield "_minus_control_p", against.p if against else None


def _flat(cell: Cell) -> dict[str, Any]:
    against, published, learned = cell.against_control, cell.published, cell.convergence
    return {
        "task": cell.task,
        "entry": cell.entry,
        "protocol": cell.protocol,
        "selection": cell.selection,
        "metric": cell.metric,
        "figure": cell.mean,
        "low": cell.interval.low if cell.interval else None,
        "high": cell.interval.high if cell.interval else None,
        "deviation": cell.deviation,
        "deviation_by_recordings": cell.deviations[0] if cell.deviations else None,
        "deviation_by_seeds": cell.deviations[1] if cell.deviations else None,
        "by_recording": cell.by_recording,
        "folds": cell.folds,
        "of_folds": cell.of_folds,
        "official_folds": cell.official_folds,
        "seeds": cell.seeds,
        "draws": cell.draws,
        **{
            f"{name}{part}": value
            for name, metric in _OTHERS.items()
            for part, value in _parts(cell.others.get(metric))
        },
        "clips": cell.clips,
        "k": " ".join(map(str, cell.k)),
        "rank_first": cell.rank.first if cell.rank else None,
        "rank_last": cell.rank.last if cell.rank else None,
        "minus_control": against.difference.mean if against else None,
        "minus_control_low": against.difference.low if against else None,
        "minus_control_high": against.difference.high if against else None,
        "minus_control_p": against.p if against else None,
        "epochs_to_mark": learned.epochs_to_mark if learned else None,
        "area_under_curve": learned.curve.area if learned else None,
        "published": published.score if published else None,
        "published_source": published.source if published else None,
        "verdict": cell.verdict,
        "hindrances": "; ".join(cell.hindrances),
        "seen_in_pretraining": cell.seen,
        "unseen": cell.unseen.mean if cell.unseen else None,
        "unseen_low": cell.unseen.low if cell.unseen else None,
        "unseen_high": cell.unseen.high if cell.unseen else None,
        "labels_seen": cell.labels_seen,
        "skipped": cell.skipped,
        "missing": cell.missing,
        "parameters": cell.parameters,
        "clips_per_second": cell.clips_per_second,
        "device": "; ".join(cell.devices),
        "steps_per_second": cell.steps_per_second,
    }
