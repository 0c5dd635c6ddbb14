"""Runs the jobs of a plan, one after the other. If a job fails, finished jobs are kept, and the others go on."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.ledger.plan import Plan, Row
from benchmark.progress import progress_for
from benchmark.store.files import refusal
from benchmark.store.integrity import seal
from benchmark.store.job import RECORD_SCHEMA, AnyJob
from benchmark.store.leases import Lost
from benchmark.store.store import Store, write_json
from benchmark.trackers import make_tracking
from registry.errors import Damaged, Mistake, Mistakes

if TYPE_CHECKING:
    from benchmark.jobs.workplace import Workplace


@dataclass
class Ending:
    """How a run ended: which jobs are done, which failed and why, which were skipped."""

    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{len(self.failed)} of {self.done + len(self.failed) + len(self.skipped)} jobs failed:"]
        lines += [f"  {title}: {reason}" for title, reason in self.failed.items()]
        lines += [f"  {title}: not run, because what it needs failed" for title in self.skipped]
        return "\n".join([*lines, "The rest is kept; run the same command again for what is missing."])


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
        damage = store.check(job.kind, job.key, large=large)
        if damage:
            damaged[job.key] = job
            deal_with(job, damage)
        return store.folder(job).exists() and job.key not in damaged

    keys = [row.key for row in rows]
    for job in plan.needed_for(keys, lambda job: False):
        whole(job, large=False)
    return plan.needed_for([*keys, *damaged], lambda job: whole(job, large=job.kind != "evaluate"))


def mended(job: AnyJob, damage: Damaged, store: Store) -> str:
    """Sets a damaged record aside, and returns a line about it."""
    return f"{job.title}: {_set_aside(damage, store)}"


def carry_out(
    plan: Plan,
    jobs: Sequence[AnyJob],
    store: Store,
    data: Path | None,
    device: str,
    precision: str,
    *,
    skip_bad: bool = False,
    debug: bool = False,
    track: Sequence[str] = (),
) -> Ending:
    """Runs jobs of a plan, with progress on standard error. It loads torch only if there are jobs.

    Raises:
        Mistake: before any work, if data are missing, or the device cannot be used.
    """
    blocked = dict.fromkeys(job.blocked for job in jobs if job.blocked)
    if blocked:
        raise Mistakes([Mistake(why) for why in blocked])
    if not jobs:
        return Ending()
    from benchmark.jobs.model import choose_device
    from benchmark.jobs.workplace import Workplace

    with progress_for(sys.stderr) as progress:
        tracking = make_tracking(track, store.root / "trackers", plan.name, progress.say)
        to_use = choose_device(device, precision)
        at = Workplace(store, data, plan.jobs, plan.files, to_use, progress, skip_bad, tracking)
        return run_jobs(jobs, at, debug=debug)


def run_jobs(jobs: Sequence[AnyJob], at: "Workplace", *, debug: bool = False) -> Ending:
    """Runs jobs in order. A job that is finished counts as done; a job that needs a failed job is skipped.

    Args:
        jobs: in an order in which they can run.
        at: where and with what.
        debug: let unexpected errors through, with their tracebacks.
    """
    ending = Ending()
    lost: set[str] = set()
    for job in jobs:
        if at.store.done(job):
            ending.done += 1
            continue
        if lost & set(job.needs.all_keys()):
            lost.add(job.key)
            ending.skipped.append(job.title)
            continue
        at.progress.begin(job.title)
        try:
            at.progress.end(_run(job, at))
            ending.done += 1
            continue
        except KeyboardInterrupt:
            at.progress.end("interrupted; the same command goes on from here")
            raise
        except Damaged as damage:
            reason = _set_aside(damage, at.store)
        except Mistake as mistake:
            reason = str(mistake)
        except OSError as error:
            reason = str(refusal(error, at.store.root))
        except Exception as error:
            if debug:
                raise
            reason = (
                f"internal error: {type(error).__name__}: {error}\n  to do: run again with --debug for the traceback"
            )
        lost.add(job.key)
        ending.failed[job.title] = reason
        at.progress.end(f"failed: {reason}")
    return ending


def _run(job: AnyJob, at: "Workplace") -> str:
    """Runs a job. If another run takes it over meanwhile, waits for that one, and goes on only if it gives up."""
    while True:
        try:
            return _attempt(job, at)
        except Lost as lost:
            at.progress.say(f"{job.title}: {lost.what}; what it made is not used")


def _attempt(job: AnyJob, at: "Workplace") -> str:
    from benchmark.jobs.environment import environment, peak_memory

    with at.store.writing(job, lambda what: at.progress.say(f"{job.title}: {what}")) as folder:
        if folder is None:
            return "done by another run"
        with at.tracking.following(job) as note:
            began = time.monotonic()
            made = job.run(folder, at)
            seconds = time.monotonic() - began
            note(made.figures())
        costs = {"seconds": round(seconds, 3), "peak_memory": peak_memory(at.device)}
        update = {"key": job.key, **costs, "environment": environment(at.device)}
        record = made.model_copy(update=update).model_dump(mode="json")
        write_json(folder / "job.json", job.to_json())
        write_json(folder / "result.json", seal({"schema": RECORD_SCHEMA, **record}, folder))
    return f"{made.summary} ({seconds:.1f} s)"


def _set_aside(damage: Damaged, store: Store) -> str:
    """Sets a damaged record aside. Returns the damage and the new place in words."""
    kept = store.set_aside(damage.kind, damage.key)
    fix = f"nothing but to run this suite: it is kept in {kept}, and made anew" if kept else damage.fix
    return str(Mistake(damage.what, where=damage.where, fix=fix))
