"""HEAR 2021: the scores file that its evaluation kit (heareval 2021.1.3) writes for each model and task.

``MODEL/TASK/test.predicted-scores.json`` has a block for each test fold (``test`` where there is only one). For several
folds, ``aggregated_scores`` has the mean and the standard deviation (of n - 1) of each score. ``test_score`` is the
task's chief score, which readers take; ``score_mode`` says whether higher is better. The kit's validation scores,
minutes and hyper-parameters have no counterpart here.
"""

import statistics
from typing import Any

from benchmark.store.files import json_text
from leaderboard.exchange import Documents, by_fold, file_name, measured_cells, statement
from leaderboard.measured import Measured
from leaderboard.table import Table

# The kit's names of the metrics that it computes, too. Its d' is the mean over classes; ours is that of the mean AUC.
_NAMES = {"accuracy": "top1_acc", "mAP": "mAP", "auc": "aucroc", "d_prime": "d_prime_of_mean_auc"}


def documents(table: Table) -> Documents:
    """A scores file for each entry, task and protocol."""
    return {
        f"{file_name(cell.entry)}/{file_name(f'{cell.task}-audiobench-{cell.protocol}')}/test.predicted-scores.json": (
            json_text({**_blocks(measured), "audiobench": statement(table, cell, measured)}, indent=4) + "\n"
        )
        for cell, measured in measured_cells(table)
    }


def _blocks(measured: Measured) -> dict[str, Any]:
    chief = measured.judge.chief
    scores = {fold: _scores(figures, chief.column) for fold, figures in by_fold(measured).items()}
    mode = {"score_mode": "max" if chief.higher_is_better else "min"}
    if len(scores) == 1:
        (of_test,) = scores.values()
        return {"test": of_test, **mode}
    blocks = {f"fold{fold:02d}": of_fold for fold, of_fold in scores.items()}
    return {**blocks, "aggregated_scores": _aggregated(list(scores.values())), **mode}


def _scores(figures: dict[str, float], chief: str) -> dict[str, float]:
    named = {f"test_{_NAMES.get(column, column)}": figure for column, figure in figures.items()}
    return {"test_score": figures[chief], **named}


def _aggregated(folds: list[dict[str, float]]) -> dict[str, float]:
    """Mean and deviation of the scores that every fold has."""
    shared = [name for name in folds[0] if all(name in of_fold for of_fold in folds)]
    columns = {name: [of_fold[name] for of_fold in folds] for name in shared}
    return {
        f"{name}_{end}": summary(values)
        for name, values in columns.items()
        for end, summary in (("mean", statistics.fmean), ("std", statistics.stdev))
    }
