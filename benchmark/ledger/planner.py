"""From a resolved suite to its plan. Nothing here imports torch; the components that a suite names may."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.data.remarks import remarks
from benchmark.jobs import embed, evaluate, measure, pack, pretrain
from benchmark.ledger.facts import ProtocolFacts, SuiteFacts, TaskFacts
from benchmark.ledger.plan import Plan, Row, plan_name
from benchmark.store.digests import Digests
from benchmark.store.files import content_digest
from benchmark.store.job import AnyJob
from registry.errors import Mistake
from registry.hub import is_snapshot
from registry.lookup import TARGETS, Choice
from registry.tasks import Task, listing_hash
from registry.windows import Window

if TYPE_CHECKING:
    from benchmark.suite.resolved import ResolvedEntry, ResolvedSuite
    from registry.encoders import Encoder
    from registry.frontends import Frontend
    from registry.weights.pretrain import Pretrain


def make_plan(
    resolved: "ResolvedSuite", data: Path | None, seeds: Sequence[int], digests: Digests | None = None
) -> Plan:
    """Plans every job of a suite, each once, however many cells need it; ``digests`` remembers hashes of recordings.

    A task or weights whose files are missing block their jobs, and do not fail: a plan can be made without the files.
    """
    return _Planner(resolved, data, seeds, digests or Digests()).plan()


def _facts(resolved: "ResolvedSuite", seeds: Sequence[int]) -> SuiteFacts:
    suite = resolved.suite
    return SuiteFacts(
        suite=suite.name,
        scale=resolved.scale,
        title=suite.title or suite.name,
        reproduces=suite.reproduces,
        anchors=tuple(suite.anchors),
        control=suite.control,
        controls={name: entry.control for name, entry in suite.entries.items() if entry.control},
        selection=suite.selection,
        seeds=tuple(seeds),
        samples=suite.samples,
        entries=tuple(entry.name for entry in resolved.entries),
        tasks={column: _task_facts(choice, suite.class_wise.get(column)) for column, choice in resolved.tasks.items()},
        protocols={
            name: ProtocolFacts(protocol=column.protocol, shots=column.shots)
            for name, column in resolved.protocols.items()
        },
        swept=resolved.variations,
    )


def _task_facts(choice: Choice[Task], class_wise: int | None) -> TaskFacts:
    task = choice.build()
    folds, official_folds = tuple(task.folds), len(task.official_folds)
    return TaskFacts(name=choice.name, folds=folds, official_folds=official_folds, class_wise=class_wise)


class _Planner:
    def __init__(self, resolved: "ResolvedSuite", data: Path | None, seeds: Sequence[int], digests: Digests) -> None:
        self.resolved, self.data, self.digests = resolved, data, digests
        self.inputs: dict[str, _Inputs] = {}  # of every task, by its canonical settings
        self._plan = Plan(plan_name(resolved.suite.name, resolved.scale), _facts(resolved, seeds))

    def plan(self) -> Plan:
        for seed in self._plan.facts.seeds:
            for entry in self.resolved.entries:
                self._entry(entry, seed)
        return self._plan

    def _entry(self, entry: "ResolvedEntry", seed: int) -> None:
        weights, pretrained = self._weights(entry, seed)
        model = embed.Config(
            encoder=entry.encoder, frontend=entry.frontend, weights=weights, window_samples=entry.window_samples
        )
        for column, task in self.resolved.tasks.items():
            packed = self._pack(task, entry.frontend, column)
            folds = task.build().folds
            # Statistics of the training clips belong to one held-out fold, and so do embeddings made with them.
            for group in [(fold,) for fold in folds] if _is_measured(entry.frontend.config) else [folds]:
                measured = measure.Needs(pack=packed)
                statistics = self._statistics(entry, entry.window_samples, measured, column, group[0])
                needs = embed.Needs(pack=packed, pretrain=pretrained, statistics=statistics)
                title = f"embed {column} with {entry.name}" + (f", fold {group[0]}" if len(group) == 1 else "")
                embedding = embed.EmbedJob(model, needs, title, entry.weights.missing)
                for name in entry.protocols:
                    self._evaluate(entry, column, name, group, seed, embedding)

    def _evaluate(
        self,
        entry: "ResolvedEntry",
        column: str,
        name: str,
        folds: tuple[int, ...],
        seed: int,
        embedding: embed.EmbedJob,
    ) -> None:
        """The jobs of one entry under one protocol, on some folds; ``embedding`` makes its embeddings of the task."""
        of_protocol = self.resolved.protocols[name]
        protocol, shots = of_protocol.choice.build(), of_protocol.shots
        settings: dict[str, Any] = {"protocol": of_protocol.choice, "seed": seed}
        needs: dict[str, Any] = {"pack": embedding.needs.pack}
        if protocol.uses_embeddings:
            needs["embed"] = self._plan.add(embedding)
        if protocol.uses_model:
            settings |= {**dict(embedding.config), "augment": entry.augment, **_gradients(entry.encoder)}
            needs |= dict(embedding.needs)
        for group in [folds] if protocol.one_job else [(fold,) for fold in folds]:
            title = f"{of_protocol.protocol} {entry.name} on {column}"
            title += f", fold {group[0]}" if len(group) == 1 else ""
            for draw in range(of_protocol.draws):
                drawn = {} if shots is None else {"shots": shots, "draw": draw}
                of_draw = f", {shots} shot{'s' * (shots > 1)}, draw {draw}" if shots else ""
                config = evaluate.Config(**settings, folds=group, **drawn)
                job = evaluate.EvaluateJob(config, evaluate.Needs(**needs), title + of_draw, embedding.blocked)
                self._plan.rows.append(Row(entry.name, column, name, seed, self._plan.add(job), draw))

    def _statistics(
        self, entry: "ResolvedEntry", window: Window, needs: measure.Needs, clips: str, held_out: int | None
    ) -> str | None:
        """The job that measures a front end's statistics, if it needs any: on a corpus, or without one fold."""
        if not _is_measured(entry.frontend.config):
            return None
        config = measure.Config(frontend=entry.frontend, window_samples=window, held_out=held_out)
        title = f"measure {clips}" + (f" without fold {held_out}" if held_out is not None else "")
        return self._plan.add(measure.MeasureJob(config, needs, title))

    def _weights(self, entry: "ResolvedEntry", seed: int) -> tuple[embed.WeightsKey, str | None]:
        """The name of an entry's weights in keys, and the key of the pretraining that makes them."""
        weights = entry.weights
        stated: dict[str, Any] = dict(weights.source.build().stated(entry.encoder, seed))
        if weights.source.config["version"] != 1:  # keys are older than versions of sources
            stated["version"] = weights.source.config["version"]
        if weights.missing:
            stated["sha256"] = None
        elif weights.path:
            name = _content_name(weights.path)
            stated["revision" if is_snapshot(weights.path) else "sha256"] = name
            self._plan.files[name] = str(weights.path)
        settings = weights.pretraining
        pretrained = self._pretrain(entry, settings, seed) if settings else None
        return embed.WeightsKey(kind=weights.source.name, **stated), pretrained

    def _pretrain(self, entry: "ResolvedEntry", weights: "Pretrain.Config", seed: int) -> str:
        config = pretrain.Config(
            method=weights.method,
            encoder=entry.encoder,
            frontend=entry.frontend,
            augment=weights.augment,
            training=weights.training,
            window_samples=entry.pretraining_samples,
            seed=seed,
            **_gradients(entry.encoder),
        )
        corpus = self._pack(weights.corpus, entry.frontend)
        # Sorted, so that their order in a suite changes nothing.
        exclude = tuple(sorted({self._pack(task, entry.frontend) for task in weights.exclude}))
        measured = measure.Needs(pack=corpus, exclude=exclude)
        needs = pretrain.Needs(
            corpus=corpus,
            exclude=exclude,
            statistics=self._statistics(entry, entry.pretraining_samples, measured, weights.corpus.name, None),
            monitor=self._pack(weights.monitor, entry.frontend) if weights.monitor else None,
        )
        without = ", ".join(task.name for task in weights.exclude)
        title = f"pretrain {entry.name} on {weights.corpus.name}" + (f" without {without}" if without else "")
        return self._plan.add(pretrain.PretrainJob(config, needs, title))

    def _pack(self, task: Choice[Task], frontend: "Choice[Frontend]", column: str = "") -> str:
        settings = json.dumps(task.config, sort_keys=True)
        if settings not in self.inputs:
            self.inputs[settings] = _inputs(task, self.data, self.digests)
        inputs = self.inputs[settings]
        rate, samples = frontend.component.rate_of(frontend.settings), self.resolved.suite.samples
        kept: dict[str, Any] = {} if samples == "int16" else {"samples": samples}  # defaults are in no key
        kept |= {} if inputs.target == 1 else {"target": inputs.target}
        config = pack.Config(task=task, sample_rate=rate, inputs=inputs.hash, **kept)
        job = pack.PackJob(config, pack.Needs(), f"pack {column or task.name}", inputs.blocked, inputs.odd)
        return self._plan.add(job, {"inputs": inputs.older})


def _gradients(encoder: "Choice[Encoder]") -> dict[str, int]:
    """The version of an encoder's gradients, for the keys of jobs that train it: keys are older than it."""
    version = encoder.component.gradients(encoder.settings)
    return {} if version == 1 else {"gradients": version}


def _is_measured(config: Any) -> bool:
    """Whether a front end, or one inside it, is normalised by statistics of the training clips."""
    if isinstance(config, Mapping):
        return config.get("normalise") == "dataset" or any(map(_is_measured, config.values()))
    return isinstance(config, list) and any(map(_is_measured, config))


@dataclass(frozen=True)
class _Inputs:
    """A task's clips, as a plan knows them.

    Args:
        hash: of the list of clips and the contents of their files; None where they cannot be listed.
        older: the hash that older versions used, of the list and the sizes.
        blocked: why the clips cannot be listed; else empty.
        odd: remarks about the clips.
        target: version of what is predicted of them.
    """

    hash: str | None
    older: str | None
    blocked: str
    odd: tuple[str, ...]
    target: int | str = 1


def _inputs(task: Choice[Task], data: Path | None, digests: Digests) -> _Inputs:
    try:
        made = task.build()
        clips = made.clips(data)
        listed, target = digests.listing(task.name, clips), TARGETS.version(made.target)
        return _Inputs(listed, listing_hash(clips), "", remarks(made, clips), target)
    except Mistake as mistake:
        return _Inputs(None, None, str(mistake), ())


def still_holds(jobs: Iterable[AnyJob], files: Mapping[str, str], data: Path | None, digests: Digests) -> bool:
    """Whether the files that a stored plan was made from are what they were.

    Args:
        jobs: of the plan, at least those that pack.
        files: of the plan.
        data: the folder of data sets.
        digests: of recordings.
    """
    jobs = list(jobs)
    if any(job.blocked for job in jobs):
        return False  # the missing files may be there by now
    packs = [job for job in jobs if isinstance(job, pack.PackJob)]
    # One pack for each task, whatever the sample rates.
    listed = {json.dumps([dict(job.config.task.config), job.config.inputs]): job for job in packs}
    for job in listed.values():
        inputs = _inputs(job.config.task, data, digests)
        if inputs.blocked or (inputs.hash, inputs.odd) != (job.config.inputs, job.remarks):
            return False
    return all(weights_hold(files, name) for name in files)


def weights_hold(files: Mapping[str, str], name: str) -> bool:
    """Whether the weights that a plan's keys name so are still where they were; ``files`` are the plan's."""
    path = Path(files[name])
    return path.exists() and _content_name(path) == name


def _content_name(path: Path) -> str:
    """What names the content of weights in keys: the commit of a model in a hub's cache, else a SHA-256."""
    return path.name if is_snapshot(path) else content_digest(path)
