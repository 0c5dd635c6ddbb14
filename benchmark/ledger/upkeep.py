"""Checks and cleans a whole store: finds what is damaged, and what nobody uses."""

import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.jobs import KINDS
from benchmark.ledger.plan import Plan
from benchmark.memory import shortage
from benchmark.store.files import move, set_aside
from benchmark.store.integrity import is_sealed, read_json
from benchmark.store.plan_file import read_plan
from benchmark.store.store import Store
from registry.errors import Damaged, Mistake
from registry.tensors import carries_digest, read_tensors

_STRAY = re.compile(r"\..+\.\d+")  # the name that ``replace_file`` gives to an unfinished file
_STRAY_SECONDS = 3600.0  # no file takes so long to write. A process id says nothing: it may be another machine's


@dataclass
class Condition:
    """The condition of everything in a store.

    Args:
        looked_at: how many records, plans and checkpoints there are.
        damaged: what is wrong, and where.
        unknown: records and checkpoints of earlier versions, without digests; their figures and format are right.
    """

    looked_at: dict[str, int] = field(default_factory=lambda: {"records": 0, "plans": 0, "checkpoints": 0})
    damaged: list[Mistake] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)


def examine(store: Store) -> Condition:
    """Reads every record, plan and checkpoint of a store."""
    condition = Condition()
    for kind, folder in records(store):
        condition.looked_at["records"] += 1
        damage = store.check(kind, folder.name, large=True, elsewhere=True)
        if damage:
            condition.damaged.append(damage)
        elif not is_sealed(read_json(folder / "result.json")):
            condition.unknown.append(folder)
    for path in _plans(store):
        condition.looked_at["plans"] += 1
        try:
            read_plan(path)
        except Mistake as mistake:
            condition.damaged.append(mistake)
    for path in sorted(store.root.glob(".partial/*.checkpoint")):
        condition.looked_at["checkpoints"] += 1
        if path.is_dir():
            continue  # shards of a pack: packing compares them with their digests before it goes on
        try:
            _, metadata = read_tensors(path)
            known = carries_digest(path)
            if "step" not in metadata or metadata.get("of", path.name) != path.name:
                raise Damaged(f"{path.name} is of another pretraining, or of none", path)
        except FileNotFoundError:
            continue  # its pretraining ended just now
        except Exception as error:  # of any kind, as with records: the bytes may be anything
            if shortage(error):
                raise
            what = error.what if isinstance(error, Mistake) else f"{path.name} cannot be read: {error}"
            condition.damaged.append(Damaged(what, path, "run the suite again: the pretraining begins anew"))
        else:
            condition.unknown += [] if known else [path]
    return condition


def put_aside(store: Store, damage: Mistake) -> Path | None:
    """Sets something damaged aside, and returns its new place; None if it is in use, or only of another version."""
    if not isinstance(damage, Damaged):
        return None
    if damage.key:
        return store.set_aside(damage.kind, damage.key)
    path = Path(damage.where)
    if path.suffix != ".checkpoint":
        return set_aside(path, store.aside("plans"))
    with store.leased(path.stem, None) as lease:
        return set_aside(path, store.aside("checkpoint")) if lease else None


@dataclass(frozen=True)
class Surplus:
    """Something in a store that nobody uses.

    Args:
        why: the reason, in words.
        path: of a file or a folder.
        key: of the job whose lock must be free; empty if there is no such job.
    """

    why: str
    path: Path
    key: str = ""

    @property
    def size(self) -> int:
        """Bytes."""
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())


def surplus(store: Store, tell: Callable[[str], None]) -> list[Surplus]:
    """Lists what nobody needs.

    That is: half-done work, checkpoints and locks of jobs that no process works on; files and folders that were set
    aside; results that no plan asks for any more; and files that were not written to the end. Processes on other
    machines are watched for up to a minute, to see whether they live.

    Args:
        store: nothing in it is changed.
        tell: gets a line if all results must be kept, because a plan cannot be read or there is none.
    """
    aside = [Surplus("set aside", path) for path in sorted(store.root.glob(".aside/*/*"))]
    at_work = store.at_work()
    return [*_partial(store, at_work), *aside, *_unasked(store, at_work, tell), *_unfinished(store)]


def delete(store: Store, item: Surplus) -> bool:
    """Deletes an item, unless a process is at work on its job by now; returns whether it was deleted."""
    if not item.key:
        _remove(item.path)
        return True
    with store.leased(item.key, None) as lease:
        if lease is None:
            return False
        gone = item.path
        if gone == lease.path:
            return True  # it is this process's now, and goes at the end
        if gone.is_dir():  # it is moved first, so that a record is never half there
            gone = store.root / ".partial" / f"{item.key}.gone"
            move(item.path, gone)
        _remove(gone)
    return True


def records(store: Store) -> Iterator[tuple[str, Path]]:
    """The kind and the folder of every finished job."""
    for kind in KINDS:
        yield from ((kind, folder) for folder in sorted(store.root.glob(f"{kind}/*")) if folder.is_dir())


def _partial(store: Store, at_work: Collection[str]) -> Iterator[Surplus]:
    for path in sorted(store.root.glob(".partial/*")):
        key = path.name.removeprefix(".").split(".")[0]
        if key not in at_work:
            yield Surplus(_why(path.name), path, key)


def _why(name: str) -> str:
    """What a name below ``.partial`` stands for."""
    if ".lease" in name or name.endswith(".lock"):  # of earlier versions
        return "lock of a job that nobody works on"
    if name.endswith(".checkpoint"):
        return "checkpoint of an unfinished job"
    return "set aside" if ".checkpoint." in name and not name.startswith(".") else "half-done work"


def _unasked(store: Store, at_work: Collection[str], tell: Callable[[str], None]) -> Iterator[Surplus]:
    asked: set[str] = set()
    try:
        for path in _plans(store):
            asked |= Plan.from_json(read_plan(path)["plan"]).jobs.keys()
    except Mistake as mistake:
        tell(f"Results are all kept, since a plan that may ask for them cannot be read:\n{mistake}")
        return
    if not asked:
        tell("Results are all kept, since there is no plan to tell which are asked for.")
        return
    for _, folder in records(store):
        if folder.name not in asked and folder.name not in at_work:
            yield Surplus("result that no plan asks for", folder, folder.name)


def _plans(store: Store) -> list[Path]:
    """Every stored plan, of any suite: a result is needed as long as one plan asks for it."""
    return sorted(store.root.glob("plans/*.json"))


def _unfinished(store: Store) -> Iterator[Surplus]:
    now = time.time()
    for path in sorted(store.root.rglob(".*")):
        inside = path.relative_to(store.root).parts[0]
        stray = _STRAY.fullmatch(path.name) and path.is_file() and inside not in (".partial", ".aside")
        if stray and now - path.stat().st_mtime > _STRAY_SECONDS:
            yield Surplus("file that was not written to the end", path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
