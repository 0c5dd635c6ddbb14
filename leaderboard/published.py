"""Published figures: of the table that a suite reproduces, and of other systems."""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from registry.lookup import TASKS
from registry.targets import find_target

_FOLDER = Path(__file__).parent
FIGURES = _FOLDER / "published.csv"


@dataclass(frozen=True)
class Published:
    """One published figure.

    Args:
        row: the entry that the figure belongs to, or the system's name.
        task: of the registry.
        protocol: the column of the figure.
        score: by the task's chief metric; a fraction where that metric is one.
        selection: how the epoch was chosen: best-mean or split1; empty where it is not known.
        source: paper and table, or repository.
        note: what is known to be wrong with the figure.
        harness: the benchmark and its protocol, where the figure is one of a whole benchmark's.
    """

    row: str
    task: str
    protocol: str
    score: float
    selection: str
    source: str
    note: str
    harness: str = ""


def reproduced(suite: str | None) -> list[Published]:
    """The figures of a published table (``lin2022/table-3.1``) by entry, without those of single classes."""
    if suite is None:
        return []
    with FIGURES.open(newline="", encoding="utf-8") as file:
        return [
            Published(
                row=row["entry"],
                task=row["task"],
                protocol=row["protocol"],
                score=float(row["score"]),
                selection=_selection(row),
                source=f"{row['paper']}, {row['table']}",
                note=row["note"],
            )
            for row in csv.DictReader(file)
            if row["suite"] == suite and row["entry"] and not row["detail"].startswith("class=")
        ]


def _selection(row: dict[str, str]) -> str:
    """How the figure's epoch was chosen, where its paper says so."""
    if row["metric"].startswith("best average"):
        return "best-mean"
    return "split1" if "hyper-parameters picked on split 1" in row["protocol_as_printed"] else ""


_FAULTS = {
    "lin2022/table-3.1": [
        "The published accuracy is taken to be the best epoch's mean over folds; the paper does not say so."
    ],
    "lin2022/table-3.2": [
        "The published means put moco above imagenet, 0.730 to 0.707; on fold 1, by Table 3.3 of the same paper,"
        " imagenet has 0.769 and moco 0.742."
    ],
    "lin2022/table-3.3": [
        "Published: car_horn of scratch is a copy of children_playing of scratch, and its recall of 0.450 impossible"
        " with 36 clips; the paper's text fits if moco's freeze and knn changed places in print; 12 of 80 F1 are not"
        " those of the printed precision and recall, all within rounding but two, by one in the last digit.",
    ],
    "lin2022/table-3.4": [
        "Every published figure is a multiple of 1/200: two parts of 100 recordings, taken to be the folds."
    ],
    "lin2022/table-3.5": [
        "Published knn figures fit 150 test recordings, 15 % of 1,000; the others are multiples of 1/160, perhaps"
        " averages over batches."
    ],
}


def known_faults(suite: str | None) -> list[str]:
    """What is known to be wrong or missing in a published table as a whole."""
    return _FAULTS.get(suite or "", [])


HARNESSES = {"hear": "HEAR 2021", "evar": "EVAR", "xares": "X-ARES"}
_COLUMNS = {
    "frozen, shallow classifier, grid on training data": "freeze",
    "linear evaluation, frozen": "freeze",
    "frozen, MLP": "freeze",
    "knn": "knn",
}


def of_harnesses(names: Collection[str]) -> list[Published]:
    """The figures that whole benchmarks published, by the benchmarks' names in ``HARNESSES``.

    Their protocols are others than ours: the figures stand beside measured ones, and are not compared with them.
    """
    wanted = {HARNESSES[name] for name in names if name in HARNESSES}
    if not wanted:
        return []
    with (_FOLDER / "field.csv").open(newline="", encoding="utf-8") as file:
        return [
            Published(
                row=f"{row['system']} ({row['harness']})",
                task=row["task"],
                protocol=_COLUMNS[row["protocol"]],
                score=float(row["value"]),
                selection="",
                source=row["source"],
                note="",
                harness=f"{row['harness']}, {row['protocol']}",
            )
            for row in csv.DictReader(file)
            if row["harness"] in wanted and row["metric"] == _chief(row["task"])
        ]


@cache
def _chief(task: str) -> str:
    """The chief metric of a task of the registry; empty for other tasks, and for one whose data must tell."""
    target = TASKS.find(task).target if task in TASKS.names() else ""
    return find_target(target).chief.name if target else ""


def anchored(systems: Collection[str]) -> list[Published]:
    """The verified figures of other systems, by the systems' names in ``anchors.csv``."""
    with (_FOLDER / "anchors.csv").open(newline="", encoding="utf-8") as file:
        return [
            Published(
                row=row["system"],
                task=row["task"],
                protocol=row["column"],
                score=float(row["score"]),
                selection="",
                source=row["source"],
                note=row["note"],
            )
            for row in csv.DictReader(file)
            if row["system"] in systems and row["column"] and row["verified"].startswith("yes")
        ]
