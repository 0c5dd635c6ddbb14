"""``audiobench site``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from audiobench import completion
from audiobench.commands.options import Debug, MergedRuns, Others, Plugins, Scale, folders_of
from registry.text import say


def site(
    folder: Annotated[Path, typer.Argument(help="Folder of the site; other files in it stay.", file_okay=False)],
    suites: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUITE]...",
            help="Suites that were run here, by name or file; all by default.",
            autocompletion=completion.suites,
        ),
    ] = None,
    scale: Scale = None,
    runs: MergedRuns = None,
    others: Others = None,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Write a static site: a report for each suite, its table as Markdown and CSV, and an index."""
    from leaderboard.site import Wanted, write_site
    from leaderboard.sources import read_plans, suite_texts
    from registry.lookup import load_plugin

    plugins = plugin or []
    for path in plugins:
        load_plugin(path)
    folders = folders_of(runs, others)
    wanted: dict[str, Wanted] = {}
    named: list[str] | list[None] = suites or [None]
    for suite in named:
        for plan, store in read_plans(folders, suite, scale, lambda difference: say(difference, sys.stderr)):
            texts = suite_texts(plan, suite or plan.facts.suite)
            wanted[plan.name] = Wanted(plan, texts, store.run_last[plan.name])
    written = write_site(folder, list(wanted.values()), store, plugins, lambda name: say(f"page: {name}"))
    for path in written.foreign:
        say(f"{path}: was changed by somebody, and is no longer part of the site; it was left there", sys.stderr)
    for damage in store.damaged():
        say(damage, sys.stderr)
    made, kept = len(written.made), len(written.kept)
    say(f"site: {written.index} ({made} made, {kept} unchanged)")
