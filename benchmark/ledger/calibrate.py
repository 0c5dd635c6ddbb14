"""Calibrates what a plan's jobs cost, each kind of work once, in a process of its own."""

import importlib
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.jobs.contents import Contents
from benchmark.jobs.rates import Calibration
from benchmark.ledger.outlook import Outlook
from benchmark.ledger.work import Work
from benchmark.store.job import AnyJob, Job
from registry.errors import Mistake
from registry.lookup import load_plugin
from registry.windows import Window

_SECONDS = 120.0  # that a calibration may take


@dataclass(frozen=True)
class _Order:
    """What a process is to calibrate: plain data, and where to do it."""

    job: dict[str, Any]
    device: str
    precision: str
    plugins: Sequence[Path]
    data: Path | None
    files: dict[str, str]
    clips: Contents | None
    probed: Contents | None
    dim: int
    window: Window
    libraries: tuple[str, ...]  # that planning has loaded: a run plans in the same process, and their memory counts


def calibrate_missing(jobs: Sequence[AnyJob], work: Work, outlook: Outlook, tell: Callable[[str], None]) -> None:
    """Calibrates the jobs of which nothing is known.

    Args:
        jobs: of the plan, in an order in which they can run; those that are done or blocked are left out.
        work: on the plan.
        outlook: of the plan, which gets the calibrations.
        tell: gets a line about each calibration, and about each that failed.
    """
    failed: set[str] = set()
    for job in jobs:
        if job.blocked or outlook.store.done(job) or outlook.forecast(job) or outlook.name(job) in failed:
            continue
        order = _order(job, work, outlook)
        if order is None:
            continue  # what it needs could not be calibrated, which was told
        began = time.monotonic()
        made = _in_own_process(order)
        if isinstance(made, Calibration):
            outlook.keep(job, made)
            tell(f"calibrated: {job.title} ({time.monotonic() - began:.1f} s)")
        else:
            failed.add(outlook.name(job))
            tell(f"not calibrated: {job.title}: {made}")


def _order(job: AnyJob, work: Work, outlook: Outlook) -> _Order | None:
    scope = outlook.scope(job)
    if scope is None and job.kind != "pack":
        return None
    embedding = outlook.embedding(job)
    return _Order(
        job=job.to_json(),
        device=work.device,
        precision=work.precision,
        plugins=work.request.plugin_files(),
        data=work.request.data,
        files=work.plan.files,
        clips=scope.clips if scope else None,
        probed=scope.probed if scope else None,
        dim=scope.dim if scope else 0,
        window=embedding.config.window_samples if embedding else "whole",
        libraries=tuple(name for name in sys.modules if "." not in name),
    )


def _in_own_process(order: _Order) -> Calibration | str:
    """The calibration, or why there is none."""
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    # The server of forks is small, and loads nothing before: its memory would be the process's peak, or be missing.
    context: Any = multiprocessing.get_context("forkserver" if forks else "spawn")
    context.set_forkserver_preload([])
    ours, theirs = context.Pipe()
    process = context.Process(target=_calibrate, args=(order, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(_SECONDS):
            return f"a few steps take more than {_SECONDS:.0f} s"
        made: Calibration | str = ours.recv()
        return made
    except EOFError:
        process.join()
        return f"its process ended with status {process.exitcode}, perhaps for want of memory"
    finally:
        process.kill()
        process.join()


def _calibrate(order: _Order, answer: Connection) -> None:
    """Runs in the process of a calibration, and sends it, or why there is none."""
    try:
        made: Calibration | str = _measured(order)
    except KeyboardInterrupt:  # which the parent has got, too
        return
    except Mistake as mistake:
        made = mistake.what
    except Exception as error:  # of any kind, as on the real clips: it says why this cannot be calibrated
        made = f"{type(error).__name__}: {error}"
    with suppress(BrokenPipeError):  # the parent was killed
        answer.send(made)


def _measured(order: _Order) -> Calibration:
    from benchmark.jobs.calibration import Bench, calibrate
    from benchmark.jobs.model import choose_device

    for name in order.libraries:
        with suppress(ImportError):  # of a plugin, which has no such name here
            importlib.import_module(name)
    for path in order.plugins:
        load_plugin(path)
    device = choose_device(order.device, order.precision)
    bench = Bench(device, order.data, order.files, order.clips, order.probed, order.dim, order.window)
    return calibrate(Job.from_json(order.job), bench)
