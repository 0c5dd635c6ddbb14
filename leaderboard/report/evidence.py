"""What every part of a report is made from."""

import json
import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from matplotlib.figure import Figure as Plot

from benchmark.jobs.pretrain import PretrainJob
from benchmark.ledger.plan import Plan, Row
from benchmark.store.job import AnyJob, Config, Job, Needs, R
from benchmark.store.store import Store
from leaderboard import grid
from leaderboard.figures import svg
from leaderboard.page.content import Cell, Column, Figure, Grid
from leaderboard.table import Cell as Measurement
from leaderboard.table import Table

J = TypeVar("J", bound=AnyJob)


@dataclass(frozen=True)
class Drawing:
    """A figure of the report, to be saved by itself.

    Args:
        name: of its file, without a suffix.
        plot: drawn.
    """

    name: str
    plot: Plot


@dataclass
class Evidence:
    """A leaderboard with its plan and records.

    Args:
        plan: of the suite.
        table: made from it.
        store: of the records.
        data: the folder of data sets, if it is at hand.
        beside: the folder that the page will lie in.
        drawings: every figure so far.
    """

    plan: Plan
    table: Table
    store: Store
    data: Path | None
    beside: Path
    drawings: list[Drawing] = field(default_factory=list)

    @property
    def tasks(self) -> list[str]:
        """The columns of the suite."""
        return list(self.table.facts.tasks)

    @property
    def protocols(self) -> list[str]:
        """Of the suite."""
        return list(self.table.facts.protocols)

    def cells(self, task: str, protocol: str) -> list[Measurement]:
        """What is measured of a column, in the suite's order."""
        return [c for c in self.table.cells if (c.task, c.protocol) == (task, protocol) and c.mean is not None]

    def rows(self, entry: str, task: str | None = None, protocol: str | None = None) -> list[Row]:
        """The rows of the plan that an entry has, on a task and under a protocol if they are named."""
        return [
            row
            for row in self.plan.rows
            if row.entry == entry and task in (None, row.task) and protocol in (None, row.protocol)
        ]

    def needed(self, rows: list[Row], of_kind: type[J]) -> list[J]:
        """The jobs of a kind that rows rest on, each once, the first row's first."""
        found: dict[str, J] = {}
        queue = deque(row.key for row in rows)
        while queue:
            job = self.plan.jobs[queue.popleft()]
            queue += job.needs.all_keys()
            if isinstance(job, of_kind):
                found[job.key] = job
        return list(found.values())

    def result(self, job: Job[Config, Needs, R]) -> R | None:
        """A job's record, if it is at hand."""
        return self.store.result(type(job), job.key) if self.store.done(job) else None

    def losses(self, job: PretrainJob) -> list[dict[str, Any]]:
        """What a pretraining logged, epoch by epoch; nothing if it is not at hand."""
        if not self.store.done(job):
            return []
        path = self.store.folder(job) / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def figure(self, name: str, title: str, plot: Plot, alt: str, caption: str = "") -> Figure:
        """A figure for the page, kept to be saved as well."""
        self.drawings.append(Drawing(name, plot))
        return Figure(name, title, svg(plot, name), alt, caption)


def name_of(*parts: str) -> str:
    """A name for ids and files."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")


def page_grid(found: grid.Grid, row_names: int = 1, *, open_: bool = True) -> Grid:
    """A grid of text as a table of the page."""
    columns = [Column(name, "text" if i in found.left else "number") for i, name in enumerate(found.header)]
    rows = [[Cell(one.text, one.value, best=one.best) for one in row] for row in found.rows]
    return Grid(name_of(found.title), found.title, columns, rows, row_names=row_names, copy=True, open=open_)
