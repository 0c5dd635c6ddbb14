"""Finished jobs with their records, as they lie in a store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmark.ledger.upkeep import records
from benchmark.store.integrity import read_json, read_record, reading
from benchmark.store.job import AnyJob, Job, Record
from benchmark.store.store import Store
from registry.errors import Damaged


@dataclass(frozen=True)
class Finished:
    """A finished job and what it states.

    Args:
        job: its kind, settings, and the keys of the jobs whose results it used.
        record: the record of its kind, such as ``benchmark.jobs.evaluate.Record``, with its costs and environment.
    """

    job: AnyJob
    record: Record


def finished(store: Store, kind: str | None, tell: Callable[[str], None]) -> Iterator[Finished]:
    """The finished jobs of a store, by kind and key. The files beside the records are not read.

    Args:
        store: of the records.
        kind: of the jobs, such as ``evaluate``; None for all.
        tell: gets a line for each record that is damaged, and is left out.
    """
    for of_kind, folder in records(store):
        if kind not in (None, of_kind):
            continue
        try:
            with reading(of_kind, folder, "job.json") as path:
                job = Job.from_json(read_json(path))
            yield Finished(job, read_record(of_kind, folder))
        except Damaged as damage:
            tell(str(damage))
