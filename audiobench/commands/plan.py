"""``audiobench plan``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from audiobench.commands.options import RUNS, Data, Debug, Plugins, Runs, Scale, Seeds, SuiteName
from registry.text import say

if TYPE_CHECKING:
    from benchmark.ledger.plan import Plan
    from benchmark.ledger.work import Work
    from benchmark.store.job import AnyJob
    from benchmark.store.store import Store


def plan(
    suite: SuiteName,
    scale: Scale = None,
    seed: Seeds = None,
    data: Data = None,
    runs: Runs = RUNS,
    plugin: Plugins = None,
    commands: Annotated[
        bool, typer.Option("--commands", help="Print the command of every job that is not done, each after its needs.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Print a suite's jobs, which of them are done already, and how small a difference its tasks could show.

    With --commands it stores the plan, so that the commands need not plan again. Their comments name each job, and the
    keys of the jobs that it must wait for.
    """
    from benchmark.ledger.request import Request
    from benchmark.ledger.work import Work
    from benchmark.store.store import Store
    from benchmark.suite.document import suite_path
    from leaderboard.power import smallest_known

    store = Store(runs)
    request = Request(suite_path(suite), scale, data, tuple(seed or ()), tuple(plugin or ()))
    made = request.plan(store)
    if commands:
        print_commands(Work(request, made, store))
        return
    print_jobs(made, list(made.jobs.values()), store)
    for sentence in smallest_known(made, store):
        say(sentence)


def print_commands(work: "Work") -> None:
    """Stores the plan, and prints a command for each job that is not done."""
    from benchmark.ledger.execute import needed, require_unblocked
    from benchmark.ledger.work import command_line

    jobs = needed(work.plan, work.plan.rows, work.store, lambda job, damage: None)
    require_unblocked(jobs)
    work.request.keep(work.plan, work.store)
    left = {job.key for job in jobs}
    for job in jobs:
        say(command_line(work, job, left))


def print_jobs(plan: "Plan", jobs: "Sequence[AnyJob]", store: "Store") -> None:
    """Prints a line for each job (its state, kind, key and title), then the damaged records and the blocked jobs."""
    from benchmark.ledger.adopt import left_by_older

    done = sum(store.done(job) for job in jobs)
    say(f"{plan.name}: {len(jobs)} jobs, {done} done")
    for job in jobs:
        say(f"  {store.state(job):8}{job.kind:9}{job.key[:12]}  {job.title}")
    older = left_by_older(plan, jobs, store)
    if older:
        say(f"{len(older)} were done by an older audiobench; a run takes over those whose recordings are the same")
    for damage in store.damaged():
        say(f"damaged: {damage}")
    for job in jobs:
        for remark in job.remarks:
            say(f"{job.title}: {remark}")
    for why in dict.fromkeys(job.blocked for job in jobs if job.blocked):
        say(f"blocked: {why}")
