"""What older records lack, filled in one place, so that whoever reads them finds every field.

A schema's number changes when a field changes its meaning or goes: such records, and plans, are not read. A field that
is new within a schema is filled here with what it would have said before there was anything to tell; one of a plan
where plans are read, in ``benchmark.ledger``.
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
    """A record of some kind of job with every field of today, or a stored plan (``plan``) as it is.

    A plan that names no schema is of the first: the earliest ones named none.

    Raises:
        Mistake: if it is of another schema, with which of the two audiobenches is the older one.
    """
    known = PLAN_SCHEMA if kind == "plan" else RECORD_SCHEMA
    found = record.get("schema", 1 if kind == "plan" else None)
    if found == known:
        return {**_NEW_FIELDS.get(kind, {}), **record}
    what = f"a {'plan' if kind == 'plan' else 'record'} of schema {found}, and this version reads {known}"
    if isinstance(found, int) and found > known:
        raise Mistake(f"{what}: it was written by a newer audiobench", fix="update audiobench")
    again = "" if kind == "plan" else " in another folder: --runs DIR"
    raise Mistake(f"{what}: it was written by an older audiobench", fix=f"run the suite again{again}")
