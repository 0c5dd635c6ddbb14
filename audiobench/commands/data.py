"""``audiobench data``: data sets, fetched and verified."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiobench.commands.options import Data, Debug, Plugins

if TYPE_CHECKING:
    from benchmark.verify import Report
    from registry.tasks import Task

app = typer.Typer(help="Fetch and verify data sets.", no_args_is_help=True)

TaskName = Annotated[
    str, typer.Argument(metavar="TASK", help="A task's name, or as a suite has it: '{name: us8k, folds: [1, 2, 10]}'.")
]
_SHOWN = 20  # faults; --json holds all


@app.command("fetch")
def fetch(
    task: TaskName,
    data: Data = None,
    given: Annotated[
        Path | None, typer.Option("--from", help="An archive or a folder that was fetched elsewhere; it is left there.")
    ] = None,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Show a data set's licence, fetch it, check it, and unpack it. What is there is not fetched again."""
    from benchmark.fetch import fetch
    from benchmark.progress import progress_for
    from registry.errors import Mistake

    name, made = _task(task, plugin)
    if data is None:
        raise Mistake("no data folder is given", fix="add --data DIR, or set AUDIOBENCH_DATA")
    print(f"{name}\n  licence: {made.licence}\n  source:  {made.source}", flush=True)
    if made.url:
        print(f"  from:    {made.url}", flush=True)
    with progress_for(sys.stderr) as progress:
        answer = fetch(made, name, data, given, progress)
    print(answer)


@app.command("verify")
def verify(
    task: TaskName,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Count a data set's clips and read every file. Exit with 1 if anything is wrong."""
    from benchmark.progress import progress_for
    from benchmark.verify import verify

    name, made = _task(task, plugin)
    with progress_for(sys.stderr) as progress:
        report = verify(made, name, data, progress)
    if as_json:
        print(json.dumps(report.as_json(), indent=1))
    else:
        _show(report)
    if not report.is_right:
        raise typer.Exit(1)


def _task(reference: str, plugins: list[Path] | None) -> "tuple[str, Task]":
    import yaml

    from registry.errors import Mistake
    from registry.lookup import canonical, load_plugin, recall

    for path in plugins or []:
        load_plugin(path)
    try:
        config = canonical("tasks", yaml.safe_load(reference))
    except (ValueError, yaml.YAMLError) as error:
        raise Mistake(f"{reference!r} is no task: {error}", fix="audiobench list tasks") from error
    component, settings = recall("tasks", config)
    return config["name"], component(settings)


def _show(report: "Report") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=160)
    folds = list(report.rows[-1].folds) if len(report.rows[-1].folds) > 1 else []
    grid = Table(title=f"{report.name} in {report.folder}" if report.folder else report.name, title_justify="left")
    grid.add_column("class", no_wrap=True)
    for column in (
        "clips",
        *(f"fold {fold}" for fold in folds),
        "seconds",
        "shortest (s)",
        "longest (s)",
    ):
        grid.add_column(column, justify="right")
    for row in report.rows:
        of_folds = (f"{row.folds.get(fold, 0):,}" for fold in folds)
        lengths = (f"{row.seconds:,.1f}", f"{row.shortest:.2f}", f"{row.longest:.2f}")
        grid.add_row(row.name, f"{row.clips:,}", *of_folds, *lengths, end_section=row is report.rows[-2:][0])
    console.print(grid)
    _list(f"{len(report.faults)} files are faulty", [f"{file}: {fault}" for file, fault in report.faults.items()])
    if report.differences is None:
        print("no official counts are stated")
    elif report.differences:
        _list("the counts are not the official ones", report.differences)
    else:
        print("the counts are the official ones")
    if not report.faults:
        print("every file can be read")


def _list(title: str, lines: list[str]) -> None:
    if lines:
        print(f"{title}:")
        for line in lines[:_SHOWN]:
            print(f"  {line}")
        if len(lines) > _SHOWN:
            print(f"  ... and {len(lines) - _SHOWN} more: --json")
