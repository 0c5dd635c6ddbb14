"""How long jobs should take: by their forecasts, else by jobs of the same sort that this run has done."""

from collections.abc import Iterable, Mapping

from benchmark.store.job import AnyJob


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


def _sorts(job: AnyJob) -> tuple[str, str, str]:
    """The sorts that a job belongs to, the narrowest first: a title begins with what is done, with what, on what."""
    what = job.title.partition(" on ")[0]
    return f"{job.kind}: {what}", f"{job.kind}: {what.partition(' ')[0]}", job.kind
