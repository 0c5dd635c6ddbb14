"""How entries learned: loss of pretraining, figures by epoch, and what other rules would have selected."""

from benchmark.jobs.pretrain import PretrainJob
from leaderboard.figures import curves, loss
from leaderboard.grid import convergence_grids
from leaderboard.page.content import Cell, Column, Grid, Item, Section
from leaderboard.report.evidence import Evidence, name_of, page_grid
from leaderboard.selection import MEANING, RULES

_FEW = 10  # rows: a longer table is folded


def section(evidence: Evidence) -> Section:
    """Losses, curves, convergence, and figures under every rule of selection."""
    items: list[Item] = []
    for task in evidence.tasks:
        for protocol in evidence.protocols:
            items += _curves(evidence, task, protocol)
        for found in convergence_grids(evidence.table, task):
            items.append(page_grid(found, open_=len(found.rows) <= _FEW))
        items += _selection(evidence, task)
    return Section("learning", "Learning", [], [*_losses(evidence), *items])


def _losses(evidence: Evidence) -> list[Item]:
    losses = {}
    for entry in evidence.table.facts.entries:
        for job in evidence.needed(evidence.rows(entry), PretrainJob)[:1]:
            own = [(row["epoch"], row["loss"]) for row in evidence.losses(job)]
            if own:
                losses[entry] = own
    if not losses:
        return []
    caption = "Losses of different methods have different scales. Of several seeds, the first."
    return [evidence.figure("loss", "Loss of pretraining", loss.draw(losses), loss.alt(losses), caption)]


def _curves(evidence: Evidence, task: str, protocol: str) -> list[Item]:
    found = [cell for cell in evidence.cells(task, protocol) if cell.convergence]
    if not found or len(found[0].convergence.curve.epochs) < 2:  # type: ignore[union-attr]
        return []
    drawn, marks = [], set()
    for cell in found:
        assert cell.convergence
        curve = cell.convergence.curve
        marks.add(cell.convergence.mark)
        control = cell.entry in (cell.convergence.scratch, evidence.table.facts.control)
        drawn.append(curves.Curve(cell.entry, curve.epochs, curve.mean, curve.deviation, control))
    mark = marks.pop() if len(marks) == 1 else None
    metric = found[0].metric
    plot = curves.draw(drawn, metric=metric, mark=mark)
    caption = f"By epoch, on the test folds: {metric.name}, mean and one standard deviation over folds."
    name = name_of("curves", task, protocol)
    return [evidence.figure(name, f"{task}, {protocol} by epoch", plot, curves.alt(drawn, metric), caption)]


def _selection(evidence: Evidence, task: str) -> list[Item]:
    """The figures of one task under every rule, each a column of its own."""
    protocols = [p for p in evidence.protocols if any(cell.convergence for cell in evidence.cells(task, p))]
    if not protocols:
        return []
    columns = [Column("entry", "text")]
    columns += [Column(f"({rule})", group=protocol, help=MEANING[rule]) for protocol in protocols for rule in RULES]
    rows = []
    for entry in evidence.table.facts.entries:
        own = []
        for protocol in protocols:
            found = evidence.table.measured.get((entry, task, protocol))
            for rule in RULES:
                mean = found.mean_under(rule, evidence.table.facts.tasks[task].folds[0]) if found else None
                own.append(Cell(found.judge.chief.write(mean)[0] if found and mean is not None else "", mean))
        if any(cell.text for cell in own):
            rows.append([Cell(entry), *own])
    title = f"{task}: the same run under every rule of selection"
    return [Grid(name_of("selection", task), title, columns, rows, copy=True, open=len(rows) <= _FEW)]
