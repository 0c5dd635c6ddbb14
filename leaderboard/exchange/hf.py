"""Hugging Face: ``.eval_results/*.yaml`` of a model repository, a file for each task and protocol.

The Hub wants ``dataset.id`` to be a data set that it lists as a Benchmark, and ``task_id`` a task of that data set's
``eval.yaml``. No data set is registered with audiobench's protocols. The ids here are therefore audiobench's own names
of task and protocol: the figure is true, but the Hub cannot place it until its user names a Benchmark.
Specification: https://huggingface.co/docs/hub/eval-results.
"""

import yaml

from leaderboard.exchange import Documents, file_name, measured_cells, note
from leaderboard.table import Cell, Table

_HEAD = """\
# dataset.id and task_id are audiobench's names of the task and the protocol. The Hub wants the id of a data set that it
# lists as a Benchmark: put in the id of one that is registered with this protocol, and of no other.
"""


def documents(table: Table) -> Documents:
    """A file for each entry, task and protocol, below a folder for each entry: a model repository."""
    return {
        f"{file_name(cell.entry)}/.eval_results/{file_name(f'audiobench-{cell.task}-{cell.protocol}')}.yaml": _file(
            cell, table
        )
        for cell, _ in measured_cells(table)
    }


def _file(cell: Cell, table: Table) -> str:
    result = {
        "dataset": {"id": table.facts.tasks[cell.task].name, "task_id": f"audiobench-{cell.protocol}"},
        "value": cell.mean,
        "notes": note(cell),
    }
    return _HEAD + yaml.safe_dump([result], sort_keys=False, allow_unicode=True, width=10_000)
