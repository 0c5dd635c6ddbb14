"""Published figures: those a suite reproduces, and those of other systems."""

import csv
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Published:
    """One published figure.

    Args:
        row: the entry it belongs to, or the system's name.
        task: of the registry.
        protocol: the column it stands in.
        score: as a fraction.
        selection: how the epoch was chosen, where it is known: best-mean, or empty.
        source: paper and table, or repository.
        note: what is known to be wrong with it.
    """

    row: str
    task: str
    protocol: str
    score: float
    selection: str
    source: str
    note: str


def reproduced(suite: str | None) -> list[Published]:
    """The accuracies, or mean average precisions, of a published table (``lin2022/table-3.1``), by entry."""
    if suite is None:
        return []
    with (_FOLDER / "published.csv").open(newline="") as file:
        return [
            Published(
                row=row["entry"],
                task=row["task"],
                protocol=row["protocol"],
                score=float(row["score"]),
                selection="best-mean" if row["metric"].startswith("best average") else "",
                source=f"{row['paper']}, {row['table']}",
                note=row["note"],
            )
            for row in csv.DictReader(file)
            if row["suite"] == suite and ("accuracy" in row["metric"] or row["metric"] == "mAP") and row["entry"]
        ]


def anchored(systems: list[str]) -> list[Published]:
    """The figures of other systems, by the names that ``anchors.csv`` gives them; unverified ones are left out."""
    with (_FOLDER / "anchors.csv").open(newline="") as file:
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
