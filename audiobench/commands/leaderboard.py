"""``audiobench leaderboard``."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from audiobench.commands.options import RUNS, Debug, Runs, Scale


def leaderboard(
    suite: Annotated[str | None, typer.Argument(help="Name of a suite that was run here; all by default.")] = None,
    scale: Scale = None,
    runs: Runs = RUNS,
    form: Annotated[Literal["md", "csv", "json"], typer.Option("--format", help="What to write.")] = "md",
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if --output is not what the records give.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Regenerate leaderboards from the records."""
    from leaderboard.render import render
    from leaderboard.table import read_tables
    from registry.errors import Mistake

    if check and output is None:
        raise Mistake("--check compares a file with the records, and no file is given", fix="add --output FILE")
    text = "\n".join(render(table, form) for table in read_tables(runs, suite, scale))
    if output is None:
        print(text, end="")
    elif not check:
        output.write_text(text)
    elif not output.exists() or output.read_text() != text:
        print(f"{output} is not what the records in {runs} give; write it again without --check", file=sys.stderr)
        raise typer.Exit(1)
