"""Plans: the jobs of a suite and the cells of its leaderboard.

A plan is plain data and is kept beside the records, so that a finished suite is recognised, and its leaderboard
written, without loading torch: nothing here imports it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from benchmark.jobs.evaluate import EvaluateJob, pretraining_of
from benchmark.jobs.pack import PackJob
from benchmark.ledger.facts import SuiteFacts
from benchmark.store.job import AnyJob, Job, key_of
from registry.errors import Mistake
from registry.lookup import nearest


@dataclass(frozen=True)
class Row:
    """One cell of a leaderboard: which job's record fills it."""

    entry: str
    task: str
    protocol: str
    seed: int
    key: str
    draw: int = 0  # of the training clips, where they are a few of each class


@dataclass
class Plan:
    """The jobs of a suite, in an order in which they can run, and the cells they fill.

    ``facts`` is what a leaderboard needs to know of the suite; ``files`` maps the SHA-256 of a weight file, which
    stands in keys, to its path, which does not; ``texts`` are the suite's files, by name, as they were read;
    ``older`` is under which key older versions kept a job, where that is another.
    """

    name: str
    facts: SuiteFacts
    jobs: dict[str, AnyJob] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    texts: list[tuple[str, str]] = field(default_factory=list)
    older: dict[str, str] = field(default_factory=dict)

    def add(self, job: AnyJob, older: Mapping[str, Any] = MappingProxyType({})) -> str:
        """Adds a job once, and returns its key; ``older`` is what older versions had in its configuration instead."""
        self.jobs.setdefault(job.key, job)
        config = {**job.config.canonical(), **older}
        if "model" in config.get("weights", {}):
            config["weights"] = {name: own for name, own in config["weights"].items() if name != "model"}
        before = key_of(job.kind, config, self.older_needs(job))
        if before != job.key:
            self.older[job.key] = before
        return job.key

    def older_needs(self, job: AnyJob) -> dict[str, str]:
        """What a job needs, by the keys that older versions gave it."""
        older: dict[str, Any] = {}
        for role, keys in job.needs:
            several = isinstance(keys, tuple)  # which stand in the order of their keys
            older[role] = (
                tuple(sorted(self.older.get(key, key) for key in keys)) if several else self.older.get(keys, keys)
            )
        return job.needs.model_copy(update=older).canonical()

    def evaluation(self, row: Row) -> EvaluateJob:
        """The job whose record fills a cell."""
        job = self.jobs[row.key]
        assert isinstance(job, EvaluateJob)
        return job

    def pack_of(self, row: Row) -> PackJob:
        """The pack of the task that a cell is measured on."""
        job = self.jobs[self.evaluation(row).needs.pack]
        assert isinstance(job, PackJob)
        return job

    def needed_for(self, keys: Iterable[str], done: Callable[[AnyJob], bool]) -> list[AnyJob]:
        """The jobs that some of them still need, in order: what only finished jobs used may be gone."""
        wanted: set[str] = set()
        queue = list(keys)
        while queue:
            key = queue.pop()
            if key not in wanted and not done(self.jobs[key]):
                wanted.add(key)
                queue += self._read_by(self.jobs[key])
        return [job for key, job in self.jobs.items() if key in wanted]

    def _read_by(self, job: AnyJob) -> Iterator[str]:
        """What a job reads: what it needs, and of an evaluation the recordings that its encoder was pretrained on."""
        yield from job.needs.all_keys()
        pretrained = pretraining_of(job, self.jobs) if isinstance(job, EvaluateJob) else None
        if pretrained:
            yield from (pretrained.needs.corpus, *pretrained.needs.exclude)

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "name": self.name,
            "facts": self.facts.to_json(),
            "jobs": [job.to_json() for job in self.jobs.values()],
            "rows": [vars(row) for row in self.rows],
            "files": self.files,
            "texts": self.texts,
            "older": self.older,
        }

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Plan":
        """A plan from its stored form, of any age: the earliest kept no texts, and later ones no older keys.

        Raises:
            Mistake: if what it says of the suite is not what this version knows.
        """
        rows = [Row(**row) for row in stored["rows"]]
        texts = [(name, text) for name, text in stored.get("texts", ())]
        facts = SuiteFacts.from_json(stored["facts"])
        plan = Plan(stored["name"], facts, rows=rows, files=stored["files"], texts=texts)
        for job in stored["jobs"]:
            plan.add(Job.from_json(job))
        plan.older = stored.get("older", {})
        return plan


def plan_name(suite: str, scale: str | None) -> str:
    """The name of a suite at a scale: ``esc10@cpu``."""
    return f"{suite}@{scale}" if scale else suite


def choose_rows(
    plan: Plan, entries: Sequence[str] | None, tasks: Sequence[str] | None, protocols: Sequence[str] | None
) -> list[Row]:
    """The cells of the named entries, tasks and protocols; None or empty is all.

    A swept entry is all its variations, a protocol all its numbers of shots.

    Raises:
        Mistake: if one is not in the suite (with the nearest names).
    """
    facts = plan.facts
    protocol_of = {column: own.protocol for column, own in facts.protocols.items()}
    for kind, asked, known in (
        ("entry", entries, [*facts.entries, *facts.swept]),
        ("task", tasks, list(facts.tasks)),
        ("protocol", protocols, list(dict.fromkeys([*protocol_of, *protocol_of.values()]))),
    ):
        for name in asked or ():
            if name not in known:
                raise Mistake(f"the suite {plan.name} has no {kind} {name!r}", fix=nearest(name, known))
    chosen = {name for entry in entries or () for name in facts.swept.get(entry, [entry])}
    return [
        row
        for row in plan.rows
        if (not chosen or row.entry in chosen)
        and (not tasks or row.task in tasks)
        and (not protocols or row.protocol in protocols or protocol_of[row.protocol] in protocols)
    ]
