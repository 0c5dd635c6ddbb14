"""The smallest differences that a task's recordings can show: kept with a leaderboard, read before the next run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.ledger.plan import Plan
from benchmark.store.files import json_text
from benchmark.store.store import Store
from leaderboard.table import Table
from registry.targets.one_label import ACCURACY


def smallest_text(table: Table, plan: Plan) -> str:
    """The smallest differences of every column, as they are kept beside the leaderboard."""
    kept = [
        {
            "data": _data(plan, task),
            "protocol": _protocol(plan, protocol),
            "task": task,
            "column": protocol,
            "suite": table.name,
            "alone": of_column.smallest.alone,
            "of_all": of_column.smallest.of_all,
            "pairs": of_column.smallest.pairs,
            "written": of_column.metric.write(of_column.smallest.alone, of_column.smallest.of_all),
        }
        for (task, protocol), of_column in table.comparisons.items()
        if of_column.smallest and of_column.smallest.alone
    ]
    return json_text(kept, indent=1)


def smallest_known(plan: Plan, store: Store) -> list[str]:
    """The smallest differences, by the records of earlier runs, on the tasks that a plan asks for, in words.

    Where several runs had the same data and protocol, the run with the most pairs counts.
    """
    most: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted((store.root / "leaderboards").glob("*.smallest.json")):
        for kept in _read(path):
            place = (kept["data"], kept["protocol"])
            if place not in most or kept["pairs"] > most[place]["pairs"]:
                most[place] = kept
    sentences = []
    for task in plan.facts.tasks:
        for protocol in plan.facts.protocols:
            one = most.get((_data(plan, task), _protocol(plan, protocol)))
            if one:
                alone, of_all = one.get("written") or ACCURACY.write(one["alone"], one["of_all"])  # older files
                smallest = f"{protocol} on {task}: the smallest difference that its recordings told is {alone}"
                among = f", {of_all} among {one['pairs']} pairs" if one["pairs"] > 1 else ""
                sentences.append(f"{smallest}{among} (power 80 %; by the records of {one['suite']})")
    return sentences


def _read(path: Path) -> Sequence[dict[str, Any]]:
    """The differences that a file keeps; none where the file is damaged."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return [one for one in kept if {"data", "protocol", "alone", "of_all", "pairs", "suite"} <= one.keys()]
    except (ValueError, TypeError, AttributeError):
        return []


def _data(plan: Plan, task: str) -> str:
    """The settings of the task in a column: the same recordings at any sample rate."""
    row = next((row for row in plan.rows if row.task == task), None)
    if row is None:
        return task
    return json.dumps(dict(plan.pack_of(row).config.task.config), sort_keys=True)


def _protocol(plan: Plan, column: str) -> str:
    """The protocol behind a column, by the registry's name, and its number of shots."""
    row = next((row for row in plan.rows if row.protocol == column), None)
    if row is None:
        return f"{column} all"
    config = plan.evaluation(row).config
    return f"{config.protocol.name} {config.shots or 'all'}"
