"""Figures of swept settings: lines over one setting, cells over two, with the published figures beside."""

from leaderboard.figures import sweep
from leaderboard.page.content import Item, Section
from leaderboard.report.evidence import Evidence, name_of


def section(evidence: Evidence) -> Section:
    """A picture for every swept entry, task and protocol."""
    items: list[Item] = []
    for entry, swept in evidence.table.facts.swept.items():
        for task in evidence.tasks:
            for protocol in evidence.protocols:
                cells = {cell.entry: cell for cell in evidence.cells(task, protocol) if cell.entry in swept}
                variations = [
                    sweep.Variation(
                        swept[name],
                        cell.mean,
                        cell.interval.low if cell.interval else None,
                        cell.interval.high if cell.interval else None,
                        cell.published.score if cell.published else None,
                    )
                    for name, cell in cells.items()
                    if cell.mean is not None
                ]
                if len(variations) > 1:
                    of_column = sweep.Sweep(entry, variations)
                    metric = next(iter(cells.values())).metric
                    plot = sweep.draw(of_column, metric=metric)
                    name = name_of("sweep", entry, task, protocol)
                    title = f"{entry} on {task}, {protocol}"
                    items.append(evidence.picture(name, title, plot, sweep.alt(of_column, metric=metric)))
    return Section("sweeps", "Sweeps", [], items)
