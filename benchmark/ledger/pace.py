"""How long jobs should take: by their forecasts, else by jobs of the same sort that this run has done."""

import time
from collections.abc import Collection, Iterable, Mapping

from benchmark.store.job import AnyJob

_REST = 50  # times as long as a sum took, no other one is made


class Pace:
    """What is known of the seconds that jobs take.

    Args:
        forecasts: in seconds, by the keys of jobs.
    """

    def __init__(self, forecasts: Mapping[str, float]) -> None:
        self.forecasts = forecasts
        self.seconds = 0.0  # of all jobs done
        self._taken: dict[str, tuple[float, int]] = {}  # seconds and number of the jobs done, by sort
        self._forecast = self._took = 0.0  # sums over the jobs done that had a forecast

    def note(self, job: AnyJob, seconds: float) -> None:
        """A job is done, and took so long."""
        self.seconds += seconds
        for sort in _sorts(job):
            before, count = self._taken.get(sort, (0.0, 0))
            self._taken[sort] = before + seconds, count + 1
        if job.key in self.forecasts:
            self._forecast += self.forecasts[job.key]
            self._took += seconds

    def expected(self, job: AnyJob) -> float | None:
        """The seconds that a job should take; None if nothing tells.

        Forecasts are corrected by as much as they were off so far, all together: other programs may slow them all.
        """
        if job.key in self.forecasts:
            return self.forecasts[job.key] * (self._took / self._forecast if self._forecast and self._took else 1.0)
        for sort in _sorts(job):
            if sort in self._taken:
                seconds, count = self._taken[sort]
                return seconds / count
        return None

    def told_by(self, jobs: Iterable[AnyJob]) -> str:
        """What tells of these jobs, in words; empty if nothing does."""
        ways = {job.key in self.forecasts for job in jobs if self.expected(job) is not None}
        return " and ".join(name for way, name in ((True, "forecasts"), (False, "jobs done")) if way in ways)


class Ahead:
    """What the jobs to come should take, in sum.

    To ask for each of thousands of jobs takes milliseconds, so it is done rarely: what happens between is added up.

    Args:
        pace: of the run.
        waiting: the jobs to come; whoever takes one out or puts one in says so.
    """

    def __init__(self, pace: Pace, waiting: Collection[AnyJob]) -> None:
        self.pace, self.waiting = pace, waiting
        self.seconds, self.unknown, self.by = 0.0, 0, ""
        self._next = 0.0  # when each job is asked for again, by a clock

    def less(self, job: AnyJob) -> None:
        """A job no longer waits."""
        seconds = self.pace.expected(job)
        self.seconds = max(self.seconds - (seconds or 0.0), 0.0)
        self.unknown = max(self.unknown - (seconds is None), 0)

    def sum_up(self, running: Iterable[AnyJob]) -> None:
        """Brings the sums up to date, unless that was done just now; ``running`` jobs count for what tells of them."""
        began = time.monotonic()
        if began < self._next:
            return
        expected = [self.pace.expected(job) for job in self.waiting]
        self.seconds, self.unknown = sum(one for one in expected if one is not None), expected.count(None)
        self.by = self.pace.told_by([*self.waiting, *running])
        ended = time.monotonic()
        self._next = ended + _REST * (ended - began)


def _sorts(job: AnyJob) -> tuple[str, str, str]:
    """The sorts that a job belongs to, the narrowest first: a title begins with what is done, with what, on what."""
    what = job.title.partition(" on ")[0]
    return f"{job.kind}: {what}", f"{job.kind}: {what.partition(' ')[0]}", job.kind
