"""``audiobench list``."""

import json
from typing import Annotated

import typer

from audiobench.commands.options import Debug, Plugins


def list_(
    kind: Annotated[
        str | None, typer.Argument(help="encoders, frontends, augmentations, methods, tasks, protocols.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """List what the registry holds."""
    from registry.describe import pipelines, summary
    from registry.lookup import KINDS, load_plugin, names

    for path in plugin or []:
        load_plugin(path)
    found = {k: [summary(k, name) for name in names(k)] for k in ([kind] if kind else KINDS)}
    if kind == "augmentations":
        found["pipelines"] = pipelines()
    if as_json:
        print(json.dumps(found, indent=1))
        return
    import sys

    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=160)
    for k, rows in found.items():
        grid = Table(title=k, title_justify="left")
        columns = list(dict.fromkeys(column for row in rows for column in row))
        for column in columns:
            number = column in ("parameters", "embedding", "sample_rate")
            grid.add_column(column.replace("_", " "), justify="right" if number else "left", no_wrap=column == "name")
        for row in rows:
            grid.add_row(*(_text(row.get(column, "")) for column in columns))
        console.print(grid)


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
