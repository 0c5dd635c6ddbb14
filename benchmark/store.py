"""The store: one folder a finished job, plain files, complete or not there.

RUNS/<kind>/<key>/   job.json  result.json  and what the job made
RUNS/plans/          what each suite asked for last
RUNS/digests/        what recordings held when they were last read
RUNS/.partial/       work under way, and checkpoints
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.files import sync
from benchmark.job import Job, Kind
from benchmark.migrate import migrate
from benchmark.plan_file import last_plan, plan_names, plan_of, plan_path, write_plan
from registry.errors import Mistake


class Store:
    """Finished jobs below one folder.

    Args:
        root: made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, job: Job) -> Path:
        """Where a job's results are, once it is finished."""
        return self.find(job.kind, job.key)

    def find(self, kind: str, key: str) -> Path:
        """The folder of a finished job by its key."""
        return self.root / kind / key

    def done(self, job: Job) -> bool:
        """Whether a job is finished."""
        return (self.folder(job) / "result.json").exists()

    def result(self, kind: Kind, key: str) -> dict[str, Any]:
        """The record of a finished job, with every field of today.

        Raises:
            Mistake: if it is of another schema.
        """
        return _read(kind, self.find(kind, key) / "result.json")

    def checkpoint(self, job: Job) -> Path:
        """Where an unfinished job may keep its checkpoint."""
        return self.root / ".partial" / f"{job.key}.checkpoint"

    @contextmanager
    def writing(self, job: Job, waiting: Callable[[], None]) -> Iterator[Path | None]:
        """A folder to write a job's results into; it appears under the job's name when the block ends well.

        Yields None where the job turns out to be finished, by another run on the same store. ``waiting`` is called when
        another run is at work on this very job; its end is waited for.
        """
        partial = self.root / ".partial"
        partial.mkdir(parents=True, exist_ok=True)
        with (partial / f"{job.key}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            if self.done(job):
                yield None
                return
            aside = partial / job.key
            shutil.rmtree(aside, ignore_errors=True)  # what a killed run left
            aside.mkdir()
            try:
                yield aside
            except BaseException:
                shutil.rmtree(aside, ignore_errors=True)
                raise
            self._publish(job, aside)

    def save_plan(self, name: str, plan: dict[str, Any]) -> None:
        """Keeps what a suite asked for, under its name and scale and the digest of what it asks (``asked``)."""
        write_plan(self.plan_path(name, plan.get("asked", "")), plan)

    def load_plan(
        self, name: str, asked: str = "", tell: Callable[[str], None] = lambda line: None
    ) -> dict[str, Any] | None:
        """What the suite of a name asked for that was run last; or the one that asks this; or None.

        Args:
            name: the suite's, with its scale.
            asked: digest of what the suite asks; empty for whichever was run last.
            tell: is told of other suites of this name, and of what cannot be read.

        Raises:
            Mistake: if it is damaged, or of another schema.
        """
        folder = self.root / "plans"
        return plan_of(folder, name, asked, tell) if asked else last_plan(folder, name, tell)

    def has_plan(self, name: str, asked: str) -> bool:
        """Whether a suite that asks this was run, or one of its name by an older version, which did not tell."""
        return self.plan_path(name, asked).exists() or self.plan_path(name).exists()

    def plans(self) -> list[str]:
        """The names of every suite, with its scale, that was run on this store."""
        return plan_names(self.root / "plans")

    def plan_path(self, name: str, asked: str = "") -> Path:
        """Where the plan of a suite lies."""
        return plan_path(self.root / "plans", name, asked)

    def _publish(self, job: Job, aside: Path) -> None:
        for path in aside.iterdir():
            sync(path)
        sync(aside)
        final = self.folder(job)
        final.parent.mkdir(exist_ok=True)
        os.replace(aside, final)  # noqa: PTH105 - a folder, in one step
        sync(final.parent)
        self.checkpoint(job).unlink(missing_ok=True)


def _read(kind: Kind, path: Path) -> dict[str, Any]:
    try:
        return migrate(kind, json.loads(path.read_text()))
    except Mistake as mistake:
        raise Mistake(mistake.what, where=str(path), fix=mistake.fix) from None


def write_json(path: Path, content: Any) -> None:
    """Readable JSON."""
    path.write_text(json.dumps(content, indent=1) + "\n")
