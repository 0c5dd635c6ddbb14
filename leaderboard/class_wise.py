"""Precision, recall and F1 of every class: the form of Lin 2022, Table 3.3."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.store import Store
from leaderboard.measured import Measured, predictions
from leaderboard.published import FIGURES

METRICS = ("precision", "recall", "F1")


@dataclass(frozen=True)
class ClassFigures:
    """How one entry did on one class of one fold.

    Args:
        name: of the class.
        support: its clips.
        measured: by metric.
        published: by metric; empty where nothing is.
    """

    entry: str
    protocol: str
    task: str
    fold: int
    name: str
    support: int
    measured: dict[str, float]
    published: dict[str, float]


def class_figures(
    facts: dict[str, Any], measured: Mapping[tuple[str, str, str], Measured], store: Store
) -> list[ClassFigures]:
    """The figures of every class on the fold that the suite asks for, by entry and protocol; the first seed's."""
    from sklearn.metrics import precision_recall_fscore_support

    found = []
    published = _published(facts["reproduces"])
    for (entry, task, protocol), own in measured.items():
        fold = facts["class_wise"]["folds"].get(task)
        key = own.keys.get(fold)
        if key is None:
            continue
        of_fold = list(predictions(store, key, own.epoch)[fold].values())
        names = facts["class_wise"]["classes"][task]
        figures = precision_recall_fscore_support(
            [label for label, _ in of_fold], [guess for _, guess in of_fold], labels=range(len(names)), zero_division=0
        )
        for name, precision, recall, f1, support in zip(names, *figures, strict=True):
            values = dict(zip(METRICS, map(float, (precision, recall, f1)), strict=True))
            beside = published.get((entry, protocol, _plain(name)), {})
            found.append(ClassFigures(entry, protocol, task, fold, name, int(support), values, beside))
    return found


def _published(suite: str | None) -> dict[tuple[str, str, str], dict[str, float]]:
    """The published figures of classes, by entry, protocol and class."""
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    with FIGURES.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["suite"] == suite and row["detail"].startswith("class="):
                name = _plain(row["detail"].removeprefix("class="))
                found.setdefault((row["entry"], row["protocol"], name), {})[row["metric"]] = float(row["score"])
    return found


def _plain(name: str) -> str:
    """A class's name without what papers and data sets spell differently: ``gun_shot`` is ``Gunshot``."""
    return name.lower().replace(" ", "").replace("_", "")
