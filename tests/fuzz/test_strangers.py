"""Folders of records from strangers, through the public doors: an answer in words, no traceback, no wrong figure."""

import json
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.conftest import Answer
from tests.fuzz.made import made_store
from tests.fuzz.mutants import copied, mutate_plan, mutate_record

Call = Callable[..., Answer]
_SECONDS = 60
DOORS: dict[str, Callable[[Path], list[Any]]] = {
    "leaderboard": lambda runs: ["leaderboard", "made", "--format", "json", "--runs", runs],
    "merge": lambda runs: ["leaderboard", "made", "--format", "md", "--runs", runs, "--from", runs.parent / "whole"],
    "report": lambda runs: ["report", "made", "--runs", runs],
    "check": lambda runs: ["store", "check", "--yes", "--runs", runs],
    "clean": lambda runs: ["store", "clean", "--runs", runs],
    "embed": lambda runs: ["embed", "moco", runs.parent / "none.wav", "-o", runs / "x.npy", "--runs", runs],
    "pretraining": lambda runs: ["export", next(runs.glob("pretrain/*")), "--to", runs.parent / "out"],
    "export": lambda runs: ["export", "moco", "--to", runs.parent / "out", "--runs", runs],
}
MUTATIONS = {"record": mutate_record, "plan": mutate_plan}
FAST = {"leaderboard": 2, "check": 3, "clean": 2}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as it was written."""
    root = tmp_path_factory.mktemp("strangers") / "whole"
    made_store(root)
    return root


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Fails what takes longer. (Where there is no such alarm, nothing is limited.)"""

    def late(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"it took more than {seconds} s")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def knock(door: str, kind: str, seeds: range, whole: Path, folder: Path, audiobench: Call) -> None:
    """Sends changed stores through a door."""
    before = cells(audiobench(*DOORS["leaderboard"](whole)))
    for seed in seeds:
        work = folder / str(seed)
        runs = copied(whole, work / "runs")
        copied(whole, work / "whole")
        done = MUTATIONS[kind](runs, random.Random(seed))
        with limited(_SECONDS):
            answer = audiobench(*DOORS[door](runs))
        told = f"{door}, {kind} {seed} ({done}): {answer.err[-500:]}"
        assert answer.status in (0, 1, 2), told
        assert "Traceback" not in answer.err, told
        assert "internal error" not in answer.err, told
        if door == "leaderboard" and answer.status == 0 and kind == "record":
            require_true(before, cells(answer), told)
        shutil.rmtree(work)


def cells(answer: Answer) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for cell in json.loads(answer.out, parse_constant=pytest.fail)["cells"]:
        found[cell["entry"], cell["protocol"]] = cell
    return found


def require_true(before: dict[Any, dict[str, Any]], after: dict[Any, dict[str, Any]], told: str) -> None:
    """Figures are those of the predictions, which the mutants leave alone or spoil; else the cell is empty."""
    for place, cell in after.items():
        if cell["mean"] is not None and cell["folds"] == before[place]["folds"]:
            for name in ("mean", "deviation", "clips", "selection"):
                assert cell[name] == before[place][name], f"{name} of {place}: {told}"


@pytest.mark.parametrize("kind", MUTATIONS)
@pytest.mark.parametrize("door", FAST)
def test_a_changed_file_is_told_in_words(door: str, kind: str, whole: Path, tmp_path: Path, audiobench: Call) -> None:
    knock(door, kind, range(FAST[door]), whole, tmp_path, audiobench)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MUTATIONS)
@pytest.mark.parametrize("door", DOORS)
def test_many_changed_files_are_told_in_words(
    door: str, kind: str, whole: Path, tmp_path: Path, audiobench: Call
) -> None:
    count = {"report": 2, "leaderboard": 30, "merge": 10}.get(door, 20)
    knock(door, kind, range(100, 100 + count), whole, tmp_path, audiobench)
