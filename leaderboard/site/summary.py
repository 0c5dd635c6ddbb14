"""What the index of a site says of a suite."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, FiniteFloat

from benchmark.ledger.plan import Plan
from benchmark.store.store import Store
from leaderboard import grid as grids
from leaderboard.table import Cell, Table


class Best(BaseModel):
    """The best entry of a column, its figure, and the entries that are not told apart from it.

    ``tied`` is None where there are no ranks, because nothing is compared.
    """

    model_config = ConfigDict(extra="forbid")

    task: str
    protocol: str
    metric: str
    entry: str
    mean: FiniteFloat
    figure: str
    tied: list[str] | None


class Summary(BaseModel):
    """A suite in the index.

    Args:
        title: of its tables.
        question: the paragraphs of the comment at the head of its file.
        tasks: its columns.
        entries: its rows.
        measured: how many of its cells have a figure.
        machines: that did its jobs.
        best: by column; columns without a figure are left out.
    """

    model_config = ConfigDict(extra="forbid")

    title: str
    question: list[str]
    tasks: list[str]
    entries: list[str]
    measured: str
    machines: list[str]
    best: list[Best]


def summarise(plan: Plan, store: Store, table: Table, texts: Sequence[tuple[str, str]]) -> Summary:
    """The summary of a suite, from its leaderboard and the texts of its files, its own file first."""
    facts = table.facts
    columns = [(task, protocol) for task in facts.tasks for protocol in facts.protocols]
    asked = len({(row.entry, row.task, row.protocol) for row in plan.rows})
    devices = [store.result(type(job), job.key).environment.device for job in plan.jobs.values() if store.done(job)]
    return Summary(
        title=facts.title,
        question=_question(texts[0][1]) if texts else [],
        tasks=list(facts.tasks),
        entries=list(facts.entries),
        measured=f"{sum(cell.mean is not None for cell in table.cells)} of {asked} cells",
        machines=list(dict.fromkeys(filter(None, devices))),
        best=[best for column in columns if (best := _best(table, *column))],
    )


def _best(table: Table, task: str, protocol: str) -> Best | None:
    of_task = [cell for cell in table.cells if cell.task == task]
    cells = [cell for cell in of_task if cell.protocol == protocol and cell.mean is not None]
    if not cells:
        return None
    bold = [cell for cell in cells if grids.is_best(cell, of_task)] or cells
    first, *others = sorted(bold, key=_value, reverse=True)
    assert first.mean is not None
    tied = [cell.entry for cell in others] if first.rank else None
    selected = f" ({first.selection})" if first.selection else ""
    return Best(
        task=task,
        protocol=protocol,
        metric=first.metric.name + selected,
        entry=first.entry,
        mean=first.mean,
        figure=grids.figure(first),
        tied=tied,
    )


def _value(cell: Cell) -> float:
    """Higher is better."""
    assert cell.mean is not None
    return cell.metric.sign * cell.mean


def _question(text: str) -> list[str]:
    """The paragraphs of the comment that a suite's file begins with."""
    paragraphs: list[list[str]] = [[]]
    for line in text.lstrip().splitlines():
        if not line.startswith("#"):
            break
        words = line.lstrip("#").strip()
        if words:
            paragraphs[-1].append(words)
        else:
            paragraphs.append([])
    return [" ".join(lines) for lines in paragraphs if lines]
