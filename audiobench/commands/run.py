"""``audiobench run``."""

import sys
from typing import Annotated

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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    debug: Debug = False,
) -> None:
    """Pretrain, evaluate, and print the leaderboard. A finished job is not done again."""
    from benchmark.ledger.execute import needed
    from benchmark.ledger.executors import Options, find_executor, parameters
    from benchmark.ledger.fill import fill
    from benchmark.ledger.plan import choose_rows
    from benchmark.ledger.request import Request
    from benchmark.ledger.work import Work
    from benchmark.store.store import Store
    from benchmark.suite.document import suite_path
    from benchmark.trackers import chosen

    options = Options(executor, at_once, address, parameters(slurm or []))
    find_executor(options)
    trackers, store = None if track is None else chosen(track), Store(runs)
    request = Request(suite_path(suite), scale, data, tuple(seed or ()), tuple(plugin or ()))
    plan = request.plan(store)
    rows = choose_rows(plan, entry, task, protocol)
    if dry_run:
        from audiobench.commands.documents import print_document
        from audiobench.commands.plan import document_of, print_jobs

        jobs = needed(plan, rows, store, lambda job, damage: None)
        print_document(document_of(plan, jobs, store)) if as_json else print_jobs(plan, jobs, store)
        return
    request.keep(plan, store)

    work = Work(request, plan, store, device, precision, skip_bad, debug, devices, trackers)
    ending = fill(work, rows, options)

    from leaderboard.merge import separate
    from leaderboard.power import keep_smallest
    from leaderboard.render import render, show, write_markdown
    from leaderboard.table import make_table
    from leaderboard.terminal import console

    with store.at_rest():
        separated = separate(plan, store)
        table = make_table(separated, store, shown_only=True)
        document = render(make_table(separated, store), "json") if as_json else ""
    try:
        keep_smallest(table, separated, store)
        written = write_markdown(table, store)
    finally:  # if writing to the disk fails, the terminal still has the leaderboard
        print(document, end="") if as_json else show(table, console())
    say(f"leaderboard: {written}", sys.stderr if as_json else None)
    for damage in store.damaged():
        say(damage, sys.stderr)
    if ending.failed:
        say(ending, sys.stderr)
        raise typer.Exit(1)
