"""Mistakes name the next command, and that command exists."""

import shlex
from pathlib import Path

import pytest

from tests.audiobench.test_help import parse
from tests.audiobench.test_run import Call
from tests.conftest import TINY


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["show", "methods", "mocco"], "audiobench list methods"),
        (["check", "encoders", "cnn11"], "audiobench list encoders"),
        (["check", "--frontend", "logmell", "cnn10"], "audiobench list frontends"),
        (["check", "--frontend", "{name: logmel, bins: 3}", "cnn10"], "audiobench show frontends logmel"),
        (["run", "birds"], "audiobench new suite NAME"),
        (["leaderboard", "esc10"], "audiobench run esc10"),
        (["store", "check"], "audiobench run SUITE"),
        (["data", "fetch", "esc50"], "audiobench data fetch esc50 --data DIR"),
        (["data", "verify", "gtzan"], "audiobench data fetch gtzan --data DIR --from PATH"),
        (["data", "verify", "speech-commands", "--data", "a b"], "audiobench data fetch speech-commands --data 'a b'"),
    ],
)
def test_a_mistake_names_the_next_command(
    arguments: list[str], command: str, audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a b").mkdir()
    answer = audiobench(*arguments)
    assert answer.status == 2
    assert command in answer.err.split("to do: ")[-1]
    parse(shlex.split(command)[1:])


@pytest.mark.parametrize(
    ("right", "wrong", "command"),
    [
        ("queue_size: 32", "queue_sise: 32", "audiobench show methods moco"),
        ("queue_size: 32", "queue_size: many", "audiobench show methods moco"),
        ("name: cnn10,", "name: cnn101,", "audiobench list encoders"),
        ("knn: {k: [1, 3]}", "knnn: {k: [1, 3]}", "audiobench list protocols"),
    ],
)
def test_a_mistake_in_a_suite_names_the_next_command(
    right: str, wrong: str, command: str, audiobench: Call, tiny: Path
) -> None:
    assert right in TINY
    tiny.write_text(TINY.replace(right, wrong))
    answer = audiobench("plan", tiny)
    assert answer.status == 2
    assert command in answer.err
    parse(shlex.split(command)[1:])


def test_a_suite_that_was_not_run_is_named_in_the_command(finished: tuple[Path, Path], audiobench: Call) -> None:
    answer = audiobench("leaderboard", "esc10", "--scale", "cpu", "--runs", finished[1])
    assert "to run it: audiobench run esc10 --scale cpu" in answer.err
