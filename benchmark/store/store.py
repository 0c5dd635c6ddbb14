"""The store: a folder of plain files for each finished job. It is complete or not there, and checked when it is read.

RUNS/<kind>/<key>/   job.json, result.json, and the files that the job made; NAME.elsewhere for one that lies elsewhere
RUNS/plans/          the last plan of each suite
RUNS/digests/        digests of recordings
RUNS/whole.json      which records were found whole, so that only changed ones are checked again, and notes on them
RUNS/leaderboards/   what ``run`` writes for people, and the answers of commands, which hold until something changes
RUNS/calibrations/   what kinds of work cost on a machine, which no record depends on
RUNS/forecasts/      what ``audiobench plan`` said last of jobs' costs, by key; records keep it
RUNS/slurm/          logs of jobs that failed in Slurm
RUNS/.partial/       unfinished work, in folders named by host, process and token; leases; checkpoints, of which the
                     damaged ones have a number at the end, and which are folders of shards for packs
RUNS/.aside/         damaged records, <kind>/<key>.N
RUNS/trackers/       what trackers write, which no record depends on
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from benchmark.store.files import clear, is_settled, move, set_aside, signature, sync
from benchmark.store.found_whole import FileState, FoundWhole
from benchmark.store.integrity import check_record, read_record, reading
from benchmark.store.job import AnyJob, Config, Job, Needs, R, Record
from benchmark.store.leases import Lease, busy, leased
from benchmark.store.plan_file import last_plan, plan_names, plan_of, plan_path, plans_called, write_plan
from registry.errors import Damaged, Mistake


@dataclass
class Rest:
    """What was read of a store at rest, by kind and key."""

    checked: dict[tuple[str, str], "Checked | None"] = field(default_factory=dict)
    records: dict[tuple[str, str], Record] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """What a check of a record gave."""

    files: list[FileState] | None  # None if a change might not show in them
    damage: Damaged | None


class Store:
    """Finished jobs below one folder.

    Args:
        root: it is made at the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._checked: dict[tuple[Path, int], Checked] = {}  # by a record's folder, and how much was read: see _look
        self._whole = FoundWhole(root / "whole.json")
        self._rest: Rest | None = None
        self._leases: dict[str, Lease] = {}  # by the keys of the jobs that are being done here

    def folder(self, job: AnyJob) -> Path:
        """The folder of a job's results, once it is finished."""
        return self.find(job.kind, job.key)

    def find(self, kind: str, key: str) -> Path:
        """The folder of a finished job by its key.

        Raises:
            Mistake: if the key, which a plan or record from elsewhere may name, is none.
        """
        if not key.isalnum():
            raise Mistake(f"{key[:80]!r} is no key of a job", where=str(self.root), fix="run the suite again")
        return self.root.joinpath(kind, key)

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
        checked = self._look(kind, key, large=False)
        return checked is not None and checked.damage is None

    def check(self, kind: str, key: str, *, large: bool, elsewhere: bool = False) -> Damaged | None:
        """The damage of a record, if it is there and damaged. The answer is remembered until the record changes.

        That all but large files are whole is remembered beyond this process, once ``remember`` was called.

        Args:
            kind: of its job.
            key: of its job.
            large: hash recordings, weights and embeddings, too.
            elsewhere: fetch and hash those that lie elsewhere, too; if not, their size is asked.

        Raises:
            Unreachable: if a file lies elsewhere, and its server does not answer.
        """
        checked = self._look(kind, key, large=large, elsewhere=elsewhere)
        return checked.damage if checked else None

    def remember(self) -> None:
        """Keeps which records were found whole, if they are many, for the next process."""
        self._whole.keep()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """In the block, every record is looked at, and read, once: a change shows after the block."""
        self._rest = Rest()
        try:
            yield
        finally:
            self._rest = None

    def note(self, kind: str, key: str) -> str:
        """What was noted about a record that has not changed since; empty if nothing was."""
        return self._whole.note(kind, key) if self._is_settled(kind, key) else ""

    def add_note(self, kind: str, key: str, note: str) -> None:
        """Notes something about a whole record, in a word, to be remembered until it changes."""
        if self._is_settled(kind, key):
            self._whole.add_note(kind, key, note)

    def _is_settled(self, kind: str, key: str) -> bool:
        """Whether a record is whole, and a change would show."""
        checked = self._look(kind, key, large=False)
        return checked is not None and checked.damage is None and checked.files is not None

    def _look(self, kind: str, key: str, *, large: bool, elsewhere: bool = False) -> Checked | None:
        """What a check of a record gave; None if there is no record."""
        if self._rest is None or large or elsewhere:
            return self._look_again(kind, key, large=large, elsewhere=elsewhere)
        if (kind, key) not in self._rest.checked:
            self._rest.checked[kind, key] = self._look_again(kind, key, large=False, elsewhere=False)
        return self._rest.checked[kind, key]

    def _look_again(self, kind: str, key: str, *, large: bool, elsewhere: bool) -> Checked | None:
        folder = self.find(kind, key)
        files: list[FileState] | None = None
        try:
            files = _files(folder)
        except FileNotFoundError:
            return None
        except OSError:
            """It is no folder, or may not be read."""
        level = large + elsewhere
        for thorough in range(level, 3):
            known = self._checked.get((folder, thorough))
            if known and known.files and known.files == files:
                return known
        if files and not large and self._whole.has(kind, key, files):
            return Checked(files, None)
        damage: Damaged | None = None
        try:
            check_record(kind, folder, large=large, elsewhere=elsewhere)
        except Damaged as error:
            damage = error
        settled = files is not None and all(is_settled(state) for _, state in files)
        checked = Checked(files if damage or settled else None, damage)
        if files is not None and settled and not damage:
            self._whole.add(kind, key, files)
        if damage or large:
            self._checked[folder, level] = checked
        return checked

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
        kind = of_kind.kind
        if self._rest is None:
            return cast(R, read_record(kind, self.find(kind, key)))
        if (kind, key) not in self._rest.records:
            whole = self.has(kind, key)
            self._rest.records[kind, key] = read_record(kind, self.find(kind, key), found_whole=whole)
        return cast(R, self._rest.records[kind, key])

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
                self._checked[folder, True] = Checked(_files(folder), damage)
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
            for level in range(3):
                self._checked.pop((folder, level), None)
            return set_aside(folder, self.aside(kind))

    def aside(self, kind: str) -> Path:
        """The folder of damaged records of a kind, or of checkpoints."""
        return self.root / ".aside" / kind

    def checkpoint(self, job: AnyJob) -> Path:
        """The path of an unfinished job's checkpoint: a file of a pretraining, a folder of shards of a pack."""
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

    def has_one_plan(self, name: str) -> bool:
        """Whether one suite alone of this name, with its scale, was run."""
        return len(plans_called(self.root / "plans", name)) == 1

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
            if leftover not in (self._lock(job.key), self.checkpoint(job)):
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
        if self.checkpoint(job).is_dir():
            clear(self.checkpoint(job))
        else:
            self.checkpoint(job).unlink(missing_ok=True)


def _files(folder: Path) -> list[FileState]:
    """The names and signatures of a folder's files, sorted."""
    with os.scandir(folder) as entries:
        return sorted((entry.name, signature(os.stat(entry.path))) for entry in entries)  # noqa: PTH116 - thousands


def write_json(path: Path, content: Any) -> None:
    """Readable JSON of a record.

    Raises:
        ValueError: if it contains a number that is not finite: its reader would refuse it.
    """
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8", newline="\n")
