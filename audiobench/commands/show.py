"""``audiobench show``."""

import json
from typing import Annotated

import typer

from audiobench.commands.options import Debug, Plugins


def show(
    kind: Annotated[str, typer.Argument(help="encoders, frontends, augmentations, methods, tasks, protocols.")],
    name: Annotated[str, typer.Argument(help="A component's name.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Show one component: its settings, their defaults, and its source."""
    from registry.describe import details
    from registry.lookup import load_plugin

    for path in plugin or []:
        load_plugin(path)
    found = details(kind, name)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{name}[/bold] ({kind})", highlight=False)
    console.print(found["doc"], highlight=False, markup=False)
    for fact in (
        "source",
        "file",
        "version",
        "inputs",
        "embedding",
        "parameters",
        "gives",
        "sample_rate",
        "recipe",
        "licence",
        "clips",
    ):
        if fact in found:
            console.print(f"{fact}: {found[fact]}", highlight=False, markup=False)
    grid = Table("setting", "type", "default", "meaning")
    for field in found["settings"]:
        grid.add_row(field["name"], field["type"], str(field["default"]), field["meaning"])
    console.print(grid)
