"""``audiobench new``: files to begin with."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiobench.commands.options import Debug
from audiobench.examples import examples
from registry.text import say

if TYPE_CHECKING:
    from registry.lookup import AnyComponent, Kind

app = typer.Typer(
    help="Write a component and its test, or a suite, to begin with. They run as they are.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Of the component, such as my-net: its files are my_net.py, test_my_net.py.")]


@app.command("suite", epilog=examples("new suite"))
def suite(
    name: Annotated[str, typer.Argument(help="Of the suite; its file is NAME.yaml.")],
    recordings: Annotated[
        Path | None, typer.Option("--from", help="A folder of recordings: their headers are read.", file_okay=False)
    ] = None,
    debug: Debug = False,
) -> None:
    """Write a suite with comments: for a folder of recordings, or for made sounds, in under a minute."""
    from audiobench.fitted import new_fitted_suite
    from audiobench.scaffold import new_suite

    files, seen = (new_suite(name, Path()), []) if recordings is None else new_fitted_suite(name, recordings, Path())
    for sentence in seen:
        say(sentence)
    _told(files, [f"audiobench plan {files[0]}", f"audiobench run {files[0]}"])


@app.command("encoder", epilog=examples("new encoder"))
def encoder(name: Name, debug: Debug = False) -> None:
    """Write an encoder, and a test that checks its contract and runs a tiny suite."""
    from registry.lookup import ENCODERS

    _component(ENCODERS, name)


@app.command("method", epilog=examples("new method"))
def method(name: Name, debug: Debug = False) -> None:
    """Write a pretraining method, and a test that checks its contract and runs a tiny suite."""
    from registry.lookup import METHODS

    _component(METHODS, name)


@app.command("task", epilog=examples("new task"))
def task(name: Name, debug: Debug = False) -> None:
    """Write a task, and a test that checks its contract and runs a tiny suite."""
    from registry.lookup import TASKS

    _component(TASKS, name)


@app.command("protocol", epilog=examples("new protocol"))
def protocol(name: Name, debug: Debug = False) -> None:
    """Write a protocol, and a test that checks its contract and runs a tiny suite."""
    from registry.lookup import PROTOCOLS

    _component(PROTOCOLS, name)


@app.command("target", epilog=examples("new target"))
def target(name: Name, debug: Debug = False) -> None:
    """Write a target with a task to try it on, and a test that checks their contracts and runs a tiny suite."""
    from registry.lookup import TARGETS

    _component(TARGETS, name)


def _component(kind: "Kind[AnyComponent]", name: str) -> None:
    from audiobench.scaffold import new_component

    component, test = new_component(kind, name, Path())
    _told([component, test], [f"audiobench check {component}", f"python -m pytest {test}"])
    say(f"in a suite: plugins: [{component}]")


def _told(files: Sequence[Path], commands: Sequence[str]) -> None:
    """Says what was written, and what to do next."""
    say(f"written: {' and '.join(map(str, files))}")
    say("next:")
    for command in commands:
        say(f"  {command}")
