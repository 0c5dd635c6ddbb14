"""What a page is made from, in a digest: the same digest means the same page."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from benchmark.ledger.plan import Plan
from benchmark.store.files import file_digest
from benchmark.store.job import AnyJob
from benchmark.store.store import Store

_DRAWS = ("registry", "benchmark", "leaderboard")  # code that reads records, computes figures, and writes pages
_SUFFIXES = frozenset({".py", ".jinja", ".css", ".js", ".csv"})


def origin(plan: Plan, store: Store, texts: Sequence[tuple[str, str]], plugins: Sequence[Path]) -> str:
    """A digest of a plan, of the records of all its jobs, of the suite's texts, and of the code.

    A record states the digests of its files and is checked against them, so that they are not read for this.
    """
    content = {
        "code": [_code(), *map(file_digest, plugins)],
        "plan": plan.to_json(),
        "texts": texts,
        "records": [_record(job, store) for job in plan.jobs.values()],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _record(job: AnyJob, store: Store) -> str:
    """The digest of a whole record; else how the job stands."""
    return file_digest(store.folder(job) / "result.json") if store.done(job) else store.state(job)


@cache
def _code() -> str:
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for folder in _DRAWS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in _SUFFIXES:
                digest.update(f"{path.relative_to(root).as_posix()} {file_digest(path)}\n".encode())
    return digest.hexdigest()
