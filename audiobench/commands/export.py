"""``audiobench export``."""

from pathlib import Path
from typing import Annotated

import typer

from audiobench.commands.options import RUNS, Data, Debug, Entry, Plugins, Runs, Scale, SuiteOfEntry
from benchmark.export import FormName
from registry.text import say


def export(
    entry: Entry,
    to: Annotated[Path, typer.Option(help="A new folder.", file_okay=False)],
    form: Annotated[FormName, typer.Option("--format", help="What to write.")] = "safetensors",
    suite: SuiteOfEntry = None,
    scale: Scale = None,
    data: Data = None,
    runs: Runs = RUNS,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Write an entry's model into a folder, with a model card, to use, publish or submit it outside the benchmark."""
    from audiobench import api

    folder = api.export(entry, to, form, suite=suite, scale=scale, data=data, runs=runs, plugins=tuple(plugin or ()))
    say(f"{form}: {folder}")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            say(f"  {path.relative_to(folder).as_posix()}  {path.stat().st_size:,} bytes")
