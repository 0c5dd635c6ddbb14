"""``audiobench run``."""

import sys
from typing import Annotated, Literal

import typer

from audiobench.commands.options import (
    RUNS,
    Data,
    Debug,
    Entries,
    Plugins,
    Protocols,
    Runs,
    Scale,
    Seeds,
    SuiteName,
    Tasks,
    Track,
)


def run(
    suite: SuiteName,
    scale: Scale = None,
    entry: Entries = None,
    task: Tasks = None,
    protocol: Protocols = None,
    seed: Seeds = None,
    data: Data = None,
    runs: Runs = RUNS,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], typer.Option(help="auto: bf16 on a GPU, fp32 on a CPU.")
    ] = "auto",
    plugin: Plugins = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave unusable recordings out, and record which.")
    ] = False,
    track: Track = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    debug: Debug = False,
) -> None:
    """Pretrain, evaluate, and print the leaderboard. A finished job is not done again."""
    from benchmark.ledger.execute import needed
    from benchmark.ledger.fill import fill
    from benchmark.ledger.plan import choose_rows
    from benchmark.ledger.request import Request
    from benchmark.store.store import Store
    from benchmark.suite.document import suite_path
    from benchmark.trackers import chosen

    trackers, store = chosen(track), Store(runs)
    request = Request(suite_path(suite), scale, data, tuple(seed or ()), tuple(plugin or ()))
    plan = request.plan(store)
    rows = choose_rows(plan, entry, task, protocol)
    if dry_run:
        from audiobench.commands.plan import print_jobs

        print_jobs(plan, needed(plan, rows, store, lambda job, damage: None), store)
        return
    request.keep(plan, store)

    ending = fill(
        plan,
        rows,
        store,
        data,
        device,
        precision,
        tell=request.tell,
        skip_bad=skip_bad,
        debug=debug,
        track=trackers,
    )

    from leaderboard.merge import separate
    from leaderboard.power import keep_smallest
    from leaderboard.render import show, write_markdown
    from leaderboard.table import make_table
    from leaderboard.terminal import console

    separated = separate(plan, store)
    table = make_table(separated, store)
    try:
        keep_smallest(table, separated, store)
        written = write_markdown(table, store)
    finally:  # if writing to the disk fails, the terminal still has the leaderboard
        show(table, console())
    print(f"leaderboard: {written}")
    for damage in store.damaged():
        print(damage, file=sys.stderr)
    if ending.failed:
        print(ending, file=sys.stderr)
        raise typer.Exit(1)
