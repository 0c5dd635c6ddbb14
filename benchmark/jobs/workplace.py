"""The workplace of jobs: what they use besides their settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmark.progress import Progress
from benchmark.store.job import AnyJob
from benchmark.store.store import Store
from benchmark.trackers import UNTRACKED, Scalars, Tracking

if TYPE_CHECKING:
    from benchmark.jobs.group import Group
    from benchmark.jobs.model import Device


def _alone() -> "Group":
    from benchmark.jobs.group import Group

    return Group()


@dataclass(frozen=True)
class Workplace:
    """What jobs use besides their settings; none of it changes a figure.

    Args:
        store: of the results.
        data: the folder of data sets.
        jobs: of the plan, by key.
        files: paths of weights, files or folders, by what names them in keys.
        device: where to compute.
        progress: shows how far a job is.
        skip_bad: leave unusable recordings out instead of stopping.
        tracking: gets the scalars of jobs.
        group: of the processes that do a job together.
    """

    store: Store
    data: Path | None
    jobs: Mapping[str, AnyJob]
    files: Mapping[str, str]
    device: "Device"
    progress: Progress
    skip_bad: bool
    tracking: Tracking = UNTRACKED
    group: "Group" = field(default_factory=_alone)

    def told(self, status: str, epoch: int = 0, scalars: Scalars = MappingProxyType({}), /) -> None:
        """Hands on how far a protocol is: the sentence to the progress, and the scalars of an epoch to the trackers."""
        self.progress.advance(1, status)
        if scalars:
            self.tracking.scalars(epoch, scalars)
