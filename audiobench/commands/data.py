"""``audiobench data``: data sets, fetched, verified and compared."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiobench.commands.options import Data, Debug, Plugins

if TYPE_CHECKING:
    from benchmark.data import audit as audits
    from benchmark.data.verify import Report
    from registry.tasks import Task

app = typer.Typer(help="Fetch, verify and compare data sets.", no_args_is_help=True)

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
    from benchmark.data.fetch import fetch
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
    """Count a data set's clips, read every file, and compare it with its official checksum where one is known.

    Exit with 1 if anything is wrong.
    """
    from benchmark.data.verify import verify
    from benchmark.progress import progress_for

    name, made = _task(task, plugin)
    with progress_for(sys.stderr) as progress:
        report = verify(made, name, data, progress)
    if as_json:
        print(json.dumps(report.as_json(), indent=1))
    else:
        _show(report)
    if not report.is_right:
        raise typer.Exit(1)


@app.command("audit")
def audit(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(metavar="TASK", help="Names, or as a suite has them; by default all that --data holds."),
    ] = None,
    content: Annotated[
        bool, typer.Option("--content", help="Decode every clip, to compare what has no Freesound ids by its sound.")
    ] = False,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with the names of all clips.")] = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Tell what data sets share with each other, and which recordings lie in several folds of one."""
    from benchmark.data.audit import audit
    from benchmark.progress import progress_for
    from registry.lookup import TASKS, load_plugin

    for path in plugin or []:
        load_plugin(path)
    asked = tasks or [name for name in TASKS.names() if TASKS.find(name).folders]
    made = {reference: _task(reference, None)[1] for reference in asked}
    with progress_for(sys.stderr) as progress:
        report = audit(made, data, progress, content=content, lenient=not tasks)
    if as_json:
        print(json.dumps(report.as_json(), indent=1))
    else:
        _show_audit(report)


def _task(reference: str, plugins: list[Path] | None) -> "tuple[str, Task]":
    import yaml

    from registry.errors import Mistake
    from registry.lookup import TASKS, chosen, load_plugin

    for path in plugins or []:
        load_plugin(path)
    try:
        choice = chosen(TASKS, yaml.safe_load(reference))
    except (ValueError, yaml.YAMLError) as error:
        raise Mistake(f"{reference!r} is no task: {error}", fix="audiobench list tasks") from error
    return choice.name, choice.build()


def _show(report: "Report") -> None:
    from leaderboard.terminal import console, print_grid

    folds = list(report.rows[-1].folds) if len(report.rows[-1].folds) > 1 else []
    header = ["class", "clips", *(f"fold {fold}" for fold in folds), "seconds", "shortest (s)", "longest (s)"]
    cells = []
    for row in report.rows:
        of_folds = (f"{row.folds.get(fold, 0):,}" for fold in folds)
        lengths = (f"{row.seconds:,.1f}", f"{row.shortest:.2f}", f"{row.longest:.2f}")
        cells.append([row.name, f"{row.clips:,}", *of_folds, *lengths])
    print_grid(console(), f"{report.name} in {report.folder}" if report.folder else report.name, header, cells)
    _list(f"{len(report.faults)} files are faulty", [f"{file}: {fault}" for file, fault in report.faults.items()])
    if report.differences is None:
        print("no official counts are stated")
    elif report.differences:
        _list("the counts are not the official ones", report.differences)
    else:
        print("the counts are the official ones")
    if not report.faults:
        print("every file can be read")
    if report.over:
        farthest = max(report.over.values())
        print(f"{len(report.over):,} files pass full scale, by up to {farthest:.3g} times: int16 packs clip them there")
    for remark in report.remarks:
        print(remark)
    _show_checksums(report)


def _show_checksums(report: "Report") -> None:
    if report.unofficial is None:
        return
    if report.unofficial:
        title = f"{len(report.unofficial)} of {report.compared:,} files are not the official ones, by their SHA-256"
        _list(title, report.unofficial)
    elif report.compared:
        print(f"{report.compared:,} files are the official ones, by their SHA-256")
    for suffix, count in report.not_compared.items():
        kind = f"{suffix} files" if suffix else "files without extension"
        print(f"{count:,} {kind} were not compared with the official checksums, which are of other files")


def _show_audit(report: "audits.Report") -> None:
    from leaderboard.terminal import console, print_grid

    header = ["first", "second", "compared by", "recordings"]
    header += ["clips of the first", "clips of the second", "the same files"]
    cells = []
    for pair in report.shared:
        counts = (pair.recordings, *map(len, pair.clips), pair.files)
        cells.append([pair.first, pair.second, pair.by, *(f"{count:,}" for count in counts)])
    if cells:
        print_grid(console(), "What data sets share", header, cells, words=(0, 1, 2), keys=(0, 1))
    for pair in report.shared:
        if pair.part:
            whole = pair.second if pair.part == pair.first else pair.first
            print(f"{pair.part} is a part of {whole}: its clips are the same files")
    for one in report.data_sets:
        none = [] if one.spanning else [", no source in several folds"]
        none += [", no recording in several folds, sample by sample"] if one.repeated == [] else []
        print(f"{one.name}: {one.clips:,} clips of {one.sources:,} sources{''.join(none)}")
        _list(f"  sources in several folds ({len(one.spanning)})", [_folds(source) for source in one.spanning])
        repeats = [", ".join(f"{clip} (fold {fold})" for clip, fold in own.items()) for own in one.repeated or ()]
        _list(f"  recordings in several folds, sample by sample ({len(repeats)})", repeats)
        _list(f"  missing, or not to be decoded ({len(one.unread)})", one.unread)
    _list(
        "not compared, having no ids in common; --content compares their sounds",
        list(map(" and ".join, report.not_compared)),
    )
    _list("left out", [f"{name}: {why}" for name, why in report.left_out.items()])


def _folds(source: "audits.Spanning") -> str:
    return f"{source.source}: " + "; ".join(
        f"fold {fold} {', '.join(own)}".rstrip() for fold, own in source.folds.items()
    )


def _list(title: str, lines: list[str]) -> None:
    if lines:
        print(f"{title}:")
        for line in lines[:_SHOWN]:
            print(f"  {line}")
        if len(lines) > _SHOWN:
            print(f"  ... and {len(lines) - _SHOWN} more: --json")
