"""MTEB: a ``TaskResult`` for each entry and task (mteb 2.26), in the layout of its results cache.

The folder can be read with ``mteb.ResultCache(FOLDER).load_results()``. Task names say whose protocol it is, because
MTEB has tasks of its own on the same data sets: ``esc50 (audiobench freeze)`` is none of these. A model's revision is
the suite with its scale, for that is what its name means something in.
"""

from benchmark.store.files import json_text
from leaderboard.exchange import Documents, by_fold, file_name, measured_cells, statement
from leaderboard.measured import Measured
from leaderboard.table import Cell, Table

_UNKNOWN_LANGUAGE = "und-Zxxx"  # undetermined, and not written: a task does not state what is spoken in it


def documents(table: Table) -> Documents:
    """A result for each entry, task and protocol, and a ``model_meta.json`` for each entry."""
    files = {}
    for cell, measured in measured_cells(table):
        model, revision = f"audiobench/{cell.entry}", table.name
        folder = f"results/audiobench__{file_name(cell.entry)}/{file_name(revision)}"
        meta = {"name": model, "revision": revision, "n_parameters": cell.parameters}
        files[f"{folder}/model_meta.json"] = json_text(meta, indent=2) + "\n"
        task = f"{cell.task} (audiobench {cell.protocol})"
        files[f"{folder}/{file_name(task)}.json"] = _result(table, cell, measured, task)
    return files


def _result(table: Table, cell: Cell, measured: Measured, task: str) -> str:
    others = {figure.metric.column: figure.interval.mean for figure in cell.others.values()}
    scores = {
        "main_score": cell.mean,
        cell.metric.column: cell.mean,
        **others,
        "scores_per_experiment": list(by_fold(measured).values()),
        "hf_subset": "default",
        "languages": [_UNKNOWN_LANGUAGE],
        "audiobench": statement(table, cell, measured),
    }
    result = {
        "dataset_revision": measured.data_hash,
        "task_name": task,
        "mteb_version": None,
        "scores": {"test": [scores]},
        "evaluation_time": None,
        "kg_co2_emissions": None,
    }
    return json_text(result, indent=2) + "\n"
