"""The work on a plan: what is asked for, where its results go, and how jobs are to be done."""

import shlex
from dataclasses import dataclass
from typing import Literal

from benchmark.ledger.plan import Plan
from benchmark.ledger.request import Request
from benchmark.store.job import AnyJob
from benchmark.store.store import Store
from benchmark.suite.document import suite_name
from benchmark.trackers import NONE


@dataclass(frozen=True)
class Work:
    """What executors know of the jobs of a plan, besides the jobs; none of it changes a figure.

    Args:
        request: that was planned.
        plan: of the jobs.
        store: of the results.
        device: auto, cpu, cuda, cuda:1, ...
        precision: auto, fp32 or bf16.
        skip_bad: leave unusable recordings out instead of stopping.
        debug: let unexpected errors through, with their tracebacks.
        devices: how many do a pretraining together, by a process for each.
        track: the trackers that follow the jobs; None where nobody asks.
    """

    request: Request
    plan: Plan
    store: Store
    device: str = "auto"
    precision: str = "auto"
    skip_bad: bool = False
    debug: bool = False
    devices: int = 1
    track: tuple[str, ...] | None = None

    def arguments(self, job: AnyJob) -> list[str]:
        """The arguments of ``audiobench`` that do a job in the folder that this process is in."""
        request = self.request
        named = {"--suite": suite_name(request.suite), "--runs": str(self.store.root)}
        named |= {"--scale": request.scale} if request.scale else {}
        named |= {"--data": str(request.data)} if request.data else {}
        device = "cpu" if self.device == "cuda" and job.kind in ("pack", "measure") else self.device  # they have no GPU
        named |= {"--device": device} if device != "auto" else {}
        named |= {"--precision": self.precision} if self.precision != "auto" else {}
        named |= {"--devices": str(count)} if (count := self.devices_of(job)) > 1 else {}
        arguments = ["job", job.key, *(word for pair in named.items() for word in pair)]
        for seed in request.seeds:
            arguments += ["--seed", str(seed)]
        for plugin in request.plugins:
            arguments += ["--plugin", str(plugin)]
        for tracker in (NONE,) if self.track == () else self.track or ():
            arguments += ["--track", tracker]
        return arguments + ["--skip-bad"] * self.skip_bad + ["--debug"] * self.debug

    def devices_of(self, job: AnyJob) -> int:
        """How many devices do a job together: pretrainings are divided, and any other job has one."""
        return self.devices if job.kind == "pretrain" else 1

    def needs_of(self, job: AnyJob) -> list[str]:
        """The keys of the jobs that must be done before a job, each once."""
        return list(dict.fromkeys(self.plan.read_by(job)))


@dataclass(frozen=True)
class Became:
    """What became of a job.

    Args:
        how: ``interrupted``, if the same job goes on from where it was.
        message: its figures in a line, or why it failed or was interrupted.
    """

    how: Literal["done", "failed", "interrupted"]
    message: str


def command_line(work: Work, job: AnyJob, left: set[str]) -> str:
    """The command that does a job, for a shell, and in a comment its title and the keys of what must be done before.

    Args:
        work: on the plan.
        job: of the plan.
        left: the keys of all jobs that are not done.
    """
    after = [key for key in work.needs_of(job) if key in left]
    comment = " ".join([f"# {job.title}", *(["; after", *after] if after else [])]).replace(" ;", ";")
    return f"{shlex.join(['audiobench', *work.arguments(job)])}  {comment}"
