"""The store: a folder of plain files for each finished job. It is complete or not there, and checked when it is read.

RUNS/<kind>/<key>/   job.json, result.json, and the files that the job made
RUNS/plans/          the last plan of each suite
RUNS/digests/        digests of recordings
RUNS/calibrations/   what kinds of work cost on a machine, which no record depends on
RUNS/forecasts/      what ``audiobench plan`` said last of jobs' costs, by key; records keep it
RUNS/slurm/          logs of jobs that failed in Slurm
RUNS/.partial/       unfinished work, in folders named by host, process and token; leases; checkpoints, of which the
                     damaged ones have a number at the end
RUNS/.aside/         damaged records, <kind>/<key>.N
RUNS/trackers/       what trackers write, which no record depends on
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from benchmark.store.files import clear, is_settled, move, set_aside, signature, sync
from benchmark.store.integrity import check_record, read_record, reading
from benchmark.store.job import AnyJob, Config, Job, Needs, R
from benchmark.store.leases import Lease, busy, leased
from benchmark.store.plan_file import last_plan, plan_names, plan_of, plan_path, write_plan
from registry.errors import Damaged


@dataclass(frozen=True)
class _Checked:
    signatures: list[tuple[int, ...]] | None  # of the files; None if a change might not show in them
    damage: Damaged | None


class Store:
    """Finished jobs below one folder.

    Args:
        root: it is made at the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._checked: dict[tuple[Path, bool], _Checked] = {}  # by a record's folder, and whether large files count
        self._leases: dict[str, Lease] = {}  # by the keys of the jobs that are being done here

    def folder(self, job: AnyJob) -> Path:
        """The folder of a job's results, once it is finished."""
        return self.find(job.kind, job.key)

    def find(self, kind: str, key: str) -> Path:
        """The folder of a finished job by its key."""
        return self.root / kind / key

    def done(self, job: AnyJob) -> bool:
        """Whether a job is finished, and its record whole; of large files only the size is checked."""
        return self.has(job.kind, job.key)

    def arrived(self, job: AnyJob) -> bool:
        """Whether a job that another machine may have done is finished.

        Network file systems remember for a while that a name was not there; to list its folder makes them look.
        """
        with suppress(OSError):
            list(self.folder(job).parent.iterdir())
        return self.done(job)

    def state(self, job: AnyJob) -> str:
        """How a job stands: done, damaged, blocked, or to do."""
        if self.check(job.kind, job.key, large=False):
            return "damaged"
        return "done" if self.done(job) else "blocked" if job.blocked else "to do"

    def has(self, kind: str, key: str) -> bool:
        """Whether there is a whole record; of large files only the size is checked."""
        return self.find(kind, key).exists() and self.check(kind, key, large=False) is None

    def check(self, kind: str, key: str, *, large: bool) -> Damaged | None:
        """The damage of a record, if it is there and damaged. The answer is remembered until the record changes.

        Args:
            kind: of its job.
            key: of its job.
            large: hash recordings, weights and embeddings, too.
        """
        folder = self.find(kind, key)
        if not folder.exists():
            return None
        signatures = _signatures(folder)
        for thorough in (True,) if large else (True, False):
            known = self._checked.get((folder, thorough))
            if known and known.signatures and known.signatures == signatures:
                return known.damage
        damage: Damaged | None = None
        try:
            check_record(kind, folder, large=large)
        except Damaged as error:
            damage = error
        lasting = damage or (signatures and all(map(is_settled, signatures)))
        self._checked[folder, large] = _Checked(signatures if lasting else None, damage)
        return damage

    def damaged(self) -> list[Damaged]:
        """The damage that readers of this store have met, at most one for each record."""
        of_folder = {folder: known.damage for (folder, _), known in reversed(self._checked.items()) if known.damage}
        return list(of_folder.values())

    def result(self, of_kind: type[Job[Config, Needs, R]], key: str) -> R:
        """The record of a finished job.

        Args:
            of_kind: the class of its kind.
            key: its key.

        Raises:
            Damaged: if the record is not what was written, or of another schema.
        """
        return cast(R, read_record(of_kind.kind, self.find(of_kind.kind, key)))

    @contextmanager
    def opened(self, kind: str, key: str, name: str, *, large: bool = True) -> Iterator[Path]:
        """Checks a record and opens one of its files. An error in the block, while the file is read, is damage.

        Args:
            kind: of its job.
            key: of its job.
            name: of the file.
            large: whether the block reads recordings, weights or embeddings.

        Raises:
            Damaged: if the record is not there, or not whole.
        """
        known = self.check(kind, key, large=large)
        if known:
            raise known
        folder = self.find(kind, key)
        try:
            with reading(kind, folder, name) as path:
                yield path
        except Damaged as damage:
            if folder.exists():
                self._checked[folder, True] = _Checked(_signatures(folder), damage)
            raise

    def set_aside(self, kind: str, key: str) -> Path | None:
        """Moves a damaged record away, so that it is made anew; nothing is deleted.

        Returns:
            Its new place; None if it is no longer there, or whole by now, or another run is at work on it.
        """
        with self.leased(key, None) as lease:
            folder = self.find(kind, key)
            if lease is None or not folder.exists() or self.check(kind, key, large=True) is None:
                return None
            for large in (False, True):
                self._checked.pop((folder, large), None)
            return set_aside(folder, self.aside(kind))

    def aside(self, kind: str) -> Path:
        """The folder of damaged records of a kind, or of checkpoints."""
        return self.root / ".aside" / kind

    def checkpoint(self, job: AnyJob) -> Path:
        """The path of an unfinished job's checkpoint."""
        return self.root / ".partial" / f"{job.key}.checkpoint"

    @contextmanager
    def leased(self, key: str, waiting: Callable[[str], None] | None) -> Iterator[Lease | None]:
        """Holds the lock of a job; ``waiting`` is that of ``leases.leased``."""
        lock = self._lock(key)
        lock.parent.mkdir(parents=True, exist_ok=True)
        with leased(lock, waiting) as lease:
            yield lease

    def at_work(self) -> set[str]:
        """The keys of the jobs at which a living process is at work; to know that may take the time of a lease."""
        return {lock.stem for lock in busy(self.root.glob(".partial/*.lease"))}

    def require_lease(self, job: AnyJob) -> None:
        """Asks whether a job is still this process's, inside ``writing``.

        Raises:
            Lost: if another process took it over, because this one was stopped.
        """
        self._leases[job.key].require()

    @contextmanager
    def writing(self, job: AnyJob, tell: Callable[[str], None]) -> Iterator[Path | None]:
        """A folder for a job's results. It gets the job's name when the block ends well.

        Yields None if another run on the same store has finished the job. ``tell`` gets a line if another run is at
        work on this job, so that this one waits, and if there was something damaged under the job's name.

        Raises:
            Lost: if another process took the job over, because this one was stopped: what it made is deleted.
        """
        with self.leased(job.key, lambda who: tell(f"another run is at work on it ({who}); waiting")) as lease:
            assert lease
            if self.done(job):
                yield None
                return
            self._clear(job)
            partial = lease.aside
            partial.mkdir()
            self._leases[job.key] = lease
            try:
                yield partial
                self._publish(job, partial, lease, tell)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
                del self._leases[job.key]

    def save_plan(self, name: str, plan: dict[str, Any]) -> None:
        """Stores the plan of a suite, under the suite's name and scale, and the digest of what it asks (``asked``)."""
        write_plan(self.plan_path(name, plan.get("asked", "")), plan)

    def load_plan(
        self, name: str, asked: str = "", tell: Callable[[str], None] = lambda line: None
    ) -> dict[str, Any] | None:
        """The plan of the suite with this name and digest, or of the one that was run last; None if there is no plan.

        Args:
            name: of the suite, with its scale.
            asked: digest of what the suite asks; empty for the suite that was run last.
            tell: gets a line about other suites of this name, and about plans that cannot be read.

        Raises:
            Mistake: if the plan is damaged, or of another schema.
        """
        folder = self.root / "plans"
        return plan_of(folder, name, asked, tell) if asked else last_plan(folder, name, tell)

    def has_plan(self, name: str, asked: str) -> bool:
        """Whether a suite that asks this was run, or one of its name by an older version, which stored no digest."""
        return self.plan_path(name, asked).exists() or self.plan_path(name).exists()

    def plans(self) -> list[str]:
        """The name of every suite, with its scale, that was run on this store."""
        return plan_names(self.root / "plans")

    def plan_path(self, name: str, asked: str = "") -> Path:
        """The path of a suite's plan."""
        return plan_path(self.root / "plans", name, asked)

    def _lock(self, key: str) -> Path:
        return self.root / ".partial" / f"{key}.lease"

    def _clear(self, job: AnyJob) -> None:
        """Clears away what runs left that were killed or have lost the job. The job's lock must be held."""
        for leftover in self.root.glob(f".partial/{job.key}*/"):
            if leftover != self._lock(job.key):
                clear(leftover)
        for stray in self.root.glob(f".partial/.{job.key}.checkpoint.*"):  # not written to the end
            stray.unlink(missing_ok=True)

    def _publish(self, job: AnyJob, partial: Path, lease: Lease, tell: Callable[[str], None]) -> None:
        for path in partial.iterdir():
            sync(path)
        sync(partial)
        final = self.folder(job)
        final.parent.mkdir(exist_ok=True)
        lease.require()
        if final.exists() and not self.done(job):
            tell(f"what lay under its name is no whole record, and is kept in {set_aside(final, self.aside(job.kind))}")
        try:
            if not final.exists():
                move(partial, final)
        except OSError:  # a run that has lost the job may have published it just now: that is as good
            if not self.done(job):
                raise
        sync(final.parent)
        self.checkpoint(job).unlink(missing_ok=True)


def _signatures(folder: Path) -> list[tuple[int, ...]] | None:
    """The signatures of a folder's files; None if the folder cannot be read."""
    try:
        return [signature(path.stat()) for path in sorted(folder.iterdir())]
    except OSError:
        return None


def write_json(path: Path, content: Any) -> None:
    """Readable JSON."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")
