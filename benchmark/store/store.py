"""The store: one folder a finished job, plain files, complete or not there, and checked when they are read.

RUNS/<kind>/<key>/   job.json  result.json  and what the job made
RUNS/plans/          what each suite asked for last
RUNS/digests/        what recordings held when they were last read
RUNS/.partial/       work under way, locks, checkpoints, and damaged ones with a number behind
RUNS/.aside/         what was damaged, <kind>/<key>.N
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, cast

from benchmark.store.files import is_settled, move, set_aside, signature, sync
from benchmark.store.integrity import check_record, read_record, reading
from benchmark.store.job import AnyJob, Config, Job, Needs, R
from benchmark.store.locks import Hold, locked
from benchmark.store.plan_file import last_plan, plan_names, plan_of, plan_path, write_plan
from registry.errors import Damaged


@dataclass(frozen=True)
class _Checked:
    looks: list[tuple[int, ...]] | None  # of the files; None where a change might not show
    damage: Damaged | None


class Store:
    """Finished jobs below one folder.

    Args:
        root: made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._checked: dict[tuple[Path, bool], _Checked] = {}  # by a record's folder, and whether large files were read

    def folder(self, job: AnyJob) -> Path:
        """Where a job's results are, once it is finished."""
        return self.find(job.kind, job.key)

    def find(self, kind: str, key: str) -> Path:
        """The folder of a finished job by its key."""
        return self.root / kind / key

    def done(self, job: AnyJob) -> bool:
        """Whether a job is finished, and what it left is whole; of large files only the size is looked at."""
        return self.has(job.kind, job.key)

    def has(self, kind: str, key: str) -> bool:
        """Whether there is a whole record; of large files only the size is looked at."""
        return self.find(kind, key).exists() and self.check(kind, key, large=False) is None

    def check(self, kind: str, key: str, *, large: bool) -> Damaged | None:
        """What is wrong with a record, if it is there; whoever asks again is answered from memory.

        Args:
            kind: of its job.
            key: of its job.
            large: hash recordings, weights and embeddings, too.
        """
        folder = self.find(kind, key)
        if not folder.exists():
            return None
        looks = _looks(folder)
        for thorough in (True,) if large else (True, False):
            known = self._checked.get((folder, thorough))
            if known and known.looks and known.looks == looks:
                return known.damage
        found: Damaged | None = None
        try:
            check_record(kind, folder, large=large)
        except Damaged as damage:
            found = damage
        lasting = found or (looks and all(map(is_settled, looks)))
        self._checked[folder, large] = _Checked(looks if lasting else None, found)
        return found

    def damaged(self) -> list[Damaged]:
        """What readers of this store came upon, of each record the first."""
        found = {folder: known.damage for (folder, _), known in reversed(self._checked.items()) if known.damage}
        return list(found.values())

    def result(self, of_kind: type[Job[Config, Needs, R]], key: str) -> R:
        """The record of a finished job.

        Args:
            of_kind: the class of its kind.
            key: its key.

        Raises:
            Damaged: if it is not what was written, or of another schema.
        """
        return cast(R, read_record(of_kind.kind, self.find(of_kind.kind, key)))

    @contextmanager
    def opened(self, kind: str, key: str, name: str, *, large: bool = True) -> Iterator[Path]:
        """A file of a record, to be read in this block: the record is checked, and what fails there is damage.

        Args:
            kind: of its job.
            key: of its job.
            name: of the file.
            large: whether recordings, weights or embeddings are read.

        Raises:
            Damaged: if it is not there, or not whole.
        """
        found = self.check(kind, key, large=large)
        if found:
            raise found
        folder = self.find(kind, key)
        try:
            with reading(kind, folder, name) as path:
                yield path
        except Damaged as damage:
            if folder.exists():
                self._checked[folder, True] = _Checked(_looks(folder), damage)
            raise

    def set_aside(self, kind: str, key: str) -> Path | None:
        """Moves a damaged record out of the way, so that it is made anew; nothing is deleted.

        Returns:
            Where it lies now; None if it is no longer there, or whole by now, or another run is at work on it.
        """
        with self.locked(key, None) as hold:
            folder = self.find(kind, key)
            if hold == Hold.THEIRS or not folder.exists() or self.check(kind, key, large=True) is None:
                return None
            for large in (False, True):
                self._checked.pop((folder, large), None)
            return set_aside(folder, self.aside(kind))

    def aside(self, kind: str) -> Path:
        """Where damaged records of a kind, or checkpoints, are kept."""
        return self.root / ".aside" / kind

    def checkpoint(self, job: AnyJob) -> Path:
        """Where an unfinished job may keep its checkpoint."""
        return self.root / ".partial" / f"{job.key}.checkpoint"

    @contextmanager
    def locked(self, key: str, waiting: Callable[[], None] | None, *, keep: bool = True) -> Iterator[Hold]:
        """Holds the lock of a job, with ``waiting`` and ``keep`` as of any lock."""
        partial = self.root / ".partial"
        partial.mkdir(parents=True, exist_ok=True)
        with locked(partial / f"{key}.lock", waiting, keep=keep) as hold:
            yield hold

    @contextmanager
    def writing(self, job: AnyJob, tell: Callable[[str], None]) -> Iterator[Path | None]:
        """A folder to write a job's results into; it appears under the job's name when the block ends well.

        Yields None where the job turns out to be finished, by another run on the same store. ``tell`` is called when
        another run is at work on this very job, whose end is waited for, and of what lay under the job's name.
        """
        with self.locked(job.key, lambda: tell("another run is at work on it; waiting")) as hold:
            if self.done(job):
                yield None
                return
            if hold == Hold.OURS:
                for left in self.root.glob(f".partial/{job.key}*/"):  # of a killed run
                    shutil.rmtree(left, ignore_errors=True)
            partial = self.root / ".partial" / f"{job.key}.{os.getpid()}.{token_hex(4)}"
            partial.mkdir()
            try:
                yield partial
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            self._publish(job, partial, tell)

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

    def _publish(self, job: AnyJob, partial: Path, tell: Callable[[str], None]) -> None:
        for path in partial.iterdir():
            sync(path)
        sync(partial)
        final = self.folder(job)
        final.parent.mkdir(exist_ok=True)
        if self.done(job):  # by another run, where locks do nothing
            shutil.rmtree(partial)
            return
        if final.exists():
            tell(f"what lay under its name is no whole record, and is kept in {set_aside(final, self.aside(job.kind))}")
        move(partial, final)
        sync(final.parent)
        self.checkpoint(job).unlink(missing_ok=True)


def _looks(folder: Path) -> list[tuple[int, ...]] | None:
    """What tells one state of a folder's files from another; None where it cannot be looked into."""
    try:
        return [signature(path.stat()) for path in sorted(folder.iterdir())]
    except OSError:
        return None


def write_json(path: Path, content: Any) -> None:
    """Readable JSON."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")
