"""Work of older versions, whose packs were named by the sizes of recordings: taken over where recordings are the same.

A plan knows under which key an older version kept each of its jobs. A record tells the hash of the decoded samples that
it was made from: where that is the hash of the pack that the plan names by contents, the record is the plan's. Packs
are made anew for that, which takes seconds.
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
from benchmark.store.integrity import read_json, seal
from benchmark.store.job import AnyJob
from benchmark.store.locks import Hold
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
    """Takes over what an older version left in a store.

    Args:
        plan: of a suite.
        jobs: of the plan that are needed.
        store: of the records.
        make: runs jobs: the packs that are to be compared.
        tell: is told what was taken over.

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
    """Moves the records of older versions to the keys that a plan has for them, where their recordings are the same.

    Args:
        plan: its packs are named by contents.
        store: of the records; one whose recordings changed, or of which nothing tells, is left where it is.
        packs: where the plan's packs are, and what else tells of which samples older packs were.

    Returns:
        What was taken over.
    """
    heard = _heard((store, packs))
    named = _named_by_others(plan, store)
    taken = []
    for job in plan.jobs.values():
        older = plan.older.get(job.key)
        if (
            older is None
            or job.kind == "pack"
            or not all(_is_same(plan, key, heard, packs) for key in _packs(plan, job))
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
    """The keys of all packs that a job's result rests on."""
    if job.kind == "pack":
        return {job.key}
    return {key for need in job.needs.all_keys() for key in _packs(plan, plan.jobs[need])}


def _heard(stores: Collection[Store]) -> dict[str, set[str]]:
    """By the key of a pack, the hashes of the samples that whole records of whatever suite say were in it."""
    heard = defaultdict(set)
    for store in stores:
        for kind, folder in records(store):
            if not store.has(kind, folder.name) or not (folder / "job.json").exists():
                continue
            record, needs = read_json(folder / "result.json"), read_json(folder / "job.json")["needs"]
            if kind == "pack":
                heard[folder.name].add(record["content_hash"])
                continue
            role = "corpus" if kind == "pretrain" else "pack"
            for own in (needs, record.get("older", {}).get("needs", needs)):
                heard[own[role]].add(record["data_hash"])
    return heard


def _is_same(plan: Plan, pack: str, heard: dict[str, set[str]], packs: Store) -> bool:
    """Whether all that is known of a pack's older form says that it held the same samples."""
    if pack not in plan.older:
        return True
    if not packs.done(plan.jobs[pack]):
        return False
    return heard.get(plan.older[pack]) == {packs.result(PackJob, pack).content_hash}


def _has_weights(plan: Plan, job: AnyJob, store: Store, older: str) -> bool:
    """Whether weights that an older version did not name in full must be those that the plan names."""
    if isinstance(job, EvaluateJob):
        weights = model_of(job, plan.jobs)[0].weights
    elif isinstance(job, EmbedJob):
        weights = job.config.weights
    else:
        return True
    by_version = store.result(type(job), older).environment.versions.get("timm")
    return "model" not in weights.stated or by_version == version("timm")


def _move(plan: Plan, job: AnyJob, store: Store, *, keep: bool) -> None:
    """A record under its new key; ``keep`` leaves it under the older one, too, at no cost but that of its name."""
    older = plan.older[job.key]
    folder = store.find(job.kind, older)
    record = {name: own for name, own in read_json(folder / "result.json").items() if name not in ("files", "sha256")}
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
    except OSError:  # a file system without
        shutil.copy2(path, other)


def _checkpoint(older: str, job: AnyJob, store: Store) -> Path:
    return store.checkpoint(job).with_name(f"{older}.checkpoint")


def _move_checkpoint(job: AnyJob, older: str, store: Store) -> None:
    """Has an unfinished pretraining go on under its new key."""
    path, new = _checkpoint(older, job, store), store.checkpoint(job)
    if path.exists() and not new.exists() and not store.done(job):
        with store.locked(older, None) as hold:
            if hold != Hold.THEIRS:
                path.rename(new)


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
    """Deletes the plan that an older version stored by this one's name alone, if this one has all its results."""
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
    """Whether an older version's result is not there, or there under its new key as well."""
    return store.done(job) or not store.has(job.kind, older)
