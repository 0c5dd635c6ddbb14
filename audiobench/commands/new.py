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


def _add(singular: str) -> None:
    """Adds the command that writes a component of a kind."""
    beside = "with a task to try it on, " if singular == "target" else ""
    text = (
        f"Write {'an' if singular[0] in 'aeiou' else 'a'} {singular}, {beside}and a test that runs it in a tiny suite."
    )

    @app.command(singular, help=text, epilog=examples(f"new {singular}"))
    def component(name: Name, debug: Debug = False) -> None:
        from registry.lookup import KINDS

        _component(next(kind for kind in KINDS if kind.singular == singular), name)


for _singular in ("encoder", "method", "task", "protocol", "target"):
    _add(_singular)


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
