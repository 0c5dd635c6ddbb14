"""Class by class: figures, and which class is taken for which."""

import numpy as np
from numpy.typing import NDArray

from leaderboard.confusion import METRICS, ByClass, by_class, confusion_matrix, most_confused
from leaderboard.figures import confusion
from leaderboard.grid import class_grids
from leaderboard.page.content import Item, PageCell, PageColumn, PageTable, Prose, Section
from leaderboard.report.evidence import Evidence, name_of, page_table


def section(evidence: Evidence) -> Section:
    """For every column: figures by class of all entries, and the confusions of the best."""
    items: list[Item] = []
    for task in evidence.tasks:
        for protocol in evidence.protocols:
            items += _column(evidence, task, protocol)
    items += [page_table(grid, row_names=4) for grid in class_grids(evidence.table)]
    intro = ["F1 of every class over all folds. Confusions are those of the best entry, summed over folds and seeds."]
    return Section("classes", "Classes", intro, items)


def _column(evidence: Evidence, task: str, protocol: str) -> list[Item]:
    matrices: dict[str, NDArray[np.int64]] = {}
    names: list[str] = []
    measured = evidence.table.measured
    cells = [c for c in evidence.cells(task, protocol) if measured[c.entry, task, protocol].target.by_class]
    for cell in cells:
        of_cell = measured[cell.entry, task, protocol]
        names = of_cell.classes
        pair_N2 = np.concatenate(list(of_cell.pairs().values()))
        matrices[cell.entry] = confusion_matrix(pair_N2, len(names))
    if not matrices:
        return []
    best = max(cells, key=lambda cell: cell.metric.sign * (cell.mean or 0)).entry
    of_best = confusion.Confusion(matrices[best], names)
    title = f"{task}, {protocol}"
    items: list[Item] = [
        evidence.picture(
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


def _f1(task: str, protocol: str, figures: dict[str, list[ByClass]]) -> PageTable:
    """Classes down, entries across."""
    columns = [PageColumn("class", "text"), PageColumn("clips"), *(PageColumn(entry) for entry in figures)]
    rows = []
    for of_class in zip(*figures.values(), strict=True):
        f1 = [one.figures["F1"] for one in of_class]
        row = [PageCell(of_class[0].name), PageCell(str(of_class[0].clips), of_class[0].clips)]
        rows.append(row + [PageCell(f"{value:.3f}", value, best=value == max(f1) > 0 and len(f1) > 1) for value in f1])
    name = name_of("f1", task, protocol)
    return PageTable(name, f"{task}, {protocol}: F1 by class", columns, rows, copy=True, open=False)


def _all(task: str, protocol: str, entry: str, figures: list[ByClass]) -> PageTable:
    """Precision, recall and F1 of one entry."""
    columns = [PageColumn("class", "text"), PageColumn("clips"), *(PageColumn(metric) for metric in METRICS)]
    rows = [
        [PageCell(one.name), PageCell(str(one.clips), one.clips)]
        + [PageCell(f"{one.figures[metric]:.3f}", one.figures[metric]) for metric in METRICS]
        for one in figures
    ]
    name = name_of("classes", task, protocol)
    return PageTable(name, f"{task}, {protocol}: {entry} by class", columns, rows, copy=True, open=False)
