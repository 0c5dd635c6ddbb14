"""A leaderboard as grids of text: what Markdown, LaTeX, the terminal and the page have in common."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from leaderboard.confusion import METRICS
from leaderboard.notes import signs
from leaderboard.statistics import Interval
from leaderboard.table import Across, Cell, Table
from registry.metrics import Metric
from registry.targets.one_label import ACCURACY

Value = float | str | None


@dataclass(frozen=True)
class Shown:
    """One printed column: what it shows of every cell.

    Args:
        name: heads the column where the protocol's name stands above.
        head: heads the column where nothing stands above: the first of a protocol's columns names the protocol.
        protocol: whose cells the column shows; empty for a trait of the entry, which is the same under all protocols.
        text: gives a cell's text.
        value: gives the value that a cell is sorted by.
        lowest_first: whether the lowest value is the best.
    """

    name: str
    protocol: str
    text: Callable[[Cell], str]
    value: Callable[[Cell], Value]
    head: str
    lowest_first: bool = False


@dataclass(frozen=True)
class Text:
    """A text, whether it is among the best of its column, and its number, if it is one."""

    text: str
    best: bool = False
    value: float | None = None


@dataclass(frozen=True)
class Grid:
    """One table: title, header and rows.

    The columns in ``left`` are words and name a row; the others are figures. ``sections`` gives each column's section:
    a protocol, or "cost". Where ``sections`` is empty, all columns belong together.
    """

    title: str
    header: list[str]
    rows: list[list[Text]]
    left: tuple[int, ...] = (0,)
    sections: tuple[str, ...] = ()


def grids(table: Table) -> list[Grid]:
    """Every table of a leaderboard: tasks, how fast entries learned them, figures by class, and ranks across tasks."""
    of_tasks = []
    for task in table.facts.tasks:
        of_tasks.append(_leaderboard(table, task))
        of_tasks += convergence_grids(table, task)
    return [*of_tasks, *class_grids(table), *map(_across, table.across)]


def heading(table: Table, task: str) -> str:
    """The task, and its folds where these are not all folds of the data set."""
    asked = table.facts.tasks[task]
    if len(asked.folds) == asked.official_folds:
        return task
    return f"{task} (folds {', '.join(map(str, asked.folds))} of {asked.official_folds})"


def columns(table: Table, task: str) -> list[Shown]:
    """The printed columns of a task's leaderboard: those that have something to show."""
    cells = [cell for cell in table.cells if cell.task == task]
    of_protocols: list[Shown] = []
    for protocol in table.facts.protocols:
        column = [cell for cell in cells if cell.protocol == protocol]
        if column:
            of_protocols += _of_protocol(table, protocol, column)
    return of_protocols + [shown for shown in _COSTS if any(map(shown.text, cells))]


def _of_protocol(table: Table, protocol: str, cells: list[Cell]) -> list[Shown]:
    selection = next((cell.selection for cell in cells if cell.selection), "")
    metric = next((cell.metric for cell in cells if cell.mean is not None), ACCURACY)
    selected = f" ({selection})" if selection else ""
    beside = metric.name if metric.head is None else metric.head
    head = f"{protocol} {beside}".rstrip()
    lowest_first = not metric.higher_is_better
    shown = [Shown(metric.name + selected, protocol, figure, lambda cell: cell.mean, head + selected, lowest_first)]
    if any(cell.unseen for cell in cells):
        shown.append(_shown("unseen [95 %]", protocol, _unseen_text, _unseen))
    for name, other in {name: figure.metric for cell in cells for name, figure in cell.others.items()}.items():
        if other.is_shown:
            shown.append(_shown(name, protocol, partial(_other, name), partial(_value_of, name)))
    if any(cell.rank for cell in cells):
        shown.append(_shown("rank", protocol, lambda cell: str(cell.rank or ""), _middle_rank))
    if any(cell.against_control for cell in cells):
        controls = {table.facts.control_of(cell.entry) for cell in cells if cell.against_control}
        name = f"minus {controls.pop() if len(controls) == 1 else 'control'} [95 %]"
        shown.append(_shown(name, protocol, _against_control, _difference))
        shown.append(_shown("p", protocol, lambda cell: p_text(_p(cell)), _p))
    if any(cell.published for cell in cells):
        compared = any(cell.comparable for cell in cells)
        name = "published (difference)" if compared else "published"
        shown.append(_shown(name, protocol, published, _published_score))
        if compared:
            shown.append(_shown("verdict", protocol, lambda cell: cell.verdict, lambda cell: cell.verdict))
    return shown


def _shown(name: str, protocol: str, text: Callable[[Cell], str], value: Callable[[Cell], Value]) -> Shown:
    """A column with the same head everywhere."""
    return Shown(name, protocol, text, value, name)


def _leaderboard(table: Table, task: str) -> Grid:
    cells = [cell for cell in table.cells if cell.task == task]
    shown = columns(table, task)
    rows = []
    for entry, of_entry in by_entry(cells).items():
        row = [Text(entry + "".join(f" {sign}" for sign, _ in signs(of_entry.values())))]
        for one in shown:
            text = next(filter(None, map(one.text, of_column(of_entry, one))), "")
            row.append(Text(text, best=one.text is figure and is_best(of_entry.get(one.protocol), cells)))
        rows.append(row)
    sections = ("", *(one.protocol or "cost" for one in shown))
    return Grid(heading(table, task), ["entry", *(one.head for one in shown)], rows, sections=sections)


def by_entry(cells: Iterable[Cell]) -> dict[str, dict[str, Cell]]:
    """The cells of a task by entry, and then by protocol."""
    of_entries: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        of_entries.setdefault(cell.entry, {})[cell.protocol] = cell
    return of_entries


def of_column(cells: dict[str, Cell], shown: Shown) -> list[Cell]:
    """An entry's cells that a printed column may show; it shows the first one with a text."""
    if not shown.protocol:
        return list(cells.values())
    return [cells[shown.protocol]] if shown.protocol in cells else []


def is_best(cell: Cell | None, cells: list[Cell]) -> bool:
    """Whether a figure is the best of its column, or does not differ from the best; without ranks, only the best."""
    if cell is None or cell.mean is None or not cell.complete:
        return False
    if cell.rank:
        return cell.rank.first == 1
    others = [other for other in cells if other.protocol == cell.protocol and other.mean is not None and other.complete]
    sign = cell.metric.sign
    return len(others) > 1 and sign * cell.mean == max(sign * (other.mean or 0) for other in others)


def convergence_grids(table: Table, task: str) -> list[Grid]:
    """The table of how fast the entries learned a task, where every epoch was evaluated."""
    cells = [cell for cell in table.cells if cell.task == task and cell.convergence]
    protocols = [p for p in table.facts.protocols if any(cell.protocol == p for cell in cells)]
    if not protocols:
        return []
    marked = {c.protocol for c in cells if c.convergence and c.convergence.mark is not None}
    header = ["entry"]
    for protocol in protocols:
        header += [f"{protocol}: epochs to the mark"] if protocol in marked else []
        header.append(f"{protocol}: area under the curve")
    rows = []
    for entry, of_entry in by_entry(cells).items():
        row = [Text(entry)]
        for protocol in protocols:
            cell = of_entry.get(protocol)
            row += [_reached(cell)] if protocol in marked else []
            row.append(_area(cell))
        rows.append(row)
    return [Grid(f"{task}: convergence", header, rows)]


def _area(cell: Cell | None) -> Text:
    if cell is None or cell.convergence is None:
        return Text("")
    area = cell.convergence.curve.area
    return Text(cell.metric.write(area)[0], value=area)


def _reached(cell: Cell | None) -> Text:
    learned = cell.convergence if cell else None
    if learned is None or learned.mark is None:
        return Text("")
    if learned.epochs_to_mark is None:
        return Text(f"more than {learned.curve.epochs[-1]}")
    return Text(str(learned.epochs_to_mark), value=learned.epochs_to_mark)


def class_grids(table: Table) -> list[Grid]:
    """A table for each task that is shown class by class."""
    of_tasks = []
    for task in dict.fromkeys(one.task for one in table.classes):
        classes = [one for one in table.classes if one.task == task]
        beside = any(one.published for one in classes)
        header = ["class", "clips", "entry", "protocol"]
        for metric in METRICS:
            header += [metric, "published"] if beside else [metric]
        rows = []
        for one in sorted(classes, key=lambda one: one.measured.name):
            clips = Text(str(one.measured.clips), value=one.measured.clips)
            row = [Text(one.measured.name), clips, Text(one.entry), Text(one.protocol)]
            for metric in METRICS:
                row.append(_fraction(one.measured.figures[metric]))
                row += [_fraction(one.published.get(metric))] if beside else []
            rows.append(row)
        of_tasks.append(Grid(f"{task}, fold {classes[0].fold}, class by class", header, rows, left=(0, 2, 3)))
    return of_tasks


def _across(across: Across) -> Grid:
    ordered = sorted(zip(across.test.mean_ranks, across.entries, strict=True))
    rows = [[Text(entry), Text(f"{rank:.2f}", value=rank)] for rank, entry in ordered]
    return Grid(f"{across.protocol} across {', '.join(across.tasks)}", ["entry", "mean rank"], rows)


_COSTS = [
    _shown("parameters", "", lambda c: f"{c.parameters:,}" if c.parameters is not None else "", lambda c: c.parameters),
    _shown("clips/s", "", lambda c: _rate(c.clips_per_second, 0), lambda c: c.clips_per_second),
    _shown("steps/s", "", lambda c: _rate(c.steps_per_second, 2), lambda c: c.steps_per_second),
]


def figure(cell: Cell) -> str:
    """The measured figure with its deviation over folds (of one fold, with its interval), or why it is missing."""
    if cell.mean is None:
        if cell.selection:
            return "no choice"
        return "" if cell.published and cell.entry == cell.published.row else "not run"
    if cell.deviation is not None:
        text = " ± ".join(cell.metric.write(cell.mean, cell.deviation))
    elif cell.interval:
        text = bounds(cell.interval, cell.metric)
    else:
        text = cell.metric.write(cell.mean)[0]
    return text if cell.complete else f"{text} ({cell.folds}/{cell.of_folds} folds)"


def p_text(p: float | None) -> str:
    """A p-value to three digits."""
    if p is None:
        return ""
    return "< .001" if p < 0.0005 else f"{p:.3f}".removeprefix("0")


def published(cell: Cell) -> str:
    """The published figure; where the two can be compared, with the measured figure's difference from it."""
    if cell.published is None:
        return ""
    (text,) = cell.metric.write(cell.published.score)
    if cell.mean is None or not cell.comparable:
        return text
    return f"{text} ({cell.metric.write(cell.mean - cell.published.score, sign='+')[0]})"


def _published_score(cell: Cell) -> Value:
    return cell.published.score if cell.published else None


def _against_control(cell: Cell) -> str:
    return bounds(cell.against_control.difference, cell.metric, "+") if cell.against_control else ""


def bounds(interval: Interval, metric: Metric, sign: str = "") -> str:
    """A figure with its interval; ``sign`` is ``+`` for a difference."""
    mean, low, high = metric.write(interval.mean, interval.low, interval.high, sign=sign)
    return f"{mean} [{low}, {high}]"


def _unseen_text(cell: Cell) -> str:
    return bounds(cell.unseen, cell.metric) if cell.unseen else ""


def _unseen(cell: Cell) -> Value:
    return cell.unseen.mean if cell.unseen else None


def _other(name: str, cell: Cell) -> str:
    """A figure by a further metric; with its interval where there is one fold, and so no deviation."""
    other = cell.others.get(name)
    if other is None:
        return ""
    if cell.deviation is None:
        return bounds(other.interval, other.metric)
    return other.metric.write(other.interval.mean)[0]


def _value_of(name: str, cell: Cell) -> Value:
    return cell.others[name].interval.mean if name in cell.others else None


def _difference(cell: Cell) -> Value:
    return cell.against_control.difference.mean if cell.against_control else None


def _p(cell: Cell) -> float | None:
    return cell.against_control.p if cell.against_control else None


def _middle_rank(cell: Cell) -> Value:
    return (cell.rank.first + cell.rank.last) / 2 if cell.rank else None


def _fraction(value: float | None) -> Text:
    return Text(f"{value:.3f}" if value is not None else "", value=value)


def _rate(value: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" if value is not None else ""
