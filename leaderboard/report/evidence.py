"""The evidence that every section of a report is made from."""

import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from benchmark.jobs.pretrain import PretrainJob
from benchmark.ledger.plan import Plan, Row
from benchmark.store.job import AnyJob, Config, Job, Needs, R
from benchmark.store.store import Store
from leaderboard.figures import svg
from leaderboard.grid import Grid
from leaderboard.page.content import PageCell, PageColumn, PageTable, Picture
from leaderboard.table import Cell, Table
from registry.errors import Damaged

J = TypeVar("J", bound=AnyJob)


class _Epoch(BaseModel):
    """A line of a pretraining's log."""

    model_config = ConfigDict(extra="allow")

    epoch: Annotated[FiniteFloat, Field(ge=0)]
    loss: FiniteFloat


@dataclass(frozen=True)
class Drawing:
    """A drawing of the report, to be saved in its own file.

    Args:
        name: of the file, without a suffix.
        plot: the drawing.
    """

    name: str
    plot: Figure


@dataclass
class Evidence:
    """A leaderboard with its plan and records.

    Args:
        plan: of the suite.
        table: the leaderboard of the plan.
        store: of the records.
        data: the folder of data sets, if it is at hand.
        beside: the folder of the page.
        drawings: every drawing so far.
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
        """The protocols of the suite, by their columns' names."""
        return list(self.table.facts.protocols)

    def cells(self, task: str, protocol: str) -> list[Cell]:
        """The measured cells of a column, in the suite's order."""
        return [c for c in self.table.cells if (c.task, c.protocol) == (task, protocol) and c.mean is not None]

    def rows(self, entry: str, task: str | None = None, protocol: str | None = None) -> list[Row]:
        """The plan's rows of an entry; with a task or a protocol, only the rows of these."""
        return [
            row
            for row in self.plan.rows
            if row.entry == entry and task in (None, row.task) and protocol in (None, row.protocol)
        ]

    def needed(self, rows: list[Row], of_kind: type[J]) -> list[J]:
        """The jobs of a kind that rows need, each once, in the order of the rows."""
        needed: dict[str, J] = {}
        queue = deque(row.key for row in rows)
        while queue:
            job = self.plan.jobs[queue.popleft()]
            queue += job.needs.all_keys()
            if isinstance(job, of_kind):
                needed[job.key] = job
        return list(needed.values())

    def result(self, job: Job[Config, Needs, R]) -> R | None:
        """A job's record, if it is at hand."""
        return self.store.result(type(job), job.key) if self.store.done(job) else None

    def losses(self, job: PretrainJob) -> list[dict[str, Any]]:
        """The log of a pretraining, epoch by epoch; nothing if it is not at hand."""
        if not self.store.done(job):
            return []
        try:
            with self.store.opened("pretrain", job.key, "metrics.jsonl", large=False) as path:
                return [_Epoch.model_validate_json(line).model_dump() for line in path.read_bytes().splitlines()]
        except Damaged:  # the store remembers it
            return []

    def picture(self, name: str, title: str, plot: Figure, alt: str, caption: str = "") -> Picture:
        """A picture for the page; its drawing is kept, so that it can be saved, too."""
        self.drawings.append(Drawing(name, plot))
        return Picture(name, title, svg(plot, name), alt, caption)


def name_of(*words: str) -> str:
    """A name for ids and files."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def page_table(grid: Grid, row_names: int = 1, *, open_: bool = True) -> PageTable:
    """A grid of text as a table of the page."""
    columns = [PageColumn(name, "text" if i in grid.left else "number") for i, name in enumerate(grid.header)]
    rows = [[PageCell(one.text, one.value, best=one.best) for one in row] for row in grid.rows]
    return PageTable(name_of(grid.title), grid.title, columns, rows, row_names=row_names, copy=True, open=open_)
