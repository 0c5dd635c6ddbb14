"""How the jobs of a run stand: counts by kind, what runs, and when all will be done. Plain data, no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Counts:
    """Numbers of jobs; ``failed`` counts those that were skipped, too."""

    done: int = 0
    running: int = 0
    to_come: int = 0
    failed: int = 0

    @property
    def all(self) -> int:
        return self.done + self.running + self.to_come + self.failed

    def plus(self, other: "Counts") -> "Counts":
        """These jobs and others."""
        return Counts(
            self.done + other.done,
            self.running + other.running,
            self.to_come + other.to_come,
            self.failed + other.failed,
        )


@dataclass(frozen=True)
class Running:
    """A job that was given to the executor.

    Args:
        title: for people.
        began: when, by ``time.monotonic``.
        expected: seconds that it should take; None if nothing tells.
    """

    title: str
    began: float
    expected: float | None = None


@dataclass(frozen=True)
class Tally:
    """How the jobs of a run stand.

    Args:
        name: of the plan.
        kinds: of jobs, in the order of the plan.
        running: by key.
        failed: keys of the jobs that failed or were skipped.
        waiting: keys of the jobs to come.
        expected: seconds that the jobs to come should take, one after the other, as far as that is known.
        unknown: how many of the jobs to come nothing tells of.
        at_once: how many jobs are done beside one another, in the mean.
        by: what tells of the time, in words.
    """

    name: str
    kinds: Mapping[str, Counts] = field(default_factory=dict)
    running: Mapping[str, Running] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    expected: float = 0.0
    unknown: int = 0
    at_once: float = 1.0
    by: str = ""

    @property
    def all(self) -> Counts:
        """The counts of all kinds together."""
        counts = Counts()
        for of_kind in self.kinds.values():
            counts = counts.plus(of_kind)
        return counts

    def left(self, now: float, current: float | None = None) -> tuple[float, int]:
        """The seconds until all jobs are done, as far as that is known, and of how many jobs it is not.

        Args:
            now: by ``time.monotonic``.
            current: seconds that the one running job still takes by its own rate; None if it does not tell.
        """
        if current is not None and len(self.running) == 1:
            return self.expected + current, self.unknown
        known = [one for one in self.running.values() if one.expected is not None]
        seconds = sum(max((one.expected or 0.0) - (now - one.began), 0.0) for one in known)
        return (self.expected + seconds) / self.at_once, self.unknown + len(self.running) - len(known)
