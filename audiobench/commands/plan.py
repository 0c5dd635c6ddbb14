"""``audiobench plan``."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiobench.commands.options import (
    RUNS,
    Data,
    Debug,
    Device,
    Json,
    Plugins,
    Precision,
    Runs,
    Scale,
    Seeds,
    SuiteName,
)
from registry.text import say

if TYPE_CHECKING:
    from benchmark.ledger.plan import Plan
    from benchmark.ledger.work import Work
    from benchmark.store.job import AnyJob, Forecast
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
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Measure first what the jobs will cost: a few steps of each kind of work."),
    ] = False,
    device: Device = "auto",
    precision: Precision = "auto",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print a suite's jobs, which of them are done already, and how small a difference its tasks could show.

    With --calibrate it runs a few steps of each kind of work, which takes a minute or two for most suites, and prints
    the time, memory and disk that every job will take. From then on it prints them without measuring again: they are
    stored with the records, for this machine and device alone. A finished job tells what the same work will take, too.

    With --commands it stores the plan, so that the commands need not plan again. Their comments name each job, and the
    keys of the jobs that it must wait for.
    """
    from audiobench.commands.costs import forecasts_of, outlook_of, print_costs, print_errors
    from audiobench.commands.documents import print_document
    from benchmark.ledger.request import Request
    from benchmark.ledger.work import Work
    from benchmark.store.store import Store
    from benchmark.suite.document import suite_path
    from leaderboard.power import smallest_known
    from registry.errors import Mistake

    if commands and as_json:
        raise Mistake("--commands and --json print two things", fix="give one of them: --json has the key of each job")
    store = Store(runs)
    request = Request(suite_path(suite), scale, data, tuple(seed or ()), tuple(plugin or ()))
    made = request.plan(store)
    work, jobs = Work(request, made, store, device, precision), list(made.jobs.values())
    if commands:
        print_commands(work)
        return
    outlook = outlook_of(work, calibrate=calibrate)
    forecasts = forecasts_of(jobs, outlook) if outlook else {}
    if as_json:
        print_document(document_of(made, jobs, store, forecasts) | {"smallest": smallest_known(made, store)})
        return
    print_jobs(made, jobs, store, forecasts)
    if outlook:
        print_costs(jobs, outlook, forecasts)
    print_errors(jobs, work)
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


def print_jobs(
    plan: "Plan", jobs: "Sequence[AnyJob]", store: "Store", forecasts: "Mapping[str, Forecast]" = MappingProxyType({})
) -> None:
    """Prints a line for each job (its state, kind, key and title), then the damaged records and the blocked jobs.

    Args:
        plan: of the jobs.
        jobs: to print.
        store: of their records.
        forecasts: of jobs that are not done, by key; they are printed with the jobs.
    """
    from audiobench.commands.costs import told
    from benchmark.ledger.adopt import left_by_older

    done = sum(store.done(job) for job in jobs)
    say(f"{plan.name}: {len(jobs)} jobs, {done} done")
    for job in jobs:
        cost = f": {told(forecasts[job.key])}" if job.key in forecasts else ""
        say(f"  {store.state(job):8}{job.kind:9}{job.key[:12]}  {job.title}{cost}")
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


def document_of(
    plan: "Plan", jobs: "Sequence[AnyJob]", store: "Store", forecasts: "Mapping[str, Forecast]" = MappingProxyType({})
) -> dict[str, Any]:
    """What ``print_jobs`` prints, as a document."""
    from audiobench.commands.documents import of_mistake
    from benchmark.ledger.adopt import left_by_older

    return {
        "suite": plan.name,
        "done": sum(store.done(job) for job in jobs),
        "jobs": [
            {
                "state": store.state(job),
                "kind": job.kind,
                "key": job.key,
                "title": job.title,
                "blocked": job.blocked,
                "remarks": list(job.remarks),
                "forecast": forecasts[job.key].model_dump() if job.key in forecasts else None,
            }
            for job in jobs
        ],
        "left_by_older": len(left_by_older(plan, jobs, store)),
        "damaged": [of_mistake(damage) for damage in store.damaged()],
    }
