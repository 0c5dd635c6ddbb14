"""Boards, and finished suites, of many records: what is read again, and how the time grows."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.ledger.execute import needed
from benchmark.ledger.plan import Plan
from benchmark.ledger.request import Request
from benchmark.store import columns, found_whole, integrity, store
from benchmark.store.store import Store
from leaderboard import answers, comparison
from leaderboard.render import render
from leaderboard.resampling import Estimate
from leaderboard.sources import read_plans
from leaderboard.table import make_table
from tests.scale.finished import finished_suite


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three entries on one task, once."""
    return finished_suite(tmp_path_factory.mktemp("three"), 3, 1, 1)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the records that are checked, not only looked at; few records are remembered, too."""
    keys: list[str] = []
    check = integrity.check_record

    def noted(kind: str, folder: Path, *, large: bool, elsewhere: bool) -> None:
        keys.append(folder.name)
        check(kind, folder, large=large, elsewhere=elsewhere)

    monkeypatch.setattr(store, "check_record", noted)
    monkeypatch.setattr(found_whole, "WORTH", 1)
    return keys


def board(runs: Path) -> str:
    ((plan, stores),) = read_plans([runs], "many", None, lambda line: None)
    return render(make_table(plan, stores, shown_only=True), "md")


def test_a_record_that_was_found_whole_is_checked_again_only_after_a_change(
    three: tuple[Path, Path], checked: list[str]
) -> None:
    runs = three[1]
    time.sleep(0.06)  # until a change would show in the time stamps
    first = board(runs)
    assert len(set(checked)) == 3
    checked.clear()
    assert board(runs) == first
    assert not checked
    path = next(runs.glob("evaluate/*/predictions.parquet"))
    was, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))  # same size, same time of modification
    assert "not run" in board(runs)
    assert set(checked) == {path.parent.name}
    path.write_bytes(content)
    checked.clear()
    assert board(runs) == first
    assert set(checked) == {path.parent.name}


def test_records_known_to_list_the_same_clips_are_read_for_their_predictions_alone(
    three: tuple[Path, Path], checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, whole = three[1], columns.read_columns
    read: dict[Path, int] = {}

    def noted(path: Path, names: Sequence[str], **how: bool) -> Any:
        read[path] = len(names)
        return whole(path, names, **how)

    monkeypatch.setattr(answers, "read_columns", noted)
    (runs / "whole.json").unlink(missing_ok=True)
    time.sleep(0.06)  # until a change would show in the time stamps
    first = board(runs)
    assert list(read.values()) == [6, 6, 6]
    assert board(runs) == first
    assert list(read.values()) == [6, 1, 1]
    last = list(read)[-1]
    last.write_bytes(last.read_bytes())  # what was noted is of the file as it was
    time.sleep(0.06)
    assert board(runs) == first
    assert list(read.values()) == [6, 1, 6]
    assert board(runs) == first
    assert list(read.values()) == [6, 1, 1]


def test_a_store_at_rest_looks_at_a_record_once(three: tuple[Path, Path], checked: list[str]) -> None:
    of_runs = Store(three[1])
    (three[1] / "whole.json").unlink(missing_ok=True)
    path = next(three[1].glob("evaluate/*/result.json"))
    key, content = path.parent.name, path.read_bytes()
    with of_runs.at_rest():
        assert of_runs.has("evaluate", key)
        path.write_bytes(content[:-9])
        assert of_runs.has("evaluate", key)
        assert checked == [key]
        assert of_runs.check("evaluate", key, large=True)  # a thorough check looks again
    assert not of_runs.has("evaluate", key)
    path.write_bytes(content)
    assert of_runs.has("evaluate", key)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"code": "x", "whole": {}}', b'{"whole": 1}', b"\xff"])
def test_a_damaged_memory_of_whole_records_only_costs_time(
    three: tuple[Path, Path], checked: list[str], content: bytes
) -> None:
    runs = three[1]
    first = board(runs)
    (runs / "whole.json").write_bytes(content)
    checked.clear()
    assert board(runs) == first
    assert len(set(checked)) == 3


def test_what_other_code_found_whole_is_checked_again(three: tuple[Path, Path], checked: list[str]) -> None:
    path = three[1] / "whole.json"
    first = board(three[1])
    stored = json.loads(path.read_text())
    assert len(stored["whole"]) == 3
    path.write_text(json.dumps({**stored, "code": "another"}))
    checked.clear()
    assert board(three[1]) == first
    assert len(set(checked)) == 3


def test_a_whole_store_is_checked_whole_whatever_is_remembered(three: tuple[Path, Path], checked: list[str]) -> None:
    runs = three[1]
    board(runs)
    checked.clear()
    assert Store(runs).check("evaluate", next(runs.glob("evaluate/*")).name, large=True) is None
    assert len(checked) == 1


def test_a_finished_suite_is_planned_and_written_once(three: tuple[Path, Path]) -> None:
    suite, runs = three
    request, of_runs = Request(suite, None, None), Store(runs)
    (path,) = (runs / "plans").glob("*.json")
    before = path.read_bytes()
    plan = request.plan(of_runs)
    assert needed(plan, plan.rows, of_runs, lambda job, damage: None) == []
    request.keep(plan, of_runs)
    assert path.read_bytes() == before
    other = of_runs.plan_path("many", "0" * 64)
    other.write_bytes(before)  # another suite of this name: now it counts which was run last
    request.keep(plan, of_runs)
    assert path.read_bytes() != before
    stored = of_runs.load_plan("many", tell=lambda line: None)
    assert stored
    assert Plan.from_json(stored["plan"]).jobs.keys() == plan.jobs.keys()
    other.unlink()


@pytest.mark.slow
def test_twice_the_entries_take_at_most_about_twice_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    minus = Estimate.minus

    def counted(one: Estimate, other: Estimate) -> Estimate:
        made.append(other.value)
        return minus(one, other)

    monkeypatch.setattr(Estimate, "minus", counted)
    monkeypatch.setattr(comparison, "_SOME", 10)
    seconds, comparisons = {}, {}
    for entries in (105, 210):
        _, runs = finished_suite(tmp_path / str(entries), entries, 1, 1)
        board(runs)
        took = []
        for _ in range(3):
            made.clear()
            began = time.process_time()
            text = board(runs)
            took.append(time.process_time() - began)
        assert f"freeze on t0 {entries} entries" in text
        seconds[entries], comparisons[entries] = min(took), len(made)
    assert comparisons[210] <= 2.1 * comparisons[105]
    assert comparisons[105] < 4 * 105
    assert seconds[210] < 3 * seconds[105]
