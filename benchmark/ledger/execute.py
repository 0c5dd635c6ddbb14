"""Runs the jobs of a plan. If a job fails, finished jobs are kept, and the others go on."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmark.ledger.devices import require_divisible
from benchmark.ledger.executors import Executor, Options, find_executor
from benchmark.ledger.forecast import kept
from benchmark.ledger.plan import Plan, Row
from benchmark.ledger.schedule import Ending, Schedule
from benchmark.ledger.work import Work
from benchmark.progress import progress_for
from benchmark.store.integrity import seal
from benchmark.store.job import RECORD_SCHEMA, AnyJob
from benchmark.store.leases import Lost
from benchmark.store.store import Store, write_json
from benchmark.tally import Tally
from registry.errors import Damaged, Mistake, Mistakes

if TYPE_CHECKING:
    from benchmark.jobs.workplace import Workplace


def needed(plan: Plan, rows: Sequence[Row], store: Store, deal_with: Callable[[AnyJob, Damaged], None]) -> list[AnyJob]:
    """Checks the stored results of some cells, and lists the jobs that the cells still need, in order.

    Large files are hashed only if they are about to be read, or were changed after their record.

    Args:
        plan: of the suite.
        rows: the cells.
        store: of the records.
        deal_with: is called with every damaged record and its job, which is needed again.
    """
    damaged: dict[str, AnyJob] = {}

    def whole(job: AnyJob, large: bool) -> bool:
        if job.key in damaged:
            return False
        damage = store.check(job.kind, job.key, large=large)
        if damage:
            damaged[job.key] = job
            deal_with(job, damage)
        return damage is None and store.folder(job).exists()

    keys = [row.key for row in rows]
    with store.at_rest():
        for job in plan.needed_for(keys, lambda job: False):
            whole(job, large=False)
        store.remember()
        return plan.needed_for([*keys, *damaged], lambda job: whole(job, large=job.kind != "evaluate"))


def mended(job: AnyJob, damage: Damaged, store: Store) -> str:
    """Sets a damaged record aside, and returns a line about it."""
    return f"{job.title}: {put_away(damage, store)}"


def carry_out(
    work: Work, jobs: Sequence[AnyJob], options: Options, watch: Callable[[Tally], None] = lambda tally: None
) -> Ending:
    """Runs jobs of a plan, with progress on standard error. It loads torch only if there are jobs.

    Args:
        work: on the plan.
        jobs: in an order in which they can run.
        options: say which executor does them.
        watch: gets how the jobs stand whenever that changes.

    Raises:
        Mistake: before any work, if data are missing, or the executor cannot do the jobs.
    """
    kind = find_executor(options)
    require_unblocked(jobs)
    for job in jobs:
        require_divisible(job, work.devices_of(job))
    if not jobs:
        return Ending()
    with progress_for(sys.stderr) as progress:
        return run_jobs(jobs, kind(work, jobs, options, progress), watch)


def require_unblocked(jobs: Sequence[AnyJob]) -> None:
    """Refuses jobs that the plan already knows to be impossible, for want of files."""
    blocked = dict.fromkeys(job.blocked for job in jobs if job.blocked)
    if blocked:
        raise Mistakes([Mistake(why) for why in blocked])


def run_jobs(jobs: Sequence[AnyJob], executor: Executor, watch: Callable[[Tally], None] = lambda tally: None) -> Ending:
    """Gives jobs to an executor as they become ready. A job that is finished counts as done.

    A job that needs a failed job is skipped. An interrupted job runs again, as long as it leaves a new checkpoint each
    time; a few interruptions without one are forgiven.

    Args:
        jobs: in an order in which they can run.
        executor: does them.
        watch: gets how the jobs stand whenever that changes.
    """
    schedule = Schedule(jobs, executor.work, _forecasts(jobs, executor))

    def tell() -> None:
        tally = schedule.tally()
        executor.progress.stand(tally)
        watch(tally)

    try:
        while schedule.waiting or schedule.running:
            ready = schedule.start(executor.room)
            if ready:
                executor.take(ready)
                tell()
            for job, became in executor.ended() if schedule.running else ():
                executor.progress.end(schedule.settle(job, became), job.title)
                tell()
        tell()  # of those that were skipped at the end
    except KeyboardInterrupt:
        if not schedule.running:  # the executor tells of those that run
            executor.progress.say("interrupted between two jobs; the same command goes on from here")
        raise
    finally:
        executor.close()
    return schedule.ending()


def _forecasts(jobs: Sequence[AnyJob], executor: Executor) -> dict[str, float]:
    """The seconds that ``audiobench plan`` said jobs would take, by key."""
    store = executor.work.store
    if not (store.root / "forecasts").is_dir():
        return {}
    here = executor.environment()
    said = {job.key: kept(store, job, here) for job in jobs}
    return {key: of_job.seconds for key, of_job in said.items() if of_job}


def do_here(job: AnyJob, at: "Workplace") -> str:
    """Does a job in this process, and returns its figures in a line.

    If another run takes it over meanwhile, this one waits, and goes on only if the other one gives up. Of several ranks
    the first one writes the results; what the others write is thrown away.
    """
    if at.group.ranks.rank:
        if at.group.begins(False):
            with TemporaryDirectory() as folder:
                job.run(Path(folder), at)
        return "done by the first process"
    while True:
        try:
            return _attempt(job, at)
        except Lost as lost:
            if at.group.ranks.world > 1:  # the others are in the midst of a step
                raise Mistake(f"{lost.what}; what it made is not used", fix="run the same command again") from None
            at.progress.say(f"{job.title}: {lost.what}; what it made is not used")


def _attempt(job: AnyJob, at: "Workplace") -> str:
    from benchmark.jobs.environment import environment, forget_peak, peak_memory

    with at.store.writing(job, lambda what: at.progress.say(f"{job.title}: {what}")) as folder:
        if not at.group.begins(folder is not None) or folder is None:
            return "done by another run"
        with at.tracking.following(job) as note:
            forget_peak(at.device)
            began, cpu_began = time.monotonic(), time.process_time()
            made = job.run(folder, at)
            seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
            note(made.figures())
        here = environment(at.device, at.group.ranks.world)
        update = {
            "key": job.key,
            "seconds": round(seconds, 3),
            "cpu_seconds": round(cpu_seconds, 3),
            "peak_memory": peak_memory(at.device),
            "forecast": kept(at.store, job, here),
            "environment": here,
        }
        record = made.model_copy(update=update).model_dump(mode="json")
        write_json(folder / "job.json", job.to_json())
        write_json(folder / "result.json", seal({"schema": RECORD_SCHEMA, **record}, folder))
    return f"{made.summary} ({seconds:.1f} s)"


def put_away(damage: Damaged, store: Store) -> str:
    """Sets a damaged record aside. Returns the damage and the new place in words."""
    kept = store.set_aside(damage.kind, damage.key)
    fix = f"nothing but to run this suite: it is kept in {kept}, and made anew" if kept else damage.fix
    return str(Mistake(damage.what, where=damage.where, fix=fix))
