"""``audiobench new``: what it writes works before a line of it is changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.audiobench.test_run import Call

ROOT = Path(__file__).parents[2]
KINDS = ("encoder", "method", "task", "protocol", "target")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to write into."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_component_is_written_that_keeps_its_contract(kind: str, here: Path, audiobench: Call) -> None:
    answer = audiobench("new", kind, "my-own")
    assert answer.status == 0, answer.err
    assert sorted(path.name for path in here.iterdir()) == ["my_own.py", "test_my_own.py"]
    commands = [line.strip() for line in answer.out.splitlines() if line.startswith("  ")]
    assert commands == ["audiobench check my_own.py", "python -m pytest test_my_own.py"]
    checked = audiobench("check", "my_own.py")
    assert checked.status == 0, checked.out
    assert f"{kind}s/my-own keeps its contract" in checked.out
    compile((here / "test_my_own.py").read_text(), "test_my_own.py", "exec")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_test_that_is_written_passes_and_fails_once_the_component_is_broken(
    kind: str, here: Path, audiobench: Call
) -> None:
    audiobench("new", kind, "my-own")
    ended = run_pytest("test_my_own.py")
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout
    text = (here / "my_own.py").read_text()
    (here / "my_own.py").write_text(text.replace('    source = "yours"', '    source = ""'))
    broken = run_pytest("test_my_own.py", "-k", "contract")
    assert broken.returncode == 1, broken.stdout
    assert "does not keep its contract" in broken.stdout


def run_pytest(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_suite_is_written_that_plans_and_says_what_to_do_next(here: Path, audiobench: Call) -> None:
    answer = audiobench("new", "suite", "birds-2024")
    assert answer.out.splitlines() == [
        "written: birds-2024.yaml",
        "next:",
        "  audiobench plan birds-2024.yaml",
        "  audiobench run birds-2024.yaml",
    ]
    text = (here / "birds-2024.yaml").read_text()
    assert sum(line.lstrip().startswith("#") for line in text.splitlines()) > 8
    assert yaml.safe_load(text)["name"] == "birds-2024"
    for scale in ((), ("--scale", "small")):
        planned = audiobench("plan", "birds-2024.yaml", *scale)
        assert planned.status == 0, planned.err
        assert "8 jobs, 0 done" in planned.out


@pytest.mark.slow
def test_the_suite_that_is_written_runs(audiobench: Call) -> None:
    audiobench("new", "suite", "demo")
    answer = audiobench("run", "demo.yaml", "--scale", "small")
    assert answer.status == 0, answer.err
    assert {"npid †", "random"} <= {line.split("  ")[0] for line in answer.out.splitlines()}


@pytest.mark.parametrize("there", ["my_own.py", "test_my_own.py"])
def test_no_file_is_overwritten_and_none_is_written_beside_it(there: str, here: Path, audiobench: Call) -> None:
    (here / there).write_text("mine")
    answer = audiobench("new", "encoder", "my-own")
    assert answer.status == 2
    assert answer.err.splitlines()[0] == f"audiobench: {there} is there already"
    assert [(path.name, path.read_text()) for path in here.iterdir()] == [(there, "mine")]


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("encoder", "../net", "'../net' cannot be the name of a component"),
        ("encoder", "MyNet", "'MyNet' cannot be the name of a component"),
        ("encoder", "2nd", "'2nd' cannot be the name of a component"),
        ("method", "moco", "there is a method moco already"),
        ("task", "speech_commands", "there is a task speech_commands already"),
        ("task", "task", "a class cannot be called Task here"),
        ("target", "none", "a class cannot be called None here"),
        ("encoder", "numpy", "a file numpy.py would hide Python's module numpy"),
        ("suite", "a/b", "'a/b' cannot be a suite's name"),
        ("suite", "mine.yaml", "'mine.yaml' cannot be a suite's name"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(kind: str, name: str, why: str, here: Path, audiobench: Call) -> None:
    answer = audiobench("new", kind, name)
    assert answer.status == 2
    assert answer.err.splitlines()[0] == f"audiobench: {why}"
    assert "  to do: " in answer.err
    assert list(here.iterdir()) == []
