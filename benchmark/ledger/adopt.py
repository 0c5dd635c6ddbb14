"""Takes over the records of older versions, which named packs by the sizes of recordings, not by their contents.

A plan knows the key under which an older version kept each of its jobs. A record contains the hash of the decoded
samples that it was made from. If this is also the hash of the plan's pack, the record becomes the plan's. Packs are
made anew for this comparison, which takes seconds.
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmark.jobs.embed import EmbedJob
from benchmark.jobs.evaluate import EvaluateJob, model_of
from benchmark.jobs.pack import PackJob
from benchmark.ledger.plan import Plan
from benchmark.ledger.upkeep import Surplus, delete, records
from benchmark.store.files import move
from benchmark.store.integrity import read_json, seal
from benchmark.store.job import AnyJob
from benchmark.store.plan_file import read_plan
from benchmark.store.store import Store, write_json
from registry.errors import Mistake


def take_over(
    plan: Plan,
    jobs: Sequence[AnyJob],
    store: Store,
    make: Callable[[list[AnyJob]], object],
    tell: Callable[[str], None],
) -> bool:
    """Takes over the results that an older version left in a store.

    Args:
        plan: of a suite.
        jobs: those of the plan that are needed.
        store: of the records.
        make: runs jobs: the packs that must be compared.
        tell: gets a line that says how many results were taken over.

    Returns:
        Whether other jobs are needed now.
    """
    left = left_by_older(plan, jobs, store)
    if left:
        packs = {key for job in left for key in _packs(plan, job)}
        make([job for job in jobs if job.key in packs and not job.blocked])
        taken = adopt(plan, store, store)
        if taken:
            tell(f"{len(taken)} results of an older audiobench are of the same recordings, and were taken over")
    _forget_plan(plan, store)
    return bool(left)


def adopt(plan: Plan, store: Store, packs: Store) -> list[AnyJob]:
    """Moves the records of older versions to the plan's keys, where their recordings are the same.

    Args:
        plan: its packs are named by contents.
        store: of the records. A record stays where it is if its recordings changed, or if no record states their hash.
        packs: the store with the plan's packs; its other records may state the hashes of older packs, too.

    Returns:
        The jobs whose records were taken over.
    """
    hashes = _hashes((store, packs))
    named = _named_by_others(plan, store)
    taken = []
    for job in plan.jobs.values():
        older = plan.older.get(job.key)
        if (
            older is None
            or job.kind == "pack"
            or not all(_is_same(plan, key, hashes, packs) for key in _packs(plan, job))
        ):
            continue
        _move_checkpoint(job, older, store)
        if store.done(job) or not store.has(job.kind, older):
            continue
        if _has_weights(plan, job, store, older):
            _move(plan, job, store, keep=older in named)
            taken.append(job)
    return taken


def left_by_older(plan: Plan, jobs: Sequence[AnyJob], store: Store) -> list[AnyJob]:
    """Those of a plan's jobs that an older version may have done."""
    return [job for job in jobs if _is_left(plan, job, store)]


def _is_left(plan: Plan, job: AnyJob, store: Store) -> bool:
    older = plan.older.get(job.key)
    if older is None or job.kind == "pack" or store.done(job):
        return False
    return store.has(job.kind, older) or _checkpoint(older, job, store).exists()


def _packs(plan: Plan, job: AnyJob) -> set[str]:
    """The keys of all packs that a job's result depends on."""
    if job.kind == "pack":
        return {job.key}
    return {key for need in job.needs.all_keys() for key in _packs(plan, plan.jobs[need])}


def _hashes(stores: Collection[Store]) -> dict[str, set[str]]:
    """For the key of each pack, the hashes of its samples that undamaged records of any suite state."""
    hashes = defaultdict(set)
    for store in stores:
        for kind, folder in records(store):
            if not store.has(kind, folder.name) or not (folder / "job.json").exists():
                continue
            record, needs = read_json(folder / "result.json"), read_json(folder / "job.json")["needs"]
            if kind == "pack":
                hashes[folder.name].add(record["content_hash"])
                continue
            role = "corpus" if kind == "pretrain" else "pack"
            for keys in (needs, record.get("older", {}).get("needs", needs)):
                hashes[keys[role]].add(record["data_hash"])
    return hashes


def _is_same(plan: Plan, pack: str, hashes: dict[str, set[str]], packs: Store) -> bool:
    """Whether the older pack had the same samples: the records must state one hash for it, that of the new pack."""
    if pack not in plan.older:
        return True
    if not packs.done(plan.jobs[pack]):
        return False
    return hashes.get(plan.older[pack]) == {packs.result(PackJob, pack).content_hash}


def _has_weights(plan: Plan, job: AnyJob, store: Store, older: str) -> bool:
    """Whether a record used the weights that the plan names. Older versions did not name timm's weights in full."""
    if isinstance(job, EvaluateJob):
        weights = model_of(job, plan.jobs)[0].weights
    elif isinstance(job, EmbedJob):
        weights = job.config.weights
    else:
        return True
    by_version = store.result(type(job), older).environment.versions.get("timm")
    return "model" not in weights.stated or by_version == version("timm")


def _move(plan: Plan, job: AnyJob, store: Store, *, keep: bool) -> None:
    """Puts a record under its new key; ``keep`` also leaves it under the older one, as links, which need no space."""
    older = plan.older[job.key]
    folder = store.find(job.kind, older)
    stored = read_json(folder / "result.json")
    record = {name: value for name, value in stored.items() if name not in ("files", "sha256")}
    record |= {"key": job.key, "older": {"key": older, "needs": plan.older_needs(job)}}
    with store.writing(job, lambda what: None) as partial:
        if partial is None:
            return
        for path in folder.iterdir():
            if path.name not in ("job.json", "result.json"):
                _link(path, partial / path.name)
        write_json(partial / "job.json", job.to_json())
        write_json(partial / "result.json", seal(record, partial))
    if not keep:
        delete(store, Surplus("taken over", folder, older))


def _link(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:  # this file system has no links
        shutil.copy2(path, other)


def _checkpoint(older: str, job: AnyJob, store: Store) -> Path:
    return store.checkpoint(job).with_name(f"{older}.checkpoint")


def _move_checkpoint(job: AnyJob, older: str, store: Store) -> None:
    """Lets an unfinished pretraining go on under its new key."""
    path, new = _checkpoint(older, job, store), store.checkpoint(job)
    if path.exists() and not new.exists() and not store.done(job):
        with store.leased(older, None) as lease:
            if lease:
                move(path, new)


def _named_by_others(plan: Plan, store: Store) -> set[str]:
    """The keys that other stored plans name."""
    named: set[str] = set()
    for path in (store.root / "plans").glob("*.json"):
        if path != store.plan_path(plan.name):
            try:
                named |= Plan.from_json(read_plan(path)["plan"]).jobs.keys()
            except Mistake:
                continue  # only a cache
    return named


def _forget_plan(plan: Plan, store: Store) -> None:
    """Deletes the plan that an older version stored under the same name, if the new plan has all its results."""
    path = store.plan_path(plan.name)
    if not path.exists():
        return
    try:
        rows = read_plan(path)["plan"]["rows"]
    except Mistake:
        return
    new = {older: key for key, older in plan.older.items()} | {key: key for key in plan.jobs}
    has = [row["key"] in new and _is_here(plan.jobs[new[row["key"]]], row["key"], store) for row in rows]
    if all(has):
        path.unlink()


def _is_here(job: AnyJob, older: str, store: Store) -> bool:
    """Whether the result is there under its new key, or was not there under the older one."""
    return store.done(job) or not store.has(job.kind, older)
