"""Plans: the jobs of a suite and the cells of its leaderboard.

A plan is plain data, stored beside the records. Nothing here imports torch, so a finished suite is recognised, and its
leaderboard written, without loading it.
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
    """A row of a plan: the job whose record fills a cell of the leaderboard. Several seeds or draws fill one cell."""

    entry: str
    task: str
    protocol: str
    seed: int
    key: str
    draw: int = 0  # number of the random subset, where only a few clips of each class train


@dataclass
class Plan:
    """The jobs of a suite, in an order in which they can run, and the cells that they fill.

    ``facts`` is what a leaderboard must know of the suite. ``files`` maps the SHA-256 of a weight file, which is in
    keys, to its path, which is not. ``texts`` are the names and contents of the suite's files. ``older`` maps a job's
    key to the key that older versions gave it, where the two differ. ``kept`` says whether the plan was read from the
    store, which has it as it is.
    """

    name: str
    facts: SuiteFacts
    jobs: dict[str, AnyJob] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    texts: list[tuple[str, str]] = field(default_factory=list)
    older: dict[str, str] = field(default_factory=dict)
    kept: bool = False

    def add(self, job: AnyJob, older: Mapping[str, Any] = MappingProxyType({})) -> str:
        """Adds a job once, and returns its key; ``older`` are the settings that differ in older versions."""
        self.jobs.setdefault(job.key, job)
        config = {**job.config.canonical(), **older}
        if "model" in config.get("weights", {}):
            config["weights"] = {name: value for name, value in config["weights"].items() if name != "model"}
        before = key_of(job.kind, config, self.older_needs(job))
        if before != job.key:
            self.older[job.key] = before
        return job.key

    def older_needs(self, job: AnyJob) -> dict[str, str]:
        """The keys of the jobs that a job needs, as older versions named them."""
        older: dict[str, Any] = {}
        for role, keys in job.needs:
            several = isinstance(keys, tuple)  # these are sorted
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
        """The jobs to run, in order, so that those with these keys are done. What only done jobs need may be gone."""
        wanted: set[str] = set()
        queue = list(keys)
        while queue:
            key = queue.pop()
            if key not in wanted and not done(self.jobs[key]):
                wanted.add(key)
                queue += self.read_by(self.jobs[key])
        return [job for key, job in self.jobs.items() if key in wanted]

    def read_by(self, job: AnyJob) -> Iterator[str]:
        """The jobs whose results a job reads; an evaluation also reads the packs that its encoder was pretrained on."""
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
        """A plan from its stored form, of any age: the earliest plans had no texts, and later ones no older keys.

        Raises:
            Mistake: if this version cannot read the suite's facts.
        """
        rows = [Row(**row) for row in stored["rows"]]
        texts = [(name, text) for name, text in stored.get("texts", ())]
        facts = SuiteFacts.from_json(stored["facts"])
        plan = Plan(stored["name"], facts, rows=rows, files=stored["files"], texts=texts)
        for job in map(Job.from_json, stored["jobs"]):
            plan.jobs.setdefault(job.key, job)
        plan.older = stored.get("older", {})
        return plan


def plan_name(suite: str, scale: str | None) -> str:
    """The name of a suite at a scale: ``esc10@cpu``."""
    return f"{suite}@{scale}" if scale else suite


def choose_rows(
    plan: Plan, entries: Sequence[str] | None, tasks: Sequence[str] | None, protocols: Sequence[str] | None
) -> list[Row]:
    """The cells of the named entries, tasks and protocols; None or empty means all.

    A swept entry means all its variations, a protocol all its columns.

    Raises:
        Mistake: if a name is not in the suite; it suggests the nearest names.
    """
    facts = plan.facts
    protocol_of = {column: of_column.protocol for column, of_column in facts.protocols.items()}
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
