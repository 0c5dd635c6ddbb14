"""The smallest differences that a task's recordings can tell: kept with a leaderboard, read before the next run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.ledger.plan import Plan
from benchmark.store.files import write_text
from benchmark.store.store import Store
from leaderboard.table import Table
from registry.targets.one_label import ACCURACY


def keep_smallest(table: Table, plan: Plan, store: Store) -> None:
    """Writes the smallest differences of every column beside the leaderboard."""
    kept = [
        {
            "data": _data(plan, task),
            "protocol": _protocol(plan, protocol),
            "task": task,
            "column": protocol,
            "suite": table.name,
            "alone": column.smallest.alone,
            "of_all": column.smallest.of_all,
            "pairs": column.smallest.pairs,
            "written": column.metric.write(column.smallest.alone, column.smallest.of_all),
        }
        for (task, protocol), column in table.columns.items()
        if column.smallest and column.smallest.alone
    ]
    path = store.root / "leaderboards" / f"{table.name.replace('/', '%')}.smallest.json"
    write_text(path, json.dumps(kept, indent=1))


def smallest_known(plan: Plan, store: Store) -> list[str]:
    """What the records of earlier runs say of differences on the tasks that a plan asks for, in words.

    Of several runs on the same data under the same protocol, the one with most pairs speaks.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted((store.root / "leaderboards").glob("*.smallest.json")):
        for kept in _read(path):
            place = (kept["data"], kept["protocol"])
            if place not in found or kept["pairs"] > found[place]["pairs"]:
                found[place] = kept
    sentences = []
    for task in plan.facts.tasks:
        for protocol in plan.facts.protocols:
            one = found.get((_data(plan, task), _protocol(plan, protocol)))
            if one:
                alone, of_all = one.get("written") or ACCURACY.write(one["alone"], one["of_all"])  # older files
                told = f"{protocol} on {task}: the smallest difference that its recordings told is {alone}"
                among = f", {of_all} among {one['pairs']} pairs" if one["pairs"] > 1 else ""
                sentences.append(f"{told}{among} (power 80 %; by the records of {one['suite']})")
    return sentences


def _read(path: Path) -> Sequence[dict[str, Any]]:
    """What was kept; nothing where the file is not what it was."""
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
