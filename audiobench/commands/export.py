"""``audiobench export``."""

from pathlib import Path
from typing import Annotated

import typer

from audiobench.commands.options import RUNS, Data, Debug, Entry, Json, Plugins, Runs, Scale, SuiteOfEntry
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
    as_json: Json = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Write an entry's model into a folder, with a model card, to use, publish or submit it outside the benchmark."""
    from audiobench import api
    from audiobench.commands.documents import print_document

    folder = api.export(entry, to, form, suite=suite, scale=scale, data=data, runs=runs, plugins=tuple(plugin or ()))
    sizes = {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }
    if as_json:
        print_document({"format": form, "folder": str(folder), "files": sizes})
        return
    say(f"{form}: {folder}")
    for name, size in sizes.items():
        say(f"  {name}  {size:,} bytes")
