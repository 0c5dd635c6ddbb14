"""What ``audiobench plan`` says of the time, memory and disk of jobs."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.amounts import duration, size
from registry.text import say

if TYPE_CHECKING:
    from benchmark.ledger.outlook import Outlook
    from benchmark.ledger.work import Work
    from benchmark.store.job import AnyJob, Forecast

_MEMORY = {"host": "memory", "device": "GPU memory"}


def outlook_of(work: "Work", *, calibrate: bool) -> "Outlook | None":
    """What is known of the costs of a plan's jobs on the device; None if it is nothing. It loads torch only if it is.

    Args:
        work: on the plan.
        calibrate: what is not known yet, with a line on standard error about each kind of work.
    """
    store = work.store
    done = [store.done(job) for job in work.plan.jobs.values()]
    if all(done) or not (calibrate or any(done) or (store.root / "calibrations").is_dir()):
        return None
    from benchmark.jobs.environment import environment
    from benchmark.jobs.model import choose_device
    from benchmark.ledger.calibrate import calibrate_missing
    from benchmark.ledger.outlook import Outlook

    work.request.load_plugins()
    here = environment(choose_device(work.device, work.precision))
    outlook = Outlook(work.plan, store, work.request.data, here)
    if calibrate:
        jobs = list(work.plan.jobs.values())
        calibrate_missing(jobs, work, outlook, lambda line: say(line, sys.stderr))
    return outlook


def forecasts_of(jobs: "Sequence[AnyJob]", outlook: "Outlook") -> "dict[str, Forecast]":
    """The forecasts of the jobs that are not done, by key. They are stored, for the records of these jobs."""
    from benchmark.ledger.forecast import keep

    found = {}
    for job in jobs:
        said = None if outlook.store.done(job) else outlook.forecast(job)
        if said:
            found[job.key] = said
            keep(outlook.store, job, said, outlook.here)
    return found


def print_costs(jobs: "Sequence[AnyJob]", outlook: "Outlook", forecasts: "Mapping[str, Forecast]") -> None:
    """Prints the sum of the forecasts, and what of this machine will not do."""
    from benchmark.ledger.forecast import mapped

    left = [job for job in jobs if not outlook.store.done(job)]
    peaks: dict[str, int] = {}
    firm = 0  # bytes of host memory that the system cannot take back
    for job in left:
        said, scope = forecasts.get(job.key), outlook.scope(job)
        for where, most in said.peak_memory.items() if said else ():
            peaks[where] = max(peaks.get(where, 0), most)
        if said and scope:
            firm = max(firm, said.peak_memory.get("host", 0) - mapped(job, scope))
    if forecasts:
        seconds, disk = (sum(getattr(one, name) for one in forecasts.values()) for name in ("seconds", "disk"))
        say(f"still to do, one after the other: {_said(seconds, peaks, disk)}")
    if len(forecasts) < len(left):
        unknown = len(left) - len(forecasts)
        say(f"of {unknown} jobs the costs are not known: --calibrate measures them where the data are there")
    free, memory = _free(outlook.store.root), _memory()
    if forecasts and disk > free:
        say(f"warning: {outlook.store.root} has {size(free)} free, and the jobs will write {size(disk)}")
    if memory and firm > memory:
        say(f"warning: this machine has {size(memory)} of memory, and a job will take {size(firm)}")


def print_errors(jobs: "Sequence[AnyJob]", work: "Work") -> None:
    """Prints how far the forecasts of finished jobs were off."""
    from benchmark.ledger.forecast import errors, median_errors, size_of_files

    store, of_jobs = work.store, []
    for job in jobs:
        if store.done(job):
            record = store.result(type(job), job.key)
            of_jobs += [errors(record, size_of_files(record, store.folder(job)))] if record.forecast else []
    if of_jobs:
        off = ", ".join(f"{name.replace('_', ' ')} {error:.0%}" for name, error in median_errors(of_jobs).items())
        say(f"{len(of_jobs)} finished jobs had forecasts; by how much they were off, in the median: {off}")


def told(said: "Forecast") -> str:
    """A forecast in words."""
    return _said(said.seconds, said.peak_memory, said.disk)


def _said(seconds: float, peaks: Mapping[str, int], disk: float) -> str:
    memory = [f"{size(most)} of {_MEMORY[where]}" for where, most in peaks.items()]
    return ", ".join([duration(seconds), *memory, f"{size(disk)} of disk"])


def _free(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    while not folder.exists():
        folder = folder.absolute().parent
    return shutil.disk_usage(folder).free


def _memory() -> int:
    """Bytes of memory of this machine; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # on Windows
        return 0
