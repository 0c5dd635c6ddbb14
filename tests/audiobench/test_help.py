"""``--help``: every command shows examples, and each of them names real commands, options and values."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from audiobench.cli import _app
from tests.audiobench.test_run import Call


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


APP = typer.main.get_command(_app())
COMMANDS = sorted(commands(APP))


def shown(text: str) -> list[str]:
    """The examples in a help text, which stand in lines of their own."""
    return re.findall(r"^ +(audiobench .*?) *$", text[re.search(r"^ Examples?:", text, re.M).end() :], re.M)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_shows_examples_that_parse(
    command: tuple[str, ...], audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = audiobench(*command, "--help")
    assert answer.status == 0
    examples = shown(answer.out)
    assert examples, "no example"
    for example in examples:
        program, *words = shlex.split(example)
        assert program == "audiobench"
        assert tuple(words[: len(command)]) == command
        parse(words)


def parse(words: list[str]) -> None:
    """Parses a line as a command would, and does nothing.

    Raises:
        UsageError of click's: if it has no such command, option or value.
    """
    context = APP.make_context("audiobench", list(words))
    command: Any = APP
    while hasattr(command, "commands"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize(
    "line", ["run quickstart --scales cpu", "data fetsh esc50", "leaderboard --format jpg", "show"]
)
def test_what_does_not_parse_is_seen(line: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|is not one of|missing"):
        parse(line.split())


def test_shipped_suites_and_tasks_in_examples_are_real(audiobench: Call) -> None:
    from audiobench.examples import _EXAMPLES
    from benchmark.suite.document import shipped_suites
    from registry.lookup import KINDS

    named = [shlex.split(example) for shown in _EXAMPLES.values() for example in shown]
    suites = [words[2] for words in named if words[1] in ("run", "plan", "leaderboard", "report")]
    assert set(suites) - {"mine.yaml"} <= set(shipped_suites())
    tasks = [word for words in named if words[1] == "data" for word in words[3:4] if word.isalnum()]
    assert set(tasks) <= set(next(kind for kind in KINDS if kind.folder == "tasks").names())
    for _, kind, name in (words[1:4] for words in named if words[1] == "show"):
        assert name in next(one for one in KINDS if one.folder == kind).names()
