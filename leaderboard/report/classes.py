"""Class by class: what is taken for what."""

import numpy as np
from numpy.typing import NDArray

from leaderboard.confusion import METRICS, ByClass, by_class, confusion_matrix, most_confused
from leaderboard.figures import confusion
from leaderboard.grid import class_grids
from leaderboard.page.content import Cell, Column, Grid, Item, Prose, Section
from leaderboard.report.evidence import Evidence, name_of, page_grid


def section(evidence: Evidence) -> Section:
    """For every column: figures by class of all entries, and the confusions of the best."""
    items: list[Item] = []
    for task in evidence.tasks:
        for protocol in evidence.protocols:
            items += _column(evidence, task, protocol)
    items += [page_grid(grid, row_names=4) for grid in class_grids(evidence.table)]
    intro = ["F1 of every class over all folds. Confusions are those of the best entry, summed over folds and seeds."]
    return Section("classes", "Classes", intro, items)


def _column(evidence: Evidence, task: str, protocol: str) -> list[Item]:
    matrices: dict[str, NDArray[np.int64]] = {}
    names: list[str] = []
    measured = evidence.table.measured
    cells = [c for c in evidence.cells(task, protocol) if measured[c.entry, task, protocol].target.by_class]
    for cell in cells:
        own = measured[cell.entry, task, protocol]
        names = own.classes
        pair_N2 = np.concatenate(list(own.pairs().values()))
        matrices[cell.entry] = confusion_matrix(pair_N2, len(names))
    if not matrices:
        return []
    best = max(cells, key=lambda cell: cell.metric.sign * (cell.mean or 0)).entry
    of_best = confusion.Confusion(matrices[best], names)
    title = f"{task}, {protocol}"
    items: list[Item] = [
        evidence.figure(
            name_of("confusion", task, protocol),
            f"{title}: {best}",
            confusion.draw(of_best),
            confusion.alt(of_best),
        )
    ]
    words = most_confused(matrices[best], names)
    if words:
        items.append(Prose([f"Most confused by {best}: {'; '.join(words)}."]))
    figures = {entry: by_class(matrix_KK, names) for entry, matrix_KK in matrices.items()}
    return [*items, _f1(task, protocol, figures), _all(task, protocol, best, figures[best])]


def _f1(task: str, protocol: str, figures: dict[str, list[ByClass]]) -> Grid:
    """Classes down, entries across."""
    columns = [Column("class", "text"), Column("clips"), *(Column(entry) for entry in figures)]
    rows = []
    for of_class in zip(*figures.values(), strict=True):
        f1 = [one.figures["F1"] for one in of_class]
        row = [Cell(of_class[0].name), Cell(str(of_class[0].clips), of_class[0].clips)]
        rows.append(row + [Cell(f"{value:.3f}", value, best=value == max(f1) > 0 and len(f1) > 1) for value in f1])
    name = name_of("f1", task, protocol)
    return Grid(name, f"{task}, {protocol}: F1 by class", columns, rows, copy=True, open=False)


def _all(task: str, protocol: str, entry: str, figures: list[ByClass]) -> Grid:
    """Precision, recall and F1 of one entry."""
    columns = [Column("class", "text"), Column("clips"), *(Column(metric) for metric in METRICS)]
    rows = [
        [Cell(one.name), Cell(str(one.clips), one.clips)]
        + [Cell(f"{one.figures[metric]:.3f}", one.figures[metric]) for metric in METRICS]
        for one in figures
    ]
    name = name_of("classes", task, protocol)
    return Grid(name, f"{task}, {protocol}: {entry} by class", columns, rows, copy=True, open=False)
