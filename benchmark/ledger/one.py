"""Does one job of a plan: what every executor calls, in a process of its own."""

from dataclasses import dataclass

from benchmark.jobs import torchrun
from benchmark.ledger.execute import carry_out, mended
from benchmark.ledger.devices import divided, do_on_devices, require_devices
from benchmark.ledger.plan import Plan
from benchmark.ledger.request import Request
from benchmark.store.job import AnyJob
from benchmark.store.store import Store
from registry.errors import Mistake


@dataclass(frozen=True)
class Became:
    """What became of a job.

    Args:
        failed: whether it failed; else it is done.
        message: its figures in a line, or why it failed.
    """

    failed: bool
    message: str


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


def do_job(
    request: Request,
    plan: Plan,
    job: AnyJob,
    store: Store,
    device: str,
    precision: str,
    *,
    skip_bad: bool,
    debug: bool,
    devices: int = 1,
) -> Became:
    """Does a job, unless it is done; if another process is at work on it, waits for that one.

    If torchrun started several processes, all do a pretraining together; any other job the first one does.

    Args:
        request: that was planned.
        plan: of the job.
        job: to do.
        store: of the records.
        device: auto, cpu, cuda, cuda:1, ...
        precision: auto, fp32 or bf16.
        skip_bad: leave unusable recordings out instead of stopping.
        debug: let unexpected errors through, with their tracebacks.
        devices: that do a pretraining together, by a process for each.

    Raises:
        Mistake, Mistakes: before any work, if a job that it needs is not done, data are missing, or the device cannot
            be used.
    """
    together, first = torchrun.world() > 1 and divided(job), torchrun.rank() == 0
    damage = store.check(job.kind, job.key, large=False) if first else None
    if damage:
        request.tell(mended(job, damage, store))
    if not together and (not first or store.done(job)):
        return Became(False, "done already" if first else "done by the first process")
    _require_needs(plan, job, store)
    if devices > 1 and divided(job):
        require_devices(devices, device, [job])
        try:
            return Became(
                False, do_on_devices(arguments(request, job, store, device, precision, skip_bad, debug), devices)
            )
        except Mistake as mistake:
            return Became(True, str(mistake))
    request.load_plugins()
    ending = carry_out(
        plan, [job], store, request.data, device, precision, skip_bad=skip_bad, debug=debug, together=together
    )
    for reason in ending.failed.values():
        return Became(True, reason)
    return Became(False, done_line(job, store) if first else "done by the first process")


def arguments(
    request: Request, job: AnyJob, store: Store, device: str, precision: str, skip_bad: bool, debug: bool
) -> list[str]:
    """The arguments with which ``audiobench`` does a job of a request."""
    named = {"--suite": request.suite, "--scale": request.scale, "--data": request.data, "--runs": store.root}
    named |= {"--device": device, "--precision": precision}
    given = [word for name, value in named.items() if value is not None for word in (name, str(value))]
    given += [word for seed in request.seeds for word in ("--seed", str(seed))]
    given += [word for plugin in request.plugins for word in ("--plugin", str(plugin))]
    return ["job", job.key, *given, *["--skip-bad"] * skip_bad, *["--debug"] * debug]


def done_line(job: AnyJob, store: Store) -> str:
    """What a finished job came to, in a line."""
    record = store.result(type(job), job.key)
    return f"{record.summary} ({record.seconds:.1f} s)"


def _require_needs(plan: Plan, job: AnyJob, store: Store) -> None:
    missing = [key for key in dict.fromkeys(plan.read_by(job)) if not store.done(plan.jobs[key])]
    if missing:
        listed = ", ".join(f"{key} ({plan.jobs[key].title})" for key in missing)
        raise Mistake(
            f"{job.title}: what it needs is not done: {listed}",
            where=str(store.root),
            fix="do these jobs first, or name the folder that has their results: --runs DIR",
        )
