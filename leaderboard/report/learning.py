"""How entries learned: loss of pretraining, figures by epoch, and figures under every rule of selection."""

from benchmark.jobs.pretrain import PretrainJob
from leaderboard.figures import curves, loss
from leaderboard.grid import convergence_grids
from leaderboard.page.content import Item, PageCell, PageColumn, PageTable, Section
from leaderboard.report.evidence import Evidence, name_of, page_table
from leaderboard.selection import MEANING, RULES

_FEW = 10  # rows: a longer table is folded


def section(evidence: Evidence) -> Section:
    """Losses, curves, convergence, and figures under every rule of selection."""
    items: list[Item] = []
    for task in evidence.tasks:
        for protocol in evidence.protocols:
            items += _curves(evidence, task, protocol)
        for grid in convergence_grids(evidence.table, task):
            items.append(page_table(grid, open_=len(grid.rows) <= _FEW))
        items += _selection(evidence, task)
    return Section("learning", "Learning", [], [*_losses(evidence), *items])


def _losses(evidence: Evidence) -> list[Item]:
    losses = {}
    for entry in evidence.table.facts.entries:
        for job in evidence.needed(evidence.rows(entry), PretrainJob)[:1]:
            of_entry = [(row["epoch"], row["loss"]) for row in evidence.losses(job)]
            if of_entry:
                losses[entry] = of_entry
    if not losses:
        return []
    caption = "Losses of different methods have different scales. Of several seeds, the first."
    return [evidence.picture("loss", "Loss of pretraining", loss.draw(losses), loss.alt(losses), caption)]


def _curves(evidence: Evidence, task: str, protocol: str) -> list[Item]:
    cells = [cell for cell in evidence.cells(task, protocol) if cell.convergence]
    if not cells or len(cells[0].convergence.curve.epochs) < 2:  # type: ignore[union-attr]
        return []
    lines, marks = [], set()
    for cell in cells:
        assert cell.convergence
        curve = cell.convergence.curve
        marks.add(cell.convergence.mark)
        control = cell.entry in (cell.convergence.scratch, evidence.table.facts.control)
        lines.append(curves.Line(cell.entry, curve.epochs, curve.mean, curve.deviation, control))
    mark = marks.pop() if len(marks) == 1 else None
    metric = cells[0].metric
    plot = curves.draw(lines, metric=metric, mark=mark)
    caption = f"By epoch, on the test folds: {metric.name}, mean and one standard deviation over folds."
    name = name_of("curves", task, protocol)
    return [evidence.picture(name, f"{task}, {protocol} by epoch", plot, curves.alt(lines, metric), caption)]


def _selection(evidence: Evidence, task: str) -> list[Item]:
    """The figures of one task under every rule, with a column for each rule."""
    protocols = [p for p in evidence.protocols if any(cell.convergence for cell in evidence.cells(task, p))]
    if not protocols:
        return []
    columns = [PageColumn("entry", "text")]
    columns += [PageColumn(f"({rule})", group=protocol, help=MEANING[rule]) for protocol in protocols for rule in RULES]
    rows = []
    for entry in evidence.table.facts.entries:
        cells = []
        for protocol in protocols:
            measured = evidence.table.measured.get((entry, task, protocol))
            for rule in RULES:
                mean = measured.mean_under(rule, evidence.table.facts.tasks[task].folds[0]) if measured else None
                text = measured.judge.chief.write(mean)[0] if measured and mean is not None else ""
                cells.append(PageCell(text, mean))
        if any(cell.text for cell in cells):
            rows.append([PageCell(entry), *cells])
    title = f"{task}: the same run under every rule of selection"
    return [PageTable(name_of("selection", task), title, columns, rows, copy=True, open=len(rows) <= _FEW)]
