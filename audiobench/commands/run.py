"""``audiobench run``."""

import signal
import sys
import time
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiobench.commands.options import (
    RUNS,
    Data,
    Debug,
    Device,
    Devices,
    Entries,
    Json,
    Plugins,
    Precision,
    Protocols,
    Runs,
    Scale,
    Seeds,
    SkipBad,
    SuiteName,
    Tasks,
    Track,
)
from registry.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from benchmark.ledger.plan import Plan, Row
    from benchmark.ledger.work import Work
    from benchmark.store.store import Store
    from benchmark.tally import Tally

_LONG = 3600  # seconds: a wait that Ctrl-C ends on every system


def run(
    suite: SuiteName,
    scale: Scale = None,
    entry: Entries = None,
    task: Tasks = None,
    protocol: Protocols = None,
    seed: Seeds = None,
    data: Data = None,
    runs: Runs = RUNS,
    device: Device = "auto",
    devices: Devices = 1,
    precision: Precision = "auto",
    plugin: Plugins = None,
    skip_bad: SkipBad = False,
    executor: Annotated[str, typer.Option(help="Who does the jobs: local (this process), ray or slurm.")] = "local",
    at_once: Annotated[int | None, typer.Option(help="How many jobs Ray or Slurm may have at once.")] = None,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster; by default a Ray of this machine.")] = None,
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[KIND.]NAME=VALUE",
            help="Parameter of sbatch, for all jobs or one kind; may be repeated: --slurm pretrain.gres=gpu:1.",
        ),
    ] = None,
    track: Track = None,
    as_json: Json = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Serve the report on this machine, and make it anew as cells are measured."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    debug: Debug = False,
) -> None:
    """Pretrain, evaluate, and print the leaderboard. A finished job is not done again."""
    from benchmark.ledger.executors import Options, find_executor, parameters
    from benchmark.ledger.fill import fill
    from benchmark.ledger.plan import choose_rows
    from benchmark.ledger.remembered import Remembered
    from benchmark.ledger.request import Request, sources
    from benchmark.ledger.work import Work
    from benchmark.store.store import Store
    from benchmark.suite.document import suite_path
    from benchmark.trackers import chosen
    from leaderboard.terminal import console, look_of

    options = Options(executor, at_once, address, parameters(slurm or []))
    find_executor(options)
    trackers, store = None if track is None else chosen(track), Store(runs)
    said: list[str] = []
    request = Request(suite_path(suite), scale, data, tuple(seed or ()), tuple(plugin or ()), partial(_tell, said))
    if dry_run:
        plan = request.plan(store)
        _print_needed(plan, choose_rows(plan, entry, task, protocol), store, as_json)
        return
    screen = console()
    remembered = Remembered([runs], [request.digest, entry, task, protocol, as_json, look_of(screen)], __file__)
    board = None if watch else remembered.answer
    if board and request.holds(board, store):
        _put_out(board, store)
        return
    plan = request.plan(store)
    rows = choose_rows(plan, entry, task, protocol)
    request.keep(plan, store)
    work = Work(request, plan, store, device, precision, skip_bad, debug, devices, trackers)
    with _watched(work, rows) if watch else nullcontext(_unwatched) as seen:
        ending = fill(work, rows, options, seen)
        board = _board(plan, store, screen, as_json)
        _put_out(board, store)
        for damage in store.damaged():
            say(damage, sys.stderr)
        if ending.failed:
            say(ending, sys.stderr)
    if ending.failed:
        raise typer.Exit(1)
    if plan.kept and not (ending.done or said or store.damaged()):  # nothing was written
        remembered.keep({**sources(plan), **board})


def _print_needed(plan: "Plan", rows: "Sequence[Row]", store: "Store", as_json: bool) -> None:
    """Prints the jobs that a run would do."""
    from audiobench.commands.documents import print_document
    from audiobench.commands.plan import document_of, print_jobs
    from benchmark.ledger.execute import needed

    jobs = needed(plan, rows, store, lambda job, damage: None)
    print_document(document_of(plan, jobs, store)) if as_json else print_jobs(plan, jobs, store)


def _tell(said: list[str], line: str) -> None:
    said.append(line)
    say(line, sys.stderr)


def _board(plan: "Plan", store: "Store", screen: "Console", as_json: bool) -> dict[str, Any]:
    """The leaderboard of a plan: the texts of files beside the records, what is printed, and whether it is JSON."""
    from leaderboard.merge import separate
    from leaderboard.power import smallest_text
    from leaderboard.render import render, show
    from leaderboard.table import make_table

    with store.at_rest():
        separated = separate(plan, store)
        table = make_table(separated, store, shown_only=True)
        document = render(make_table(separated, store), "json") if as_json else ""
    with screen.capture() as captured:
        show(table, screen)
    name = table.name.replace("/", "%")
    texts = {f"{name}.smallest.json": smallest_text(table, separated), f"{name}.md": render(table, "md")}
    return {"texts": texts, "shown": document or captured.get(), "json": as_json}


def _put_out(board: Mapping[str, Any], store: "Store") -> None:
    """Writes a leaderboard beside the records, and prints it."""
    from benchmark.store.files import write_text

    try:
        for name, text in board["texts"].items():
            written = store.root / "leaderboards" / Path(name).name  # what was remembered may be a stranger's
            write_text(written, text)
    finally:  # if writing to the disk fails, the terminal still has the leaderboard
        print(board["shown"], end="")
    say(f"leaderboard: {written}", sys.stderr if board["json"] else None)


def _unwatched(tally: "Tally") -> None:
    """Nobody watches."""


@contextmanager
def _watched(work: "Work", rows: "Sequence[Row]") -> "Iterator[Callable[[Tally], None]]":
    """Serves the report while the block runs; on a terminal after it, too, until Ctrl-C."""
    from leaderboard.watch import Watch

    with Watch(work, rows) as watch:
        say(f"watch: {watch.address}", sys.stderr)
        yield watch.stand
        if sys.stderr.isatty():
            say(f"watch: {watch.address} stays until Ctrl-C", sys.stderr)
            try:
                watch.finish()
                while True:
                    time.sleep(_LONG)
            except KeyboardInterrupt as stop:
                if getattr(stop, "number", signal.SIGINT) != signal.SIGINT:
                    raise
