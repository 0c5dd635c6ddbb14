"""A leaderboard as Markdown, CSV or JSON, and on the terminal."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.files import replace_file
from benchmark.store import Store
from leaderboard.class_wise import METRICS
from leaderboard.published import known_faults
from leaderboard.table import Cell, Table

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("md", "csv", "json")


def render(table: Table, form: str) -> str:
    """The table as text in one of ``FORMATS``."""
    return {"md": _markdown, "csv": _csv, "json": _json}[form](table)


def write_markdown(table: Table, store: Store) -> Path:
    """Writes the Markdown beside the records, and says where."""
    path = store.root / "leaderboards" / f"{table.name.replace('/', '%')}.md"
    replace_file(path, lambda aside: aside.write_text(render(table, "md")))
    return path


def show(table: Table, console: "Console") -> None:
    """Prints the table on a terminal."""
    from rich.table import Table as Grid

    for task in table.facts["tasks"]:
        header, rows = _grid(table, task)
        grid = Grid(title=f"{table.title} · {_heading(table, task)}", title_justify="left")
        for i, column in enumerate(header):
            grid.add_column(column, justify="left" if i == 0 else "right")
        for row in rows:
            grid.add_row(*row)
        console.print(grid)
    for title, header, rows in _class_grids(table):
        grid = Grid(*header, title=title, title_justify="left")
        for row in rows:
            grid.add_row(*row)
        console.print(grid)
    for note in _notes(table):
        console.print(f"  {note}", highlight=False, markup=False)


def _markdown(table: Table) -> str:
    from tabulate import tabulate

    parts = [f"# {table.title}", ""]
    for task in table.facts["tasks"]:
        header, rows = _grid(table, task)
        align = ["left", *["right"] * (len(header) - 1)]
        parts += [
            f"## {_heading(table, task)}",
            "",
            tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True),
            "",
        ]
    for title, header, rows in _class_grids(table):
        align = ["left", *["right"] * (len(header) - 1)]
        text = tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True)
        parts += [f"## {title}", "", text, ""]
    parts += [f"- {note}" for note in _notes(table)]
    return "\n".join(parts) + "\n"


def _heading(table: Table, task: str) -> str:
    """The task, and its folds where they are not all of the data set's."""
    asked = table.facts["tasks"][task]
    official = next(cell.official_folds for cell in table.cells if cell.task == task)
    return task if len(asked) == official else f"{task} (folds {', '.join(map(str, asked))} of {official})"


def _grid(table: Table, task: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of one task: for each protocol the accuracy, and beside it the control and published figures."""
    cells = [cell for cell in table.cells if cell.task == task]
    protocols = [p for p in table.facts["protocols"] if any(cell.protocol == p for cell in cells)]
    header, columns = ["entry"], []
    for protocol in protocols:
        own = [cell for cell in cells if cell.protocol == protocol]
        selection = next((cell.selection for cell in own if cell.selection), "")
        header.append(f"{protocol} ({selection})" if selection else protocol)
        columns.append((protocol, _measured))
        if any(cell.auc is not None for cell in own):
            header += ["AUC", "d'"]
            columns += [(protocol, _auc), (protocol, _d_prime)]
        if any(cell.against_control for cell in own):
            others = table.facts.get("controls")
            header.append(f"minus {'control' if others else table.facts['control']} [95 %]")
            columns.append((protocol, _against_control))
        if any(cell.published for cell in own):
            header.append("published (difference)" if any("(" in _published(cell) for cell in own) else "published")
            columns.append((protocol, _published))
            if any(cell.comparable for cell in own):
                header.append("verdict")
                columns.append((protocol, lambda cell: cell.verdict))
    costs = {name: text for name, text in _COSTS.items() if any(map(text, cells))}
    header += costs
    rows = []
    for entry in dict.fromkeys(cell.entry for cell in cells):
        found = {cell.protocol: cell for cell in cells if cell.entry == entry}
        row = [entry + _mark(found.values()), *(text(found[p]) if p in found else "" for p, text in columns)]
        row += [next(filter(None, map(text, found.values())), "") for text in costs.values()]
        rows.append(row)
    return header, rows


def _class_grids(table: Table) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, header and rows of each task that is shown class by class."""
    grids = []
    for task in dict.fromkeys(one.task for one in table.classes):
        own = [one for one in table.classes if one.task == task]
        beside = any(one.published for one in own)
        header = ["class", "clips", "entry", "protocol"]
        for metric in METRICS:
            header += [metric, "published"] if beside else [metric]
        rows = []
        for one in sorted(own, key=lambda one: one.name):
            row = [one.name, str(one.support), one.entry, one.protocol]
            for metric in METRICS:
                row.append(f"{one.measured[metric]:.3f}")
                row += [f"{one.published[metric]:.3f}" if metric in one.published else ""] if beside else []
            rows.append(row)
        grids.append((f"{task}, fold {own[0].fold}, class by class", header, rows))
    return grids


_COSTS: dict[str, Callable[[Cell], str]] = {
    "parameters": lambda cell: f"{cell.parameters:,}" if cell.parameters is not None else "",
    "clips/s": lambda cell: f"{cell.clips_per_second:.0f}" if cell.clips_per_second is not None else "",
    "steps/s": lambda cell: f"{cell.steps_per_second:.2f}" if cell.steps_per_second is not None else "",
}


# What marks an entry that was pretrained on recordings of the test folds, by whether it learned their labels.
_SEEN = {
    False: ("†", "Transductive: the pretraining corpus holds recordings of the test folds, without labels"),
    True: ("‡", "Not a fair figure: labels of recordings of the test folds were learned in pretraining"),
}


def _mark(cells: Iterable[Cell]) -> str:
    learned = {cell.labels_seen for cell in cells if cell.mean is not None and cell.seen}
    return "".join(f" {mark}" for labels, (mark, _) in _SEEN.items() if labels in learned)


def _measured(cell: Cell) -> str:
    if cell.mean is None:
        return "" if cell.published and cell.entry == cell.published.row else "not run"
    text = f"{cell.mean:.3f}" + (f" ± {cell.deviation:.3f}" if cell.deviation is not None else "")
    return text if cell.complete else f"{text} ({cell.folds}/{cell.of_folds} folds)"


def _auc(cell: Cell) -> str:
    return f"{cell.auc:.3f}" if cell.auc is not None else ""


def _d_prime(cell: Cell) -> str:
    return f"{cell.d_prime:.3f}" if cell.d_prime is not None else ""


def _against_control(cell: Cell) -> str:
    difference = cell.against_control
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]" if difference else ""


def _published(cell: Cell) -> str:
    if cell.published is None:
        return ""
    text = f"{cell.published.score:.3f}"
    return f"{text} ({cell.mean - cell.published.score:+.3f})" if cell.mean is not None and cell.comparable else text


def _notes(table: Table) -> list[str]:
    """What a reader must know beside the figures."""
    measured = [cell for cell in table.cells if cell.mean is not None]
    ranked = list(dict.fromkeys(cell.task for cell in measured if cell.metric == "mAP"))
    notes = ["Accuracy, mean over folds ± standard deviation over folds" + _seeds(measured) + "."]
    if ranked:
        notes.append(f"Of {', '.join(ranked)}: mean average precision, AUC and d' over classes, without an interval.")
    rules = {cell.selection for cell in measured}
    if "last" in rules:
        notes.append("last: figures after the last epoch.")
    if "best-mean" in rules:
        notes.append("best-mean: the epoch with the best mean over the test folds, which is optimistic.")
    if "inner" in rules:
        tasks = dict.fromkeys(cell.task for cell in measured if cell.k)
        chosen = {
            task: "; ".join(f"{c.entry} {', '.join(map(str, c.k))}" for c in measured if c.k and c.task == task)
            for task in tasks
        }
        listed = ". ".join(f"{task}: {ks}" if len(tasks) > 1 else ks for task, ks in chosen.items())
        notes.append(f"inner: K chosen by cross-validation inside the training folds ({listed}).")
    if any(cell.against_control for cell in measured):
        notes.append("95 % intervals: paired bootstrap over clips within folds, 10,000 draws.")
    others = table.facts.get("controls", {})
    if others:
        pairs = ", ".join(f"{control} of {entry}" for entry, control in others.items())
        notes.append(f"Controls: {pairs}; of all others {table.facts['control']}.")
    for learned, (mark, meaning) in _SEEN.items():
        seen: dict[tuple[int, str], dict[str, None]] = {}  # entries, each once, by how much of which task
        for cell in measured:
            if cell.seen and cell.labels_seen == learned:
                seen.setdefault((cell.seen, cell.task), {})[cell.entry] = None
        if seen:
            shares = "; ".join(f"{count} clips of {task} ({', '.join(own)})" for (count, task), own in seen.items())
            notes.append(f"{mark} {meaning}: {shares}.")
    devices = dict.fromkeys(cell.device for cell in measured if cell.device)
    if devices:
        notes.append(f"clips/s: whole clips embedded a second, front end included, on {', '.join(devices)}.")
    missing = {cell.task: cell.missing for cell in measured if cell.missing}
    if missing:
        listed = ", ".join(f"{count} of {task}" for task, count in missing.items())
        notes.append(f"Recordings that were not there: {listed}. Figures on other clips are other figures.")
    skipped = max((cell.skipped for cell in measured), default=0)
    if skipped:
        notes.append(f"{skipped} unusable recordings were left out.")
    reasons = dict.fromkeys(reason for cell in measured for reason in cell.hindrances)
    if reasons:
        notes.append(f"Not comparable with the published figures, so without a difference: {'; '.join(reasons)}.")
    if any(cell.comparable for cell in measured):
        notes.append("verdict: whether the published figure lies within the measured one's 95 % interval.")
    notes += [
        f"{c.published.row}, {c.protocol}: {c.published.note}." for c in table.cells if c.published and c.published.note
    ]
    notes += known_faults(table.facts["reproduces"])
    papers = sorted({c.published.source for c in measured if c.published})
    others = [c.published for c in table.cells if c.published and c.mean is None and c.published.source not in papers]
    sources = sorted({f"{figure.row}: {figure.source}" for figure in others})
    notes += [f"Published: {source}." for source in [*papers, *sources]]
    return notes


def _seeds(cells: list[Cell]) -> str:
    seeds = max((cell.seeds for cell in cells), default=1)
    return f", each fold the mean of {seeds} seeds" if seeds > 1 else ""


def _csv(table: Table) -> str:
    out = io.StringIO()
    rows = [_flat(cell) for cell in table.cells]
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _json(table: Table) -> str:
    return (
        json.dumps({"name": table.name, **table.facts, "cells": [asdict(cell) for cell in table.cells]}, indent=1)
        + "\n"
    )


def _flat(cell: Cell) -> dict[str, Any]:
    against, published = cell.against_control, cell.published
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
        "folds": cell.folds,
        "of_folds": cell.of_folds,
        "official_folds": cell.official_folds,
        "seeds": cell.seeds,
        "auc": cell.auc,
        "d_prime": cell.d_prime,
        "clips": cell.clips,
        "k": " ".join(map(str, cell.k)),
        "minus_control": against.mean if against else None,
        "minus_control_low": against.low if against else None,
        "minus_control_high": against.high if against else None,
        "published": published.score if published else None,
        "published_source": published.source if published else None,
        "verdict": cell.verdict,
        "hindrances": "; ".join(cell.hindrances),
        "seen_in_pretraining": cell.seen,
        "labels_seen": cell.labels_seen,
        "skipped": cell.skipped,
        "missing": cell.missing,
        "parameters": cell.parameters,
        "clips_per_second": cell.clips_per_second,
        "device": cell.device,
        "steps_per_second": cell.steps_per_second,
    }
