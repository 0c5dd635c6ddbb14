"""Does one job of a plan: what every executor calls, in a process of its own."""

import sys
from dataclasses import replace

from benchmark.jobs import torchrun
from benchmark.ledger.devices import require_divisible
from benchmark.ledger.execute import carry_out, mended
from benchmark.ledger.executors import Options
from benchmark.ledger.plan import Plan
from benchmark.ledger.work import Became, Work
from benchmark.progress import Progress, progress_for
from benchmark.store.job import AnyJob
from benchmark.store.store import Store
from benchmark.trackers import UNTRACKED
from registry.errors import Mistake


def find_job(plan: Plan, key: str) -> AnyJob:
    """The job of a plan with this key, or with a key that begins so.

    Raises:
        Mistake: if there is none, or several.
    """
    found = [job for of_plan, job in plan.jobs.items() if of_plan.startswith(key)]
    if len(found) != 1:
        what = f"{len(found)} jobs of {plan.name} have keys that begin with" if found else f"{plan.name} has no job"
        fix = "name the suite, scale, seeds and data of the plan; audiobench plan SUITE lists its jobs"
        raise Mistake(f"{what} {key!r}", fix=fix)
    return found[0]


def do_job(work: Work, job: AnyJob) -> Became:
    """Does a job, unless it is done; if another process is at work on it, waits for that one.

    If torchrun started several processes, they do a pretraining together; any other job the first one does.

    Raises:
        Mistake, Mistakes: before any work, if a job that it needs is not done, data are missing, or the device cannot
            be used.
    """
    if torchrun.world() > 1:
        return _do_with_others(work, job)
    store = work.store
    damage = store.check(job.kind, job.key, large=False)
    if damage:
        work.request.tell(mended(job, damage, store))
    if store.done(job):
        return Became("done", "done already")
    _require_needs(work, job)
    return _do_alone(work, job)


def _do_alone(work: Work, job: AnyJob) -> Became:
    ending = carry_out(work, [job], Options())
    for reason in ending.failed.values():
        return Became("failed", reason)
    return Became("done", _done_line(job, work.store))


def _do_with_others(work: Work, job: AnyJob) -> Became:
    """Does this process's part of a job. The first process decides whether there is something to do."""
    from benchmark.jobs.group import device_here, joined
    from benchmark.jobs.model import choose_device
    from benchmark.ledger.executors.local import Local

    first = torchrun.rank() == 0
    if job.kind != "pretrain" and not first:
        return Became("done", "done by the first process")
    damage = work.store.check(job.kind, job.key, large=False) if first else None
    if damage:
        work.request.tell(mended(job, damage, work.store))
    _require_needs(work, job)
    work = replace(work, device=device_here(work.device), devices=1)
    if job.kind != "pretrain":
        return _do_alone(work, job)
    require_divisible(job, torchrun.world())
    with (
        joined(choose_device(work.device, work.precision)) as group,
        progress_for(sys.stderr) if first else Progress() as progress,
    ):
        local = Local(work, [job], Options(), progress)
        local.at = replace(local.at, group=group, tracking=local.at.tracking if first else UNTRACKED)
        return local.do(job)


def _done_line(job: AnyJob, store: Store) -> str:
    """What a finished job came to, in a line."""
    record = store.result(type(job), job.key)
    return f"{record.summary} ({record.seconds:.1f} s)"


def _require_needs(work: Work, job: AnyJob) -> None:
    plan, store = work.plan, work.store
    missing = [key for key in work.needs_of(job) if not store.arrived(plan.jobs[key])]
    if missing:
        listed = ", ".join(f"{key} ({plan.jobs[key].title})" for key in missing)
        raise Mistake(
            f"{job.title}: what it needs is not done: {listed}",
            where=str(store.root),
            fix="do these jobs first, or name the folder that has their results: --runs DIR",
        )
