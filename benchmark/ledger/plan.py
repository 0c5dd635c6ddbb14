"""Plans: the jobs of a suite and the cells of its leaderboard.

A plan is plain data, stored beside the records. Nothing here imports torch, so a finished suite is recognised, and its
leaderboard written, without loading it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from benchmark.jobs.embed import EmbedJob
from benchmark.jobs.evaluate import EvaluateJob, pretraining_of
from benchmark.jobs.measure import MeasureJob
from benchmark.jobs.pack import PackJob
from benchmark.jobs.pretrain import PretrainJob
from benchmark.ledger.facts import SuiteFacts
from benchmark.store.job import AnyJob, Job, first_problem, key_of
from registry.errors import Mistake
from registry.lookup import nearest

_AGAIN = "run the suite again: audiobench run SUITE"
# The kinds of the jobs that a job needs, by role.
_ROLES: dict[str, type[AnyJob]] = {
    "pack": PackJob,
    "corpus": PackJob,
    "exclude": PackJob,
    "monitor": PackJob,
    "statistics": MeasureJob,
    "pretrain": PretrainJob,
    "embed": EmbedJob,
}


@dataclass(frozen=True)
class Row:
    """A row of a plan: the job whose record fills a cell of the leaderboard. Several seeds or draws fill one cell."""

    entry: str
    task: str
    protocol: str
    seed: int
    key: str
    draw: int = 0  # number of the random subset, where only a few clips of each class train


class _StoredRow(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    entry: str
    task: str
    protocol: str
    seed: int
    key: str
    draw: int = 0


class _Stored(BaseModel):
    """The stored form of a plan. Its jobs and facts have models of their own."""

    model_config = ConfigDict(strict=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    facts: dict[str, Any]
    jobs: list[dict[str, Any]]
    rows: list[_StoredRow]
    files: dict[str, str]
    texts: list[Annotated[tuple[str, str], Field(strict=False)]] = []
    older: dict[str, str] = {}


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
            Mistake: if this version cannot read it, or its rows and jobs do not fit one another.
        """
        try:
            read = _Stored.model_validate(stored)
        except ValidationError as error:
            raise Mistake(f"a stored plan cannot be read: {first_problem(error)}", fix=_AGAIN) from None
        facts = SuiteFacts.from_json(read.facts)
        rows = [Row(**dict(row)) for row in read.rows]
        plan = Plan(read.name, facts, rows=rows, files=read.files, texts=read.texts)
        jobs = [Job.from_json(job) for job in read.jobs]
        for needed in jobs:  # a job's needs come first
            plan._require_needs(needed)
            plan.jobs.setdefault(needed.key, needed)
        plan.older = read.older
        entries = frozenset(facts.entries)
        for row in rows:
            plan._require_row(row, entries)
        return plan

    def _require_needs(self, job: AnyJob) -> None:
        """Refuses a job that needs one that is not in the plan before it, or of another kind."""
        for role, keys in job.needs:
            for key in keys if isinstance(keys, tuple) else (keys,) if keys is not None else ():
                if not isinstance(self.jobs.get(key), _ROLES[role]):
                    what = f"a stored plan does not have what a job needs ({role} {key} of {job.kind} {job.key})"
                    raise Mistake(what, where=self.name, fix=_AGAIN)
        if isinstance(job, EvaluateJob) and not (job.needs.embed or job.config.model):
            raise Mistake(f"a stored plan evaluates no model ({job.key})", where=self.name, fix=_AGAIN)

    def _require_row(self, row: Row, entries: Collection[str]) -> None:
        """Refuses a cell that is not the suite's, or whose job is another cell's."""
        job, facts = self.jobs.get(row.key), self.facts
        known = row.entry in entries and row.task in facts.tasks and row.protocol in facts.protocols
        fits = (
            known
            and isinstance(job, EvaluateJob)
            and self.pack_of(row).config.task.name == facts.tasks[row.task].name
            and job.config.shots == facts.protocols[row.protocol].shots
            and (job.config.seed, job.config.draw) == (row.seed, row.draw)
        )
        if not fits:
            what = f"a stored plan has a cell that its suite or its jobs do not have: {row.entry}, {row.protocol}"
            raise Mistake(f"{what} on {row.task} ({row.key})", where=self.name, fix=_AGAIN)


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
