"""Leaderboards and finished suites of up to 10,000 records, made anew and asked again, and how their time grows.

The stores are made once, in ``build/speed``: of 10,000 records that takes minutes. Delete the folder after a change of
what records hold.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.scale.finished import finished_suite
from tests.speed import Row, exponent, seconds_of

_AUDIOBENCH = [sys.executable, "-m", "audiobench"]
_STORES = Path("build/speed")
_TASKS, _SEEDS = 5, 5
_ENTRIES = (1, 20, 80, 400)  # the first stands for the start, which does not grow


def rows() -> Iterator[Row]:
    """The rows of the largest store, and the growth from the second on, less the time of the first."""
    seconds = {}
    for entries in _ENTRIES:
        suite, runs = _store(entries)
        shutil.rmtree(runs / "leaderboards", ignore_errors=True)  # without it no answer is remembered
        records = entries * _TASKS * _SEEDS
        board = [*_AUDIOBENCH, "leaderboard", "many", "--runs", str(runs)]
        row = seconds_of(f"leaderboard, {records:,} records, made anew", board, 5.0, times=3)
        seconds[records] = row.value
    yield row
    run = [*_AUDIOBENCH, "run", str(suite), "--runs", str(runs)]
    yield seconds_of(f"run, finished, {records:,} records, asked again", run, 1.0, times=4)
    yield seconds_of(f"leaderboard, {records:,} records, asked again", board, 5.0, times=3)
    start, *others = seconds.values()
    yield exponent(
        "leaderboard, less its start", dict(zip(list(seconds)[1:], (s - start for s in others), strict=True))
    )


def _store(entries: int) -> tuple[Path, Path]:
    folder = _STORES / f"records-{entries}"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        finished_suite(folder, entries, _TASKS, _SEEDS)
        (folder / "done").touch()
    return folder / "many.yaml", folder / "runs"
