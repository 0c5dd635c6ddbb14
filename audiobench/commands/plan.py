"""``audiobench plan``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from audiobench.commands.options import RUNS, Data, Debug, Plugins, Runs, Scale, Seeds, SuiteName

if TYPE_CHECKING:
    from benchmark.ledger.plan import Plan
    from benchmark.store.job import AnyJob
    from benchmark.store.store import Store


def plan(
    suite: SuiteName,
    scale: Scale = None,
    seed: Seeds = None,
    data: Data = None,
    runs: Runs = RUNS,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Print a suite's jobs, which of them are done already, and how small a difference its tasks could show."""
    from benchmark.ledger.request import Request
    from benchmark.store.store import Store
    from benchmark.suite.document import suite_path
    from leaderboard.power import smallest_known

    store = Store(runs)
    made = Request(suite_path(suite), scale, data, tuple(seed or ()), tuple(plugin or ())).plan(store)
    print_jobs(made, list(made.jobs.values()), store)
    for sentence in smallest_known(made, store):
        print(sentence)


def print_jobs(plan: "Plan", jobs: "Sequence[AnyJob]", store: "Store") -> None:
    """Prints a line for each job (its state, kind, key and title), then the damaged records and the blocked jobs."""
    from benchmark.ledger.adopt import left_by_older

    done = sum(store.done(job) for job in jobs)
    print(f"{plan.name}: {len(jobs)} jobs, {done} done")
    for job in jobs:
        print(f"  {store.state(job):8}{job.kind:9}{job.key[:12]}  {job.title}")
    older = left_by_older(plan, jobs, store)
    if older:
        print(f"{len(older)} were done by an older audiobench; a run takes over those whose recordings are the same")
    for damage in store.damaged():
        print(f"damaged: {damage}")
    for job in jobs:
        for remark in job.remarks:
            print(f"{job.title}: {remark}")
    for why in dict.fromkeys(job.blocked for job in jobs if job.blocked):
        print(f"blocked: {why}")
