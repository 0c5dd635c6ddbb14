"""From a resolved suite to its jobs.

A plan is plain data and is kept beside the records, so that a finished suite is recognised, and its leaderboard
written, without loading torch: nothing here imports it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from benchmark.digests import Digests
from benchmark.integrity import file_digest
from benchmark.job import Job
from benchmark.remarks import remarks
from registry.errors import Mistake
from registry.lookup import Choice, find, nearest, recall
from registry.tasks import Task, listing_hash

if TYPE_CHECKING:
    from benchmark.suite import ResolvedEntry, ResolvedSuite, Weights


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
    facts: dict[str, Any]
    jobs: dict[str, Job] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    texts: list[tuple[str, str]] = field(default_factory=list)
    older: dict[str, str] = field(default_factory=dict)

    def add(self, job: Job, older: Mapping[str, Any] = MappingProxyType({})) -> str:
        """Adds a job once, and returns its key; ``older`` is what older versions had in its configuration instead."""
        self.jobs.setdefault(job.key, job)
        config = {**job.config, **older}
        if "model" in config.get("weights", {}):
            config["weights"] = {name: own for name, own in config["weights"].items() if name != "model"}
        before = Job(job.kind, config, self.older_needs(job)).key
        if before != job.key:
            self.older[job.key] = before
        return job.key

    def older_needs(self, job: Job) -> dict[str, str]:
        """What a job needs, by the keys that older versions gave it."""
        needs = {role: self.older.get(key, key) for role, key in job.needs.items()}
        excluded = [role for role in needs if role.startswith("exclude ")]  # in the order of their keys
        return {**needs, **dict(zip(excluded, sorted(needs[role] for role in excluded), strict=True))}

    def needed_for(self, keys: Iterable[str], done: Callable[[Job], bool]) -> list[Job]:
        """The jobs that some of them still need, in order: what only finished jobs used may be gone."""
        wanted: set[str] = set()
        queue = list(keys)
        while queue:
            key = queue.pop()
            if key not in wanted and not done(self.jobs[key]):
                wanted.add(key)
                queue += self._read_by(self.jobs[key])
        return [job for key, job in self.jobs.items() if key in wanted]

    def _read_by(self, job: Job) -> Iterator[str]:
        """What a job reads: what it needs, and of an evaluation the recordings that its encoder was pretrained on."""
        yield from job.needs.values()
        pretrain = self.jobs.get(pretraining_of(job, self.jobs)) if job.kind == "evaluate" else None
        if pretrain:
            yield from (key for role, key in pretrain.needs.items() if role == "corpus" or role.startswith("exclude "))

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "name": self.name,
            "facts": self.facts,
            "jobs": [job.to_json() for job in self.jobs.values()],
            "rows": [vars(row) for row in self.rows],
            "files": self.files,
            "texts": self.texts,
            "older": self.older,
        }

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Plan":
        """A plan from its stored form."""
        rows, texts = [Row(**row) for row in stored["rows"]], [(name, text) for name, text in stored["texts"]]
        plan = Plan(stored["name"], stored["facts"], rows=rows, files=stored["files"], texts=texts)
        for job in stored["jobs"]:
            plan.add(Job.from_json(job))
        plan.older = stored["older"]
        return plan


def pretraining_of(evaluation: Job, jobs: Mapping[str, Job]) -> str:
    """The key of the pretraining that an evaluated encoder comes from; empty if there is none."""
    model = jobs[evaluation.needs["embed"]] if "embed" in evaluation.needs else evaluation
    return model.needs.get("pretrain", "")


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
    swept = plan.facts.get("swept", {})
    protocol_of = {column: few["protocol"] for column, few in plan.facts.get("shots", {}).items()}
    for kind, asked, known in (
        ("entry", entries, [*plan.facts["entries"], *swept]),
        ("task", tasks, list(plan.facts["tasks"])),
        ("protocol", protocols, list(dict.fromkeys([*plan.facts["protocols"], *protocol_of.values()]))),
    ):
        for name in asked or ():
            if name not in known:
                raise Mistake(f"the suite {plan.name} has no {kind} {name!r}", fix=nearest(name, known))
    chosen = {name for entry in entries or () for name in swept.get(entry, [entry])}
    return [
        row
        for row in plan.rows
        if (not chosen or row.entry in chosen)
        and (not tasks or row.task in tasks)
        and (not protocols or row.protocol in protocols or protocol_of.get(row.protocol) in protocols)
    ]


def make_plan(
    resolved: "ResolvedSuite", data: Path | None, seeds: Sequence[int], digests: Digests | None = None
) -> Plan:
    """Every job of a suite, each once, whatever number of cells needs it; ``digests`` remembers what recordings hold.

    A task or weights whose files are missing block their jobs instead of failing, so that a plan can be read without.
    """
    return _Planner(resolved, data, digests or Digests()).plan(seeds)


class _Planner:
    def __init__(self, resolved: "ResolvedSuite", data: Path | None, digests: Digests) -> None:
        self.resolved, self.data, self.digests = resolved, data, digests
        self.inputs: dict[str, _Inputs] = {}  # of every task, by its canonical settings
        suite = resolved.suite
        facts: dict[str, Any] = {
            "suite": suite.name,
            "scale": resolved.scale,
            "title": suite.title or suite.name,
            "reproduces": suite.reproduces,
            "anchors": suite.anchors,
            "control": suite.control,
            "controls": {name: entry.control for name, entry in suite.entries.items() if entry.control},
            "selection": suite.selection,
            "entries": [entry.name for entry in resolved.entries],
            "protocols": list(resolved.protocols),
            "tasks": {column: list(_task(task).folds) for column, task in resolved.tasks.items()},
            "official_folds": {column: len(_task(task).official_folds) for column, task in resolved.tasks.items()},
        }
        if suite.samples != "int16":
            facts["samples"] = suite.samples
        if suite.class_wise:
            facts["class_wise"] = suite.class_wise
        few = {name: column for name, column in resolved.protocols.items() if column.shots is not None}
        if few:
            facts["shots"] = {name: {"protocol": one.protocol, "shots": one.shots} for name, one in few.items()}
        renamed = {column: task.name for column, task in resolved.tasks.items() if column != task.name}
        if renamed:
            facts["task_names"] = renamed
        if resolved.variations:
            facts["swept"] = {entry: list(names) for entry, names in resolved.variations.items()}
            facts["variations"] = {name: at for names in resolved.variations.values() for name, at in names.items()}
        self._plan = Plan(plan_name(suite.name, resolved.scale), facts)

    def plan(self, seeds: Sequence[int]) -> Plan:
        self._plan.facts["seeds"] = list(seeds)
        for seed in seeds:
            for entry in self.resolved.entries:
                self._entry(entry, seed)
        return self._plan

    def _entry(self, entry: "ResolvedEntry", seed: int) -> None:
        weights, needs = self._weights(entry, seed)
        model = {
            "encoder": entry.encoder.config,
            "frontend": entry.frontend.config,
            "weights": weights,
            "window": self._window(entry),
        }
        for column, task in self.resolved.tasks.items():
            pack = self._pack(task, entry.frontend, column)
            folds = _task(task).folds
            # Statistics of the training clips belong to one held-out fold, and so do embeddings made with them.
            for part in [[fold] for fold in folds] if _is_measured(entry.frontend.config) else [folds]:
                sources = {"pack": pack, **needs, **self._statistics(entry, {"pack": pack}, column, part[0])}
                title = f"embed {column} with {entry.name}" + (f", fold {part[0]}" if len(part) == 1 else "")
                embed = Job("embed", model, sources, title, entry.weights.missing)
                for name in entry.protocols:
                    self._evaluate(entry, column, name, part, seed, embed)

    def _evaluate(
        self, entry: "ResolvedEntry", column: str, name: str, folds: Sequence[int], seed: int, embed: Job
    ) -> None:
        """The jobs of one entry under one protocol, on some folds; ``embed`` makes its embeddings of the task."""
        few = self.resolved.protocols[name]
        choice = few.choice
        protocol = find("protocols", choice.name)(choice.settings)
        config: dict[str, Any] = {"protocol": choice.config, "seed": seed}
        needs = {"pack": embed.needs["pack"]}
        if protocol.uses_embeddings:
            needs["embed"] = self._plan.add(embed)
        if protocol.uses_model:
            config |= {**embed.config, "augment": [a.config for a in entry.augment]}
            needs |= embed.needs
        for part in [folds] if protocol.one_job else [[fold] for fold in folds]:
            title = f"{few.protocol} {entry.name} on {column}" + (f", fold {part[0]}" if len(part) == 1 else "")
            for draw in range(few.draws):
                drawn = {} if few.shots is None else {"shots": few.shots, "draw": draw}
                of_draw = f", {few.shots} shot{'s' * (few.shots > 1)}, draw {draw}" if few.shots else ""
                own = {**config, "folds": list(part), **drawn}
                key = self._plan.add(Job("evaluate", own, needs, title + of_draw, embed.blocked))
                self._plan.rows.append(Row(entry.name, column, name, seed, key, draw))

    def _statistics(
        self, entry: "ResolvedEntry", packs: Mapping[str, str], clips: str, held_out: int | None
    ) -> dict[str, str]:
        """The measurement that a front end normalised by its data set needs: of all clips but a fold's, or a corpus."""
        if not _is_measured(entry.frontend.config):
            return {}
        config = {"frontend": entry.frontend.config, "window": self._window(entry), "held_out": held_out}
        title = f"measure {clips}" + (f" without fold {held_out}" if held_out is not None else "")
        return {"statistics": self._plan.add(Job("measure", config, dict(packs), title))}

    def _weights(self, entry: "ResolvedEntry", seed: int) -> tuple[dict[str, Any], dict[str, str]]:
        """What names an entry's weights in a key, and the pretraining they need."""
        weights = entry.weights
        if weights.kind == "pretrain":
            return {"kind": "pretrain"}, {"pretrain": self._pretrain(entry, weights, seed)}
        if weights.kind == "random":
            return {"kind": "random", "seed": seed}, {}
        if weights.missing:
            return {"kind": weights.kind, "sha256": None}, {}
        if weights.path is None:
            # Not the digest of the file, which would change with the first download: the record says it.
            name = find("encoders", entry.encoder.name).imagenet(entry.encoder.settings)
            return {"kind": weights.kind, **({"model": name} if name else {})}, {}
        digest = file_digest(weights.path)
        self._plan.files[digest] = str(weights.path)
        return {"kind": weights.kind, "sha256": digest}, {}

    def _pretrain(self, entry: "ResolvedEntry", weights: "Weights", seed: int) -> str:
        assert weights.method
        assert weights.corpus
        assert weights.training
        config = {
            "method": weights.method.config,
            "encoder": entry.encoder.config,
            "frontend": entry.frontend.config,
            "augment": [a.config for a in weights.augment],
            "training": weights.training.canonical(),
            "crop": self._window(entry),
            "seed": seed,
        }
        corpus = self._pack(weights.corpus, entry.frontend)
        # In the order of their keys, so that the order in a suite changes nothing.
        others = sorted({self._pack(task, entry.frontend) for task in weights.exclude})
        exclude = {f"exclude {i}": key for i, key in enumerate(others)}
        statistics = self._statistics(entry, {"pack": corpus, **exclude}, weights.corpus.name, None)
        needs = {"corpus": corpus, **exclude, **statistics}
        if weights.monitor:
            needs["monitor"] = self._pack(weights.monitor, entry.frontend)
        without = ", ".join(task.name for task in weights.exclude)
        title = f"pretrain {entry.name} on {weights.corpus.name}" + (f" without {without}" if without else "")
        return self._plan.add(Job("pretrain", config, needs, title))

    def _window(self, entry: "ResolvedEntry") -> int:
        window: int = round(entry.crop * entry.frontend.settings.sample_rate)
        return window

    def _pack(self, task: Choice, frontend: Choice, column: str = "") -> str:
        asked = json.dumps(task.config, sort_keys=True)
        if asked not in self.inputs:
            self.inputs[asked] = _inputs(task.config, self.data, self.digests)
        inputs = self.inputs[asked]
        config = {"task": task.config, "sample_rate": frontend.settings.sample_rate, "inputs": inputs.hash}
        if self.resolved.suite.samples != "int16":  # the default is in no key
            config["samples"] = self.resolved.suite.samples
        job = Job("pack", config, {}, f"pack {column or task.name}", inputs.blocked, inputs.odd)
        return self._plan.add(job, {"inputs": inputs.older})


def _is_measured(config: Any) -> bool:
    """Whether a front end, or one inside it, is normalised by statistics of the clips that train."""
    if isinstance(config, Mapping):
        return config.get("normalise") == "dataset" or any(map(_is_measured, config.values()))
    return isinstance(config, list) and any(map(_is_measured, config))


def _task(choice: Choice) -> Task:
    task: Task = find("tasks", choice.name)(choice.settings)
    return task


@dataclass(frozen=True)
class _Inputs:
    """A task's clips: the hash of them and what they hold, the one that older versions had, and what is odd.

    Args:
        hash: None where there is none.
        older: likewise.
        blocked: why there is none; else empty.
        odd: remarks about the clips.
    """

    hash: str | None
    older: str | None
    blocked: str
    odd: tuple[str, ...]


def _inputs(task: dict[str, Any], data: Path | None, digests: Digests) -> _Inputs:
    try:
        component, settings = recall("tasks", task)
        made = component(settings)
        clips = made.clips(data)
        return _Inputs(digests.listing(task["name"], clips), listing_hash(clips), "", remarks(made, clips))
    except Mistake as mistake:
        return _Inputs(None, None, str(mistake), ())


def still_holds(plan: Plan, data: Path | None, digests: Digests) -> bool:
    """Whether the files that a stored plan was made from are what they were."""
    if any(job.blocked for job in plan.jobs.values()):
        return False  # what was missing may be there by now
    packs = [job for job in plan.jobs.values() if job.kind == "pack"]
    listed = {
        json.dumps([job.config["task"], job.config["inputs"]]): job for job in packs
    }  # once for every sample rate
    for job in listed.values():
        inputs = _inputs(job.config["task"], data, digests)
        if inputs.blocked or (inputs.hash, inputs.odd) != (job.config["inputs"], job.remarks):
            return False
    return all(Path(path).is_file() and file_digest(Path(path)) == digest for digest, path in plan.files.items())
