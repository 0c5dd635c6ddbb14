"""Which jobs of a run wait, which run, and what became of the others."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from benchmark.ledger.pace import Ahead, Pace
from benchmark.ledger.work import Became, Work
from benchmark.store.job import AnyJob
from benchmark.tally import Counts, Running, Tally
from registry.errors import Damaged

_FORGIVEN = 4  # interruptions of a job in a row without a new checkpoint


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


class Schedule:
    """Which jobs wait, which run, and what became of the others.

    Args:
        jobs: in an order in which they can run.
        work: on their plan.
        forecasts: of their seconds, by key, as far as there are any.
    """

    def __init__(self, jobs: Sequence[AnyJob], work: Work, forecasts: Mapping[str, float]) -> None:
        self.jobs, self.work = jobs, work
        self.needs = {job.key: work.needs_of(job) for job in jobs}
        self.waiting = {job.key: job for job in jobs}
        self.pace, self.began = Pace(forecasts), time.monotonic()
        self.ahead = Ahead(self.pace, self.waiting.values())
        self.counts: dict[str, Counter[str]] = {}  # of the jobs of a kind, by their state
        for job in jobs:
            self.counts.setdefault(job.kind, Counter())["to_come"] += 1
        self.running: dict[str, AnyJob] = {}
        self.since: dict[str, float] = {}  # when a job began to run, by a clock
        self.done = 0
        self.failed: dict[str, str] = {}  # the reason, by the key
        self.skipped: set[str] = set()
        self.interruptions: dict[str, tuple[int, float]] = {}  # without a new checkpoint, and the time of the last

    def start(self, room: int) -> list[AnyJob]:
        """The next jobs that can run, beside those that run already, at most ``room`` in all."""
        started: list[AnyJob] = []
        for key, job in list(self.waiting.items()):
            if len(self.running) == room:
                break
            if any(need in self.waiting or need in self.running for need in self.needs[key]):
                continue
            del self.waiting[key]
            self.ahead.less(job)
            if self.work.store.done(job):
                self.done += 1
                self._count(job, "to_come", "done")
            elif any(need in self.failed or need in self.skipped for need in self.needs[key]):
                self.skipped.add(key)
                self._count(job, "to_come", "failed")
            else:
                self._count(job, "to_come", "running")
                self.running[key], self.since[key] = job, time.monotonic()
                started.append(job)
        return started

    def settle(self, job: AnyJob, became: Became) -> str:
        """Notes what became of a job, and returns it in words."""
        del self.running[job.key]
        if became.how == "interrupted" and self._goes_on(job):
            self.waiting[job.key] = job
            self._count(job, "running", "to_come")
            return f"{became.message}; it runs again"
        self._count(job, "running", "done" if became.how == "done" else "failed")
        if became.how == "done":
            self.done += 1
            with suppress(Damaged):  # whoever reads it next says so
                self.pace.note(job, self.work.store.result(type(job), job.key).seconds)
            return became.message
        in_vain = f", {_FORGIVEN} times in a row without a new checkpoint" * (became.how == "interrupted")
        self.failed[job.key] = reason = f"{became.message}{in_vain}"
        return f"failed: {reason}"

    def ending(self) -> Ending:
        """How the run ended."""
        titles = {job.key: job.title for job in self.jobs}
        failed = {titles[key]: reason for key, reason in self.failed.items()}
        return Ending(self.done, failed, [title for key, title in titles.items() if key in self.skipped])

    def tally(self) -> Tally:
        """How the jobs stand now."""
        self.ahead.sum_up(self.running.values())
        elapsed = time.monotonic() - self.began
        return Tally(
            self.work.plan.name,
            {kind: Counts(**counts) for kind, counts in self.counts.items()},
            {key: Running(job.title, self.since[key], self.pace.expected(job)) for key, job in self.running.items()},
            frozenset((*self.failed, *self.skipped)),
            frozenset(self.waiting),
            self.ahead.seconds,
            self.ahead.unknown,
            max(self.pace.seconds / elapsed if elapsed else 1.0, 1.0),
            self.ahead.by,
        )

    def _count(self, job: AnyJob, before: str, now: str) -> None:
        counts = self.counts[job.kind]
        counts[before] -= 1
        counts[now] += 1

    def _goes_on(self, job: AnyJob) -> bool:
        """Whether an interrupted job is to run again."""
        checkpoint = self.work.store.checkpoint(job)
        written = checkpoint.stat().st_mtime if checkpoint.exists() else 0.0
        count, before = self.interruptions.get(job.key, (0, 0.0))
        count = 0 if written > before else count + 1
        self.interruptions[job.key] = count, written
        return count < _FORGIVEN
