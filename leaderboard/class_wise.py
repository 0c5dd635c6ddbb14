"""Precision, recall and F1 of every class: the form of Lin 2022, Table 3.3."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.ledger.facts import SuiteFacts
from leaderboard.confusion import ByClass, by_class, confusion_matrix
from leaderboard.measured import Measured
from leaderboard.published import FIGURES


@dataclass(frozen=True)
class ClassFigures:
    """How one entry did on one class of one fold.

    Args:
        fold: the fold that was tested.
        measured: the class's figures.
        published: the published figures, by metric; empty where there are none.
    """

    entry: str
    protocol: str
    task: str
    fold: int
    measured: ByClass
    published: dict[str, float]


def class_figures(facts: SuiteFacts, measured: Mapping[tuple[str, str, str], Measured]) -> list[ClassFigures]:
    """The figures of every class on the folds that the suite asks for, by entry and protocol; over all seeds."""
    figures = []
    published = _published(facts.reproduces)
    for (entry, task, protocol), of_cell in measured.items():
        fold = facts.tasks[task].class_wise
        if fold is None or fold not in of_cell.answers or not of_cell.target.by_class:
            continue
        for one in by_class(confusion_matrix(of_cell.pairs()[fold], len(of_cell.classes)), of_cell.classes):
            if one.clips:
                beside = published.get((entry, protocol, _plain(one.name)), {})
                figures.append(ClassFigures(entry, protocol, task, fold, one, beside))
    return figures


def _published(suite: str | None) -> dict[tuple[str, str, str], dict[str, float]]:
    """The published figures of classes, by entry, protocol and class."""
    figures: dict[tuple[str, str, str], dict[str, float]] = {}
    with FIGURES.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["suite"] == suite and row["detail"].startswith("class="):
                name = _plain(row["detail"].removeprefix("class="))
                figures.setdefault((row["entry"], row["protocol"], name), {})[row["metric"]] = float(row["score"])
    return figures


def _plain(name: str) -> str:
    """A class's name without what papers and data sets spell differently: ``gun_shot`` is ``Gunshot``."""
    return name.lower().replace(" ", "").replace("_", "")
