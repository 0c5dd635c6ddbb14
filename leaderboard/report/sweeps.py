"""Curves and grids of swept settings, with published points beside."""

from leaderboard.figures import sweep
from leaderboard.page.content import Item, Section
from leaderboard.report.evidence import Evidence, name_of


def section(evidence: Evidence) -> Section:
    """A figure for every swept entry, task and protocol."""
    items: list[Item] = []
    for entry, variations in evidence.table.facts.swept.items():
        for task in evidence.tasks:
            for protocol in evidence.protocols:
                cells = {cell.entry: cell for cell in evidence.cells(task, protocol) if cell.entry in variations}
                points = [
                    sweep.Point(
                        variations[name],
                        cell.mean,
                        cell.interval.low if cell.interval else None,
                        cell.interval.high if cell.interval else None,
                        cell.published.score if cell.published else None,
                    )
                    for name, cell in cells.items()
                    if cell.mean is not None
                ]
                if len(points) > 1:
                    swept = sweep.Sweep(entry, points)
                    metric = next(iter(cells.values())).metric
                    plot = sweep.draw(swept, metric=metric)
                    name = name_of("sweep", entry, task, protocol)
                    title = f"{entry} on {task}, {protocol}"
                    items.append(evidence.figure(name, title, plot, sweep.alt(swept, metric=metric)))
    return Section("sweeps", "Sweeps", [], items)
