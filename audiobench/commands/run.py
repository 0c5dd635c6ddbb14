"""``audiobench run``."""

import sys
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiobench.commands.options import (
    RUNS,
    Data,
    Debug,
    Device,
    Devices,
    Entries,
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
    from rich.console import Console

    from benchmark.ledger.plan import Plan
    from benchmark.store.store import Store


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    debug: Debug = False,
) -> None:
    """Pretrain, evaluate, and print the leaderboard. A finished job is not done again."""
    from benchmark.ledger.execute import needed
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
        from audiobench.commands.plan import print_jobs

        plan = request.plan(store)
        rows = choose_rows(plan, entry, task, protocol)
        print_jobs(plan, needed(plan, rows, store, lambda job, damage: None), store)
        return
    screen = console()
    remembered = Remembered([runs], [request.digest, entry, task, protocol, look_of(screen)], __file__)
    board = remembered.answer
    if board and request.holds(board, store):
        _put_out(board, store)
        return
    plan = request.plan(store)
    rows = choose_rows(plan, entry, task, protocol)
    request.keep(plan, store)

    work = Work(request, plan, store, device, precision, skip_bad, debug, devices, trackers)
    ending = fill(work, rows, options)
    board = _board(plan, store, screen)
    _put_out(board, store)
    for damage in store.damaged():
        say(damage, sys.stderr)
    if ending.failed:
        say(ending, sys.stderr)
        raise typer.Exit(1)
    if plan.kept and not (ending.done or said or store.damaged()):  # nothing was written
        remembered.keep({**sources(plan), **board})


def _tell(said: list[str], line: str) -> None:
    said.append(line)
    say(line, sys.stderr)


def _board(plan: "Plan", store: "Store", screen: "Console") -> dict[str, Any]:
    """The leaderboard of a plan: the texts of files beside the records, and what the terminal shows."""
    from leaderboard.merge import separate
    from leaderboard.power import smallest_text
    from leaderboard.render import render, show
    from leaderboard.table import make_table

    with store.at_rest():
        separated = separate(plan, store)
        table = make_table(separated, store, shown_only=True)
    with screen.capture() as captured:
        show(table, screen)
    name = table.name.replace("/", "%")
    texts = {f"{name}.smallest.json": smallest_text(table, separated), f"{name}.md": render(table, "md")}
    return {"texts": texts, "shown": captured.get()}


def _put_out(board: Mapping[str, Any], store: "Store") -> None:
    """Writes a leaderboard beside the records, and prints it."""
    from benchmark.store.files import write_text

    try:
        for name, text in board["texts"].items():
            written = store.root / "leaderboards" / name
            write_text(written, text)
    finally:  # if writing to the disk fails, the terminal still has the leaderboard
        print(board["shown"], end="")
    say(f"leaderboard: {written}")
