"""The leaderboard on a page: tables that sort, intervals as bars, and every two entries against each other."""

from typing import Literal

from leaderboard import grid as grids
from leaderboard.comparison import MANY
from leaderboard.figures import intervals, rank_difference
from leaderboard.grid import Shown
from leaderboard.notes import notes, signs
from leaderboard.page.content import Item, Notes, PageCell, PageColumn, PageTable, Section, Sign
from leaderboard.report.evidence import Evidence, name_of
from leaderboard.selection import MEANING
from leaderboard.statistics import Interval
from leaderboard.table import Cell, Table
from registry.metrics import Metric

HELP = {
    "rank": "1-2 where no difference of two entries is significant at 0.05, adjusted for their number: see the notes",
    "p": "of no difference from the control, on the same recordings, adjusted by Holm over the column",
    "unseen [95 %]": "the same figure without the clips that the pretraining corpus holds",
    "verdict": "whether the published figure lies within the measured one's 95 % interval",
    "parameters": "of the encoder",
    "clips/s": "whole clips embedded a second, front end included",
    "steps/s": "of the pretraining",
}


def highlights(evidence: Evidence) -> list[tuple[str, str]]:
    """The strip below the title."""
    facts = evidence.table.facts
    measured = [cell for cell in evidence.table.cells if cell.mean is not None]
    asked = len({(row.entry, row.task, row.protocol) for row in evidence.plan.rows})
    folds = ", ".join(f"{len(of_task.folds)} of {task}" for task, of_task in facts.tasks.items())
    pairs = [
        ("measured", f"{len(measured)} of {asked} cells"),
        ("test clips", ", ".join(f"{clips:,} of {task}" for task, clips in _clips(evidence).items())),
        ("folds", folds),
        ("seeds", ", ".join(map(str, facts.seeds))),
        ("epochs selected by", evidence.table.rule),
        ("control", facts.control or ""),
        ("scale", facts.scale or "as the suite stands"),
        ("published", facts.reproduces or ""),
    ]
    return [(name, value) for name, value in pairs if value]


def section(evidence: Evidence) -> Section:
    """The leaderboard, task by task."""
    items: list[Item] = []
    for task in evidence.tasks:
        items.append(_leaderboard(evidence.table, task))
        for protocol in evidence.protocols:
            cells = evidence.cells(task, protocol)
            if len(cells) > 1:
                bars = [_bar(evidence.table, cell) for cell in cells]
                title = f"{task}, {protocol}"
                name = name_of("intervals", task, protocol)
                metric = cells[0].metric
                plot = intervals.draw(bars, metric=metric)
                items.append(evidence.picture(name, title, plot, intervals.alt(bars, metric=metric)))
    for across in evidence.table.across:
        ranks = rank_difference.MeanRanks(across.entries, across.test.mean_ranks, across.test.critical_difference)
        title = f"{across.protocol} across {', '.join(across.tasks)}"
        caption = (
            f"Mean ranks over {len(across.tasks)} tasks (Friedman p {across.test.p:.3f}). Entries whose mean ranks"
            f" differ by less than {across.test.critical_difference:.2f} are not told apart (Nemenyi, 0.05)."
        )
        name = name_of("ranks", across.protocol)
        plot = rank_difference.draw(ranks)
        items.append(evidence.picture(name, title, plot, rank_difference.alt(ranks), caption))
    return Section("leaderboard", "Leaderboard", [], [*items, *metrics(evidence), Notes(notes(evidence.table))])


def _leaderboard(table: Table, task: str) -> PageTable:
    cells = [cell for cell in table.cells if cell.task == task]
    shown = grids.columns(table, task)
    rows = []
    for entry, of_entry in grids.by_entry(cells).items():
        raised = tuple(Sign(sign, meaning) for sign, meaning in signs(of_entry.values()))
        row = [PageCell(entry, entry, signs=raised)]
        for one in shown:
            filled = [cell for cell in grids.of_column(of_entry, one) if one.text(cell)]
            row.append(_cell(one, filled[0], cells) if filled else PageCell(""))
        rows.append(row)
    columns = [PageColumn("entry", "text"), *(_column(one) for one in shown)]
    return PageTable(name_of("board", task), grids.heading(table, task), columns, rows, copy=True)


def _column(shown: Shown) -> PageColumn:
    selection = shown.name.rpartition("(")[2].rstrip(")")
    help_text = MEANING.get(selection, "") if shown.text is grids.figure else HELP.get(shown.name, "")
    kind: Literal["text", "number"] = "text" if shown.name == "verdict" else "number"
    return PageColumn(shown.name, kind, shown.protocol, help_text, shown.lowest_first)


def _cell(shown: Shown, cell: Cell, column: list[Cell]) -> PageCell:
    """A cell of the page: a figure has its interval as a bar and the published figure as a diamond."""
    value = shown.value(cell)
    if shown.text is not grids.figure:
        against = cell.against_control if shown.name.startswith("minus ") else None
        bar = (against.difference.low, against.difference.mean, against.difference.high) if against else None
        return PageCell(shown.text(cell), value, interval=bar)
    interval = (cell.interval.low, cell.interval.mean, cell.interval.high) if cell.interval else None
    note = f"{cell.clips:,} clips in {cell.folds} folds" if cell.mean is not None else ""
    if cell.k:
        note += f"; K {', '.join(map(str, cell.k))}"
    return PageCell(
        shown.text(cell),
        value,
        interval,
        diamond=cell.published.score if cell.published else None,
        note=note,
        best=grids.is_best(cell, column),
    )


def _bar(table: Table, cell: Cell) -> intervals.Bar:
    assert cell.mean is not None
    return intervals.Bar(
        cell.entry,
        cell.mean,
        cell.interval.low if cell.interval else None,
        cell.interval.high if cell.interval else None,
        cell.published.score if cell.published else None,
        str(cell.rank or ""),
        control=cell.entry == table.facts.control,
    )


def _clips(evidence: Evidence) -> dict[str, int]:
    return {
        task: max((cell.clips for cell in evidence.table.cells if cell.task == task), default=0)
        for task in evidence.tasks
    }


def pairs(evidence: Evidence) -> Section:
    """The comparison of every two entries, for every column: ranks rest on these."""
    items: list[Item] = []
    columns = [PageColumn("entry", "text"), PageColumn("minus", "text"), PageColumn("difference [95 %]")]
    columns.append(PageColumn("p", help="of no difference, adjusted by Holm over all pairs"))
    for (task, protocol), comparisons in evidence.table.comparisons.items():
        if not comparisons.pairs:
            continue
        rows = []
        for pair in comparisons.pairs:
            rows.append(
                [
                    PageCell(pair.entry),
                    PageCell(pair.other),
                    _bounds(pair.difference, comparisons.metric, "+"),
                    PageCell(grids.p_text(pair.p), pair.p, best=pair.p <= 0.05),
                ]
            )
        name = name_of("pairs", task, protocol)
        title = f"{task}, {protocol}: {len(rows)} pairs"
        items.append(PageTable(name, title, columns, rows, row_names=2, copy=True, open=len(rows) <= 10))
    intro = ["Every two entries on the same recordings, the better one first. Bold: significant at 0.05."]
    if any(comparisons.many for comparisons in evidence.table.comparisons.values()):
        intro.append(f"Columns of more than {MANY} entries are left out: there not every two are compared.")
    return Section("pairs", "Pairs", intro, items)


def metrics(evidence: Evidence) -> list[Item]:
    """Every metric of every cell with its interval and its difference from the control."""
    items: list[Item] = []
    columns = [PageColumn(name, "text") for name in ("entry", "protocol", "metric")]
    columns += [PageColumn("figure [95 %]"), PageColumn("minus control [95 %]"), PageColumn("p", help=HELP["p"])]
    for task in evidence.tasks:
        rows = []
        for cell in (cell for protocol in evidence.protocols for cell in evidence.cells(task, protocol)):
            for name, figure in cell.others.items():
                against = figure.against_control
                p = against.p if against else None
                named = [PageCell(cell.entry), PageCell(cell.protocol), PageCell(name)]
                difference = _bounds(against.difference, figure.metric, "+") if against else PageCell("")
                rows.append([*named, _bounds(figure.interval, figure.metric), difference, PageCell(grids.p_text(p), p)])
        if rows:
            title = f"{task}: further metrics"
            items.append(PageTable(name_of("metrics", task), title, columns, rows, row_names=3, copy=True, open=False))
    return items


def _bounds(interval: Interval, metric: Metric, sign: str = "") -> PageCell:
    bar = (interval.low, interval.mean, interval.high)
    return PageCell(grids.bounds(interval, metric, sign), interval.mean, bar)


def controls(evidence: Evidence) -> dict[str, str]:
    """By entry, its control; without entries that have none, and without controls themselves."""
    facts = evidence.table.facts
    control_of = {entry: facts.control_of(entry) for entry in facts.entries}
    return {entry: control for entry, control in control_of.items() if control and control != entry}
