"""What ``run`` and ``leaderboard`` answer again from memory, and whatever must make them look at the records."""

import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmark.ledger import remembered
from benchmark.store import files
from leaderboard import published, table
from leaderboard.measured import Measured
from tests.audiobench.test_stale import Place, record
from tests.conftest import Answer
from tests.scale.finished import finished_suite

Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three entries with records, once, and a second plan on the same records."""
    return finished_suite(tmp_path_factory.mktemp("many"), 3, 1, 1)[0].parent


class ReadError(Exception):
    """The records are read."""


class Board:
    """Records, and the commands that answer from them: ``of_memory`` fails where they look at the records."""

    def __init__(self, folder: Path, audiobench: Call, patch: pytest.MonkeyPatch) -> None:
        self.suite, self.runs, self.call, self.patch = folder / "many.yaml", folder / "runs", audiobench, patch

    def run(self, *options: object) -> Answer:
        return self.call("run", self.suite, "--runs", self.runs, *options)

    def leaderboard(self, *options: object) -> Answer:
        suite = () if self.suite in options else ("many",)
        return self.call("leaderboard", *suite, "--runs", self.runs, *options)

    def of_memory(self, ask: Callable[[], Answer]) -> Answer | None:
        """The answer, if it is given without a look at the records."""

        def read(*of: object) -> None:
            raise ReadError

        with self.patch.context() as patch:
            patch.setattr(Measured, "read", staticmethod(read))
            try:
                return ask()
            except ReadError:
                return None

    def evaluations(self) -> list[Path]:
        return sorted(path.parent for path in self.runs.glob("evaluate/*/predictions.parquet"))


@pytest.fixture
def board(made: Path, tmp_path: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch) -> Board:
    """Records of a finished suite, whose answers are remembered."""
    shutil.copytree(made, tmp_path / "many")
    of = Board(tmp_path / "many", audiobench, monkeypatch)
    of.run()  # which stores the plan of this code
    time.sleep(0.06)  # until a change would show in the time stamps
    assert of.run().status == of.leaderboard().status == 0
    return of


def test_a_finished_suite_is_answered_from_memory_and_its_files_are_written_again(board: Board) -> None:
    def shown() -> tuple[Answer, dict[str, str]]:
        answer = board.of_memory(board.run)
        assert answer
        written = (board.runs / "leaderboards").glob("many*")
        return answer, {path.name: path.read_text() for path in written}

    first = shown()
    assert f"leaderboard: {board.runs}/leaderboards/many.md" in first[0].out
    assert {"many.md", "many.smallest.json"} == set(first[1])
    (board.runs / "leaderboards" / "many.smallest.json").unlink()
    (board.runs / "leaderboards" / "many.md").write_text("edited")
    assert shown() == first
    (board.runs / "leaderboards" / "answers.json").unlink()
    assert board.run() == first[0]
    assert board.of_memory(board.leaderboard) is None
    assert board.leaderboard().out == first[1]["many.md"]


def changed(path: Path) -> None:
    """Another byte at the end, in a file of the same size and time of modification."""
    was, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def removed(path: Path) -> None:
    shutil.rmtree(path.parent)


CHANGES = [(removed, "result.json"), *((changed, name) for name in ("predictions.parquet", "result.json", "job.json"))]


@pytest.mark.parametrize(("change", "name"), CHANGES)
def test_a_record_that_changed_or_went_away_is_in_no_remembered_board(
    board: Board, change: Callable[[Path], None], name: str
) -> None:
    path = board.evaluations()[1] / name
    kept = shutil.copytree(path.parent, board.runs / "kept")
    first = board.of_memory(board.leaderboard)
    assert first
    change(path)
    assert board.of_memory(board.leaderboard) is None
    now = board.leaderboard()
    assert "not run" in now.out
    assert (name in now.err) == (change is changed)
    again = board.of_memory(board.leaderboard)  # damage is told each time
    assert (again is None) == (change is changed)
    shutil.rmtree(path.parent, ignore_errors=True)
    kept.rename(path.parent)
    assert board.of_memory(board.leaderboard) is None
    assert board.leaderboard() == first


def test_a_run_makes_a_damaged_record_anew(board: Board) -> None:
    assert board.of_memory(board.run)
    path = board.evaluations()[1] / "predictions.parquet"
    changed(path)
    answer = board.run()
    assert "predictions.parquet is not what was written" in answer.err
    assert path.parent in board.evaluations()


def test_a_record_that_is_added_is_in_the_next_board(board: Board, tmp_path: Path) -> None:
    path = board.evaluations()[1]
    path.rename(tmp_path / path.name)
    assert "not run" in board.leaderboard().out
    time.sleep(0.06)
    assert "not run" in board.leaderboard().out
    (tmp_path / path.name).rename(path)
    assert "not run" not in board.leaderboard().out


def test_a_change_too_young_to_show_in_time_stamps_is_not_remembered_over(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert board.of_memory(board.leaderboard)
    monkeypatch.setattr(files, "_TICK_NS", 10**12)
    assert board.of_memory(board.leaderboard) is None


def test_what_else_is_asked_is_answered_anew(board: Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(board.runs, tmp_path / "copy")
    for options in (["--format", "csv"], ["--selection", "best-mean"], ["--from", tmp_path / "copy"], [board.suite]):
        assert board.of_memory(partial(board.leaderboard, *options)) is None
    assert board.of_memory(lambda: board.run("--entry", "e1")) is None
    assert board.of_memory(lambda: board.run("--seed", "0")) is None
    monkeypatch.setenv("COLUMNS", "60")
    assert board.of_memory(board.run) is None
    narrow = board.run().out
    assert board.of_memory(board.run) is not None
    assert max(map(len, narrow.splitlines()[:3])) <= 60
    board.suite.write_text(board.suite.read_text().replace("control: e0", "control: e1"))
    assert board.of_memory(board.run) is None
    assert "minus e1" in board.run().out


def test_a_check_of_a_file_reads_the_records(board: Board, tmp_path: Path) -> None:
    output = tmp_path / "board.md"
    assert board.leaderboard("--output", output).status == 0
    assert board.of_memory(lambda: board.leaderboard("--output", output, "--check")) is None


def test_a_plan_that_changed_is_read(board: Board) -> None:
    (plan,) = (board.runs / "plans").iterdir()
    plan.write_text(plan.read_text().replace("freeze e0", "freeze e9"))
    answer = board.leaderboard()
    assert (answer.status, "a stored plan is damaged" in answer.err) == (2, True)


def test_other_code_and_other_published_figures_answer_anew(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {name for name, _, _ in files.code_state(*remembered._CODE)}
    of_code = {Path(module.__file__ or "").name for module in (published, table)}
    assert {f"leaderboard/{name}" for name in (*of_code, published.FIGURES.name)} <= named
    with monkeypatch.context() as patch:
        patch.setattr(remembered, "code_state", lambda *patterns: [("leaderboard/published.csv", 1, len(patterns))])
        assert board.of_memory(board.leaderboard) is None
    with monkeypatch.context() as patch:
        patch.setattr(remembered, "installed_state", lambda: ["another numpy"])
        assert board.of_memory(board.run) is None
    assert board.of_memory(board.leaderboard)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"code": "x", "answers": {}}', b'{"answers": 1, "code": 1}', b"\xff"]
)
def test_a_damaged_memory_only_costs_time(board: Board, content: bytes) -> None:
    first = board.leaderboard()
    (board.runs / "leaderboards" / "answers.json").write_bytes(content)
    assert board.of_memory(board.leaderboard) is None
    assert board.leaderboard() == first
    assert board.of_memory(board.leaderboard) == first


def test_nothing_is_written_where_no_run_wrote_a_leaderboard(board: Board) -> None:
    shutil.rmtree(board.runs / "leaderboards")
    board.leaderboard()
    assert not (board.runs / "leaderboards").exists()


def test_the_memory_keeps_the_last_answers_alone(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "_KEPT", 2)
    for form in ("csv", "html"):
        board.leaderboard("--format", form)
    assert board.of_memory(board.leaderboard) is None
    assert board.of_memory(lambda: board.leaderboard("--format", "html"))


def test_a_finished_run_looks_at_its_recordings(tmp_path: Path, audiobench: Call) -> None:
    place = Place(tmp_path, audiobench)
    place.run()
    time.sleep(0.06)
    first = place.run()
    assert place.run() == first
    assert (place.runs / "leaderboards" / "answers.json").is_file()
    before = place.file("low/1.wav").stat()
    record(place.file("low/1.wav"), 1700)
    os.utime(place.file("low/1.wav"), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "1 recording of folder changed since it was last read: low/1.wav" in place.run().err
    assert len(place.packs()) == 2
