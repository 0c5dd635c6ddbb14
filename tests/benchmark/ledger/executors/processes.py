"""Finds the jobs of a run, and the processes that do them."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmark.store.job import Job
from tests.audiobench.test_run import stored_plan

T = TypeVar("T")


def planned(runs: Path, kind: str) -> list[str]:
    """The keys of the jobs of a kind in the stored plan of the suite."""
    return [Job.from_json(job).key for job in stored_plan(runs)["jobs"] if job["kind"] == kind]


def calling(*words: str) -> list[int]:
    """The processes whose command line has all these words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        if all(word.encode() in command for word in words):
            found.append(int(folder.name))
    return found


def ancestors(process: int) -> list[int]:
    """A process's parent, its parent's parent, and so on."""
    found = []
    while process > 1:
        status = Path(f"/proc/{process}/status").read_text().splitlines()
        process = int(next(line.split()[1] for line in status if line.startswith("PPid:")))
        found.append(process)
    return found


def having(name: str, value: str) -> list[int]:
    """The processes that have a variable in their environment, besides this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"{name}={value}".encode() in variables and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def wait_until(found: Callable[[], T], seconds: float = 120.0) -> T:
    """What a function finds, once it finds anything."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)
    return result
