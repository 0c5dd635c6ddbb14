"""Stored plans through the command line: whose table is shown, and what becomes of damage."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.store.store import Store
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]

SUITE = (
    TINY[: TINY.index("control:")]
    + TINY[TINY.index("frontend:") : TINY.index("pretrain:")]
    + "entries: {random: {weights: random}}\ntasks: [{name: sounds, clips: 2}]\nprotocols: {knn: {k: [1]}}\n"
)


class Suites:
    """Suites of one name in one folder of records."""

    def __init__(self, folder: Path, audiobench: Call) -> None:
        self.folder, self.call = folder, audiobench
        self.runs = folder / "runs"

    def run(self, file: str, text: str, *options: object) -> Answer:
        (self.folder / file).write_text(text)
        answer = self.call("run", self.folder / file, "--runs", self.runs, "--device", "cpu", *options)
        assert answer.status == 0, answer.err
        return answer

    def board(self, suite: object, *options: object) -> Answer:
        return self.call("leaderboard", suite, "--runs", self.runs, "--format", "json", *options)

    def plans(self) -> list[Path]:
        return sorted((self.runs / "plans").iterdir())


@pytest.fixture
def suites(tmp_path: Path, audiobench: Call) -> Suites:
    made = Suites(tmp_path, audiobench)
    made.run("one.yaml", SUITE)
    return made


def neighbours(answer: Answer) -> Any:
    assert answer.status == 0, answer.err
    return json.loads(answer.out)["cells"][0]["k"]


def test_a_file_never_shows_another_suite_of_its_name(suites: Suites) -> None:
    (suites.folder / "other.yaml").write_text(SUITE.replace("k: [1]", "k: [3]"))
    answer = suites.board(suites.folder / "other.yaml")
    assert answer.status == 2
    assert "was not run here as it is now" in answer.err
    assert "to do: run it again" in answer.err
    suites.run("other.yaml", SUITE.replace("k: [1]", "k: [3]"))
    one, other = suites.board(suites.folder / "one.yaml"), suites.board(suites.folder / "other.yaml")
    assert (neighbours(one), neighbours(other)) == ([1], [3])
    assert not one.err + other.err
    last = suites.board("tiny")
    assert neighbours(last) == [3]
    assert "was run last of the suites called tiny" in last.err
    assert suites.run("one.yaml", SUITE).err == ""
    assert neighbours(suites.board("tiny")) == [1]
    suites.run("one.yaml", "# a comment\n" + SUITE)
    suites.run("one.yaml", SUITE, "--seed", "3")
    assert len(suites.plans()) == 2
    stored = Store(suites.runs).load_plan("tiny")
    assert stored
    assert stored["plan"]["facts"]["seeds"] == [3]


def test_planning_stores_no_plan(suites: Suites) -> None:
    before = [path.read_bytes() for path in suites.plans()]
    for command in (("plan",), ("run", "--dry-run")):
        (suites.folder / "other.yaml").write_text(SUITE.replace("k: [1]", "k: [3]"))
        assert suites.call(*command, suites.folder / "other.yaml", "--runs", suites.runs).status == 0
    assert [path.read_bytes() for path in suites.plans()] == before


def test_a_report_shows_the_suite_as_it_was_run_without_its_file(suites: Suites) -> None:
    (suites.folder / "base.yaml").write_text(SUITE)
    suites.run("child.yaml", "extends: base.yaml\nname: child\ntitle: The child  # of the base\n")
    for file in ("base.yaml", "child.yaml"):
        (suites.folder / file).unlink()
    answer = suites.call("report", "child", "--runs", suites.runs)
    assert answer.status == 0, answer.err
    page = (suites.runs / "reports" / "child.html").read_text()
    assert "The child  # of the base" in page
    assert "name: tiny" in page
    answer = suites.call("report", "chile", "--runs", suites.runs)
    assert (answer.status, "did you mean child?" in answer.err) == (2, True)


def test_a_damaged_plan_is_named_and_made_again(suites: Suites) -> None:
    (path,) = suites.plans()
    whole = path.read_text()
    for damage in ("", "null", "[]", whole[:-30], whole.replace('"knn"', '"knm"', 1), '{"schema": 7}'):
        path.write_text(damage)
        for command in (("plan",), ("run", "--dry-run"), ("run",)):
            answer = suites.call(*command, suites.folder / "one.yaml", "--runs", suites.runs)
            assert (answer.status, f"{path}: " in answer.err, "made again" in answer.err) == (0, True, True), answer.err
            assert "3 jobs, 3 done" in answer.out or command[0] == "run"
        assert json.loads(path.read_text())["plan"] == json.loads(whole)["plan"]
        answer = suites.call("run", suites.folder / "one.yaml", "--runs", suites.runs)
        assert (answer.status, answer.err) == (0, "")


def test_leaderboards_name_a_damaged_plan_and_show_the_others(suites: Suites) -> None:
    suites.run("two.yaml", SUITE.replace("name: tiny", "name: two"))
    path = next(path for path in suites.plans() if path.name.startswith("two."))
    path.write_text(path.read_text()[:100])
    answer = suites.call("leaderboard", "--runs", suites.runs)
    assert answer.status == 0
    assert answer.out.count("# Tiny") == 1
    assert str(path) in answer.err
    answer = suites.call("leaderboard", "two", "--runs", suites.runs)
    assert (answer.status, "to do: run the suite again" in answer.err) == (2, True)
    assert "Traceback" not in answer.err


def test_a_plan_that_an_older_version_stored_by_name_is_shown(suites: Suites) -> None:
    (path,) = suites.plans()
    stored = json.loads(path.read_text())
    older = {"schema": 1, "request": "", "plan": {k: v for k, v in stored["plan"].items() if k != "texts"}}
    path.unlink()
    Store(suites.runs).plan_path("tiny").write_text(json.dumps(older))
    assert neighbours(suites.board("tiny")) == [1]
    answer = suites.board(suites.folder / "one.yaml")
    assert neighbours(answer) == [1]
    assert "by its name alone" in answer.err
    answer = suites.call("report", suites.folder / "one.yaml", "--runs", suites.runs)
    assert answer.status == 0, answer.err
    assert "name: tiny" in (suites.runs / "reports" / "tiny.html").read_text()
