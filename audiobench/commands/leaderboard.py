"""``audiobench leaderboard``."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from audiobench.commands.options import Debug, MergedRuns, Others, Plugins, Scale, Selection, folders_of


def leaderboard(
    suite: Annotated[
        str | None, typer.Argument(help="A suite that was run here, by name or file; all by default.")
    ] = None,
    scale: Scale = None,
    runs: MergedRuns = None,
    others: Others = None,
    selection: Selection = None,
    form: Annotated[Literal["md", "latex", "csv", "json"], typer.Option("--format", help="What to write.")] = "md",
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if --output is not what the records give.")
    ] = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Regenerate leaderboards from the records."""
    from benchmark.store.files import write_text
    from leaderboard.render import render
    from leaderboard.sources import read_plans
    from leaderboard.table import make_table
    from registry.errors import Mistake
    from registry.lookup import load_plugin

    for path in plugin or []:
        load_plugin(path)
    if check and output is None:
        raise Mistake("--check compares a file with the records, and no file is given", fix="add --output FILE")
    folders = folders_of(runs, others)
    plans = list(read_plans(folders, suite, scale, lambda difference: print(difference, file=sys.stderr)))
    text = "\n".join(render(make_table(plan, store, selection), form) for plan, store in plans)
    for damage in plans[0][1].damaged():
        print(damage, file=sys.stderr)
    if output is None:
        print(text, end="")
    elif not check:
        write_text(output, text)
    elif not output.exists() or output.read_text(encoding="utf-8") != text:
        named = " and ".join(map(str, folders))
        print(f"{output} is not what the records in {named} give; write it again without --check", file=sys.stderr)
        raise typer.Exit(1)
