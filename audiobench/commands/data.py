"""``audiobench data``: data sets, fetched, verified and compared."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiobench import completion
from audiobench.commands.options import Data, Debug, Json, Plugins
from audiobench.examples import examples
from registry.text import say, visible

if TYPE_CHECKING:
    from benchmark.data.audit import Audit, Spanning
    from benchmark.data.verify import Verification
    from registry.tasks import Task

app = typer.Typer(help="Fetch, verify and compare data sets.", no_args_is_help=True)

TaskName = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="A task's name, or as a suite has it: '{name: us8k, folds: [1, 2, 10]}'.",
        autocompletion=completion.data_sets,
    ),
]
_SHOWN = 20  # faults; --json lists all


@app.command("fetch", epilog=examples("data fetch"))
def fetch(
    task: TaskName,
    data: Data = None,
    given: Annotated[
        Path | None, typer.Option("--from", help="An archive or a folder that was fetched elsewhere; it is left there.")
    ] = None,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Show a data set's licence, fetch it, check it, and unpack it. An archive that is there is not fetched again."""
    from benchmark.data.fetch import fetch
    from benchmark.progress import progress_for
    from registry.errors import Mistake

    name, made = _task(task, plugin)
    if data is None:
        raise Mistake("no data folder is given", fix=f"audiobench data fetch {name} --data DIR, or set AUDIOBENCH_DATA")
    say(f"{name}\n  licence: {made.licence}\n  source:  {made.source}")
    if made.url:
        say(f"  from:    {made.url}")
    with progress_for(sys.stderr) as progress:
        answer = fetch(made, name, data, given, progress)
    say(answer)


@app.command("verify", epilog=examples("data verify"))
def verify(
    task: TaskName,
    data: Data = None,
    as_json: Json = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Count a data set's clips, read every file, and compare it with its official checksum where one is known.

    Exit with 1 if anything is wrong.
    """
    from audiobench.commands.documents import print_document
    from benchmark.data.verify import verify
    from benchmark.progress import progress_for

    name, made = _task(task, plugin)
    with progress_for(sys.stderr) as progress:
        verification = verify(made, name, data, progress)
    if as_json:
        print_document(verification.as_json())
    else:
        _show(verification)
    if not verification.is_right:
        raise typer.Exit(1)


@app.command("audit", epilog=examples("data audit"))
def audit(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK",
            help="Names, or as a suite has them; by default all that --data holds.",
            autocompletion=completion.data_sets,
        ),
    ] = None,
    content: Annotated[
        bool, typer.Option("--content", help="Decode every clip, to compare data sets without Freesound ids by sound.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """List the recordings that data sets share, and those that lie in several folds of one data set."""
    from audiobench.commands.documents import print_document
    from benchmark.data.audit import audit
    from benchmark.progress import progress_for
    from registry.lookup import TASKS, load_plugin

    for path in plugin or []:
        load_plugin(path)
    asked = tasks or [name for name in TASKS.names() if TASKS.find(name).folders]
    made = {reference: _task(reference, None)[1] for reference in asked}
    with progress_for(sys.stderr) as progress:
        audited = audit(made, data, progress, content=content, lenient=not tasks)
    if as_json:
        print_document(audited.as_json())
    else:
        _show_audit(audited)


def _task(reference: str, plugins: list[Path] | None) -> "tuple[str, Task]":
    from audiobench.commands.references import choose
    from registry.lookup import TASKS, load_plugin

    for path in plugins or []:
        load_plugin(path)
    choice = choose(TASKS, reference)
    return choice.name, choice.build()


def _show(verification: "Verification") -> None:
    from leaderboard.terminal import console, print_grid

    name, folder, counts = verification.name, verification.folder, verification.rows
    folds = list(counts[-1].folds) if len(counts[-1].folds) > 1 else []
    header = ["class", "clips", *(f"fold {fold}" for fold in folds), "seconds", "shortest (s)", "longest (s)"]
    cells = []
    for count in counts:
        of_folds = (f"{count.folds.get(fold, 0):,}" for fold in folds)
        lengths = (f"{count.seconds:,.1f}", f"{count.shortest:.2f}", f"{count.longest:.2f}")
        cells.append([count.name, f"{count.clips:,}", *of_folds, *lengths])
    print_grid(console(), f"{name} in {folder}" if folder else name, header, cells)
    faults = [f"{file}: {fault}" for file, fault in verification.faults.items()]
    _list(f"{len(faults)} files are faulty", faults)
    if verification.differences is None:
        say("no official counts are stated")
    elif verification.differences:
        _list("the counts are not the official ones", verification.differences)
    else:
        say("the counts are the official ones")
    if not faults:
        say("every file can be read")
    over = verification.over
    if over:
        highest = max(over.values())
        say(f"{len(over):,} files pass full scale, by up to {highest:.3g} times: int16 packs clip them there")
    for remark in verification.remarks:
        say(remark)
    _show_checksums(verification)


def _show_checksums(verification: "Verification") -> None:
    unofficial, compared = verification.unofficial, verification.compared
    if unofficial is None:
        return
    if unofficial:
        _list(f"{len(unofficial)} of {compared:,} files are not the official ones, by their SHA-256", unofficial)
    elif compared:
        say(f"{compared:,} files are the official ones, by their SHA-256")
    for suffix, count in verification.not_compared.items():
        kind = f"{suffix} files" if suffix else "files without extension"
        say(f"{count:,} {kind} were not compared with the official checksums, which are of other files")


def _show_audit(audited: "Audit") -> None:
    from leaderboard.terminal import console, print_grid

    header = ["first", "second", "compared by", "recordings"]
    header += ["clips of the first", "clips of the second", "the same files"]
    cells = []
    for pair in audited.shared:
        counts = (pair.recordings, *map(len, pair.clips), pair.files)
        cells.append([pair.first, pair.second, pair.by, *(f"{count:,}" for count in counts)])
    if cells:
        print_grid(console(), "What data sets share", header, cells, words=(0, 1, 2), keys=(0, 1))
    for pair in audited.shared:
        if pair.part:
            whole = pair.second if pair.part == pair.first else pair.first
            say(f"{pair.part} is a part of {whole}: its clips are the same files")
    for data_set in audited.data_sets:
        none = [] if data_set.spanning else [", no source in several folds"]
        none += [", no recording in several folds, sample by sample"] if data_set.repeated == [] else []
        say(f"{data_set.name}: {data_set.clips:,} clips of {data_set.sources:,} sources{''.join(none)}")
        sources = [_folds(source) for source in data_set.spanning]
        _list(f"  sources in several folds ({len(sources)})", sources)
        repeats = [
            ", ".join(f"{clip} (fold {fold})" for clip, fold in fold_of.items()) for fold_of in data_set.repeated or ()
        ]
        _list(f"  recordings in several folds, sample by sample ({len(repeats)})", repeats)
        _list(f"  missing, or not to be decoded ({len(data_set.unread)})", data_set.unread)
    _list(
        "not compared, having no ids in common; --content compares their sounds",
        list(map(" and ".join, audited.not_compared)),
    )
    _list("left out", [f"{name}: {why}" for name, why in audited.left_out.items()])


def _folds(source: "Spanning") -> str:
    in_folds = (f"fold {fold} {', '.join(classes)}".rstrip() for fold, classes in source.folds.items())
    return f"{source.source}: " + "; ".join(in_folds)


def _list(title: str, lines: list[str]) -> None:
    if lines:
        say(f"{title}:")
        for line in lines[:_SHOWN]:
            say(f"  {visible(line)}")
        if len(lines) > _SHOWN:
            say(f"  ... and {len(lines) - _SHOWN} more: --json")
