"""``audiobench embed``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from audiobench.commands.options import RUNS, Data, Debug, Device, Entry, Json, Plugins, Runs, Scale, SuiteOfEntry
from registry.text import say


def embed(
    entry: Entry,
    files: Annotated[list[Path], typer.Argument(help="Sound files, and folders of them.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="x.parquet; or x.npy, with x.paths.csv beside it.", dir_okay=False)
    ],
    suite: SuiteOfEntry = None,
    scale: Scale = None,
    data: Data = None,
    runs: Runs = RUNS,
    device: Device = "auto",
    as_json: Json = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Embed sound files of any length: a vector a file. After an interruption the same command does what is missing.

    Exit with 1 if some files could not be read; the others are written.
    """
    from benchmark.jobs.vectors import require_form

    require_form(output)
    from audiobench.commands.documents import print_document
    from benchmark.jobs.model import choose_device
    from benchmark.jobs.vectors import embed_files, find_files
    from benchmark.ledger.entry import Wanted, load_model
    from benchmark.progress import progress_for
    from benchmark.store.store import Store

    found = find_files(files)
    where = choose_device(device, "auto")
    wanted = Wanted(entry, suite, scale, data, tuple(plugin or ()), lambda line: say(line, sys.stderr))
    model = load_model(wanted, Store(runs), where)
    with progress_for(sys.stderr) as progress:
        progress.begin(f"embed with {entry}")
        failed = embed_files(
            model.net, found, output, samples=model.samples, digest=model.digest, device=where, progress=progress
        )
        done = len(found) - len(failed)
        progress.end(f"{done} files, {model.net.embedding_dim} numbers each" + f": {output}" * bool(done))
    if as_json:
        written = str(output) if done else None
        left_out = {str(path): why for path, why in failed.items()}
        dimension = model.net.embedding_dim
        print_document({"output": written, "files": done, "dimension": dimension, "left_out": left_out})
    if failed:
        listed = "\n".join(f"  {path}: {why}" for path, why in failed.items())
        say(f"{len(failed)} of {len(found)} files are left out:\n{listed}", sys.stderr)
        raise typer.Exit(1)
