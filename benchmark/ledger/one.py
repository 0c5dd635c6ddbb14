"""Does one job of a plan: what every executor calls, in a process of its own."""

from benchmark.ledger.execute import carry_out, mended
from benchmark.ledger.executors import Options
from benchmark.ledger.plan import Plan
from benchmark.ledger.work import Became, Work
from benchmark.store.job import AnyJob
from benchmark.store.store import Store
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

    Raises:
        Mistake, Mistakes: before any work, if a job that it needs is not done, data are missing, or the device cannot
            be used.
    """
    store = work.store
    damage = store.check(job.kind, job.key, large=False)
    if damage:
        work.request.tell(mended(job, damage, store))
    if store.done(job):
        return Became("done", "done already")
    _require_needs(work, job)
    ending = carry_out(work, [job], Options())
    for reason in ending.failed.values():
        return Became("failed", reason)
    return Became("done", _done_line(job, store))


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
