"""A leaderboard as Markdown, HTML, LaTeX, CSV or JSON, and on the terminal."""

import csv
import html
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from benchmark.store.files import json_text
from leaderboard.grid import Grid, grids
from leaderboard.notes import notes
from leaderboard.table import Cell, Figure, Table
from leaderboard.terminal import print_grid
from registry.metrics import Metric
from registry.targets.one_label import OneLabel
from registry.targets.several_labels import SeveralLabels
from registry.text import no_formula, visible

if TYPE_CHECKING:
    from rich.console import Console


def render(table: Table, form: str) -> str:
    """The table as text: Markdown (``md``), a fragment of ``html``, ``latex``, ``csv`` or ``json``."""
    return {"md": _markdown, "html": _html, "latex": _latex, "csv": _csv, "json": _json}[form](table)


def render_all(tables: Sequence[Table], form: str) -> str:
    """Tables as one text. In JSON one table is an object, and several are a list of them: a document in any case."""
    if form == "json" and len(tables) != 1:
        return json_text([_document(table) for table in tables], indent=1) + "\n"
    return "\n".join(render(table, form) for table in tables)


def show(table: Table, console: "Console") -> None:
    """Prints the table on a terminal; on a narrow one each protocol in a table of its own."""
    for grid in grids(table):
        print_grid(
            console,
            f"{table.facts.title} · {grid.title}",
            grid.header,
            [[cell.text for cell in row] for row in grid.rows],
            words=grid.left,
            keys=grid.left,
            sections=grid.sections,
            bold={(n, i) for n, row in enumerate(grid.rows) for i, cell in enumerate(row) if cell.best},
        )
    for note in notes(table):
        console.print(f"  {visible(note)}", highlight=False, markup=False, emoji=False)


def _markdown(table: Table) -> str:
    lines = [f"# {plain_markdown(table.facts.title)}", ""]
    for grid in grids(table):
        escaped = _escaped(grid, plain_markdown)
        lines += [f"## {escaped.title}", "", _tabulate(escaped, "pipe", lambda text: f"**{text}**"), ""]
    lines += [f"- {plain_markdown(note)}" for note in notes(table)]
    return "\n".join(lines) + "\n"


def _html(table: Table) -> str:
    """A heading, a table for each task and set of columns, and the notes as a list."""
    lines = [f"<h3>{_plain_html(table.facts.title)}</h3>"]
    for grid in grids(table):
        escaped = _escaped(grid, _plain_html)
        lines += [f"<h4>{escaped.title}</h4>", _tabulate(escaped, "unsafehtml", lambda text: f"<b>{text}</b>")]
    return "\n".join([*lines, "<ul>", *(f"<li>{_plain_html(note)}</li>" for note in notes(table)), "</ul>"]) + "\n"


def _plain_html(text: str) -> str:
    return html.escape(visible(text))


def _latex(table: Table) -> str:
    """Tables for a paper, with the notes below them as comments."""
    lines = []
    for grid in grids(table):
        escaped = _escaped(grid, _plain_latex)
        lines += [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{_plain_latex(table.facts.title)}: {escaped.title}}}",
            _tabulate(escaped, "latex_raw", lambda text: f"\\textbf{{{text}}}"),
            "\\end{table}",
            "",
        ]
    return "\n".join([*lines, *(f"% {visible(note)}" for note in notes(table))]) + "\n"


def _escaped(grid: Grid, escape: Callable[[str], str]) -> Grid:
    rows = [[replace(cell, text=escape(cell.text)) for cell in row] for row in grid.rows]
    return replace(grid, title=escape(grid.title), header=list(map(escape, grid.header)), rows=rows)


def _tabulate(grid: Grid, form: str, bold: Callable[[str], str]) -> str:
    from tabulate import tabulate

    rows = [[bold(cell.text) if cell.best else cell.text for cell in row] for row in grid.rows]
    align = ["left" if i in grid.left else "right" for i in range(len(grid.header))]
    return tabulate(rows, grid.header, tablefmt=form, colalign=align, disable_numparse=True)


# Characters that CommonMark and GitHub's tables and formulas take for markup, only where they do: ``_`` not inside a
# word, ``<`` and ``&`` before the name of a tag or an entity, the brackets of a link, a character that begins a list or
# ends a heading.
_MARKUP = re.compile(
    r"[\\`*|~$]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=[#\w]+;)|\](?=[\[(:])|(?:^|(?<=\s))#(?=#*$)|^[#+>-](?=#*\s)"
)


def plain_markdown(text: str) -> str:
    """A text that Markdown shows as it is."""
    return _MARKUP.sub(lambda match: "\\" + match[0], visible(text))


_SPECIAL = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
}


def _plain_latex(text: str) -> str:
    """A text that LaTeX shows as it is. A leading star or bracket is put in braces: LaTeX adds it to the row above."""
    plain = "".join(_SPECIAL.get(sign, sign) for sign in visible(text))
    return f"{{{plain[0]}}}{plain[1:]}" if plain[:1] in ("*", "[") else plain


def _csv(table: Table) -> str:
    out = io.StringIO()
    rows = flat_cells(table)
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: no_formula(visible(x)) if isinstance(x, str) else x for name, x in row.items()})
    return out.getvalue()


def _json(table: Table) -> str:
    return json_text(_document(table), indent=1) + "\n"


def _document(table: Table) -> dict[str, Any]:
    pairs = [
        {"task": task, "protocol": protocol, **asdict(pair)}
        for (task, protocol), of_column in table.comparisons.items()
        for pair in of_column.pairs
    ]
    return {
        "name": table.name,
        **table.facts.to_json(),
        "selection": table.rule,
        "cells": [_plain(cell) for cell in table.cells],
        "pairs": pairs,
        "smallest": [
            {"task": task, "protocol": protocol, **asdict(of_column.smallest)}
            for (task, protocol), of_column in table.comparisons.items()
            if of_column.smallest
        ],
        "across": [asdict(across) for across in table.across],
    }


def _plain(cell: Cell) -> dict[str, Any]:
    """A cell as it stands in JSON: metrics are names."""
    plain = {**asdict(cell), "metric": cell.metric.name}
    for other in plain["others"].values():
        del other["metric"]
    return plain


def flat_cells(table: Table) -> list[dict[str, Any]]:
    """The cells as rows of plain values, by name of column, the same columns in each."""
    further = _further(table)
    return [_flat(cell, further) for cell in table.cells]


def _further(table: Table) -> list[Metric]:
    """The further metrics with columns: those of labels in every table, and those of the judges of this table."""
    judges = [OneLabel(), SeveralLabels(), *(measured.judge for measured in table.measured.values())]
    return list({metric.column: metric for judge in judges for metric in judge.metrics[1:]}.values())


def _columns(figure: Figure | None) -> Iterator[tuple[str, float | None]]:
    """The columns of a further metric: its figure, interval, and difference from the control; ends of names, values."""
    interval = figure.interval if figure else None
    against = figure.against_control if figure else None
    yield "", interval.mean if interval else None
    yield "_low", interval.low if interval else None
    yield "_high", interval.high if interval else None
    yield "_minus_control", against.difference.mean if against else None
    yield "_minus_control_low", against.difference.low if against else None
    yield "_minus_control_high", against.difference.high if against else None
    yield "_minus_control_p", against.p if against else None


def _flat(cell: Cell, further: Sequence[Metric]) -> dict[str, Any]:
    against, published, learned = cell.against_control, cell.published, cell.convergence
    return {
        "task": cell.task,
        "entry": cell.entry,
        "protocol": cell.protocol,
        "selection": cell.selection,
        "metric": cell.metric.name,
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
            f"{metric.column}{end}": value
            for metric in further
            for end, value in _columns(cell.others.get(metric.name))
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
