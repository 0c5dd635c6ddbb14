"""What older records and plans lack, filled in one place, so that whoever reads them finds every field.

A schema's number changes when a field changes its meaning or goes: such records are not read. A field that is new
within a schema is filled here with what it would have said before there was anything to tell.
"""

from typing import Any

from benchmark.store.job import RECORD_SCHEMA
from registry.errors import Mistake

PLAN_SCHEMA = 1

_NEW_FIELDS: dict[str, dict[str, Any]] = {
    "pack": {"missing": 0, "multi_label": False, "samples": "int16"},
    "evaluate": {
        "metric": "accuracy",
        "classes": (),
        "labels_seen_in_pretraining": False,
        "missing": 0,
        "embedding": None,
        "weights_sha256": None,
    },
    "embed": {"weights_sha256": None},
}


def migrate(kind: str, record: dict[str, Any]) -> dict[str, Any]:
    """A record of some kind of job, or a stored plan (``plan``), with every field of today.

    A plan that names no schema is of the first: the earliest ones named none.

    Raises:
        Mistake: if it is of another schema, with which of the two audiobenches is the older one.
    """
    known = PLAN_SCHEMA if kind == "plan" else RECORD_SCHEMA
    found = record.get("schema", 1 if kind == "plan" else None)
    if found == known and kind == "plan":
        return _plan(record)
    if found == known:
        return {**_NEW_FIELDS.get(kind, {}), **(_pack(record) if kind == "pack" else record)}
    what = f"a {'plan' if kind == 'plan' else 'record'} of schema {found}, and this version reads {known}"
    if isinstance(found, int) and found > known:
        raise Mistake(f"{what}: it was written by a newer audiobench", fix="update audiobench")
    again = "" if kind == "plan" else " in another folder: --runs DIR"
    raise Mistake(f"{what}: it was written by an older audiobench", fix=f"run the suite again{again}")


def _pack(record: dict[str, Any]) -> dict[str, Any]:
    """An earlier pack's ``seconds`` are of audio; how long its job took was not kept."""
    if "audio_seconds" in record or "seconds" not in record:
        return record
    rest = {name: value for name, value in record.items() if name != "seconds"}
    return {**rest, "audio_seconds": record["seconds"]}


def _plan(record: dict[str, Any]) -> dict[str, Any]:
    if "plan" not in record:
        return record
    facts = record["plan"]["facts"]
    every_fold = {task: len(folds) for task, folds in facts["tasks"].items()}  # earlier suites could not ask for fewer
    facts = {"controls": {}, "official_folds": every_fold, **facts}
    if "folds" in facts.get("class_wise", {}):
        facts["class_wise"] = facts["class_wise"]["folds"]  # beside them stood the classes, which records tell now
    return {**record, "plan": {"texts": [], "older": {}, **record["plan"], "facts": facts}}
