"""What is known of the costs of a plan's jobs on one machine: by calibrations, and by jobs that are done.

A finished job that did the same work is better evidence than a calibration: what it took is scaled by the amount of the
chief unit. RUNS/calibrations/DIGEST.json has the calibration of each kind of work on each machine.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.jobs.contents import Contents, listed, packed
from benchmark.jobs.embed import EmbedJob
from benchmark.jobs.evaluate import EvaluateJob
from benchmark.jobs.measure import MeasureJob
from benchmark.jobs.pack import PackJob
from benchmark.jobs.pretrain import PretrainJob
from benchmark.jobs.rates import Calibration
from benchmark.ledger.forecast import Scope, forecast, machine, size_of_files, store_model, stored_model, units
from benchmark.ledger.plan import Plan
from benchmark.store.job import AnyJob, Environment, Forecast, Record
from benchmark.store.plan_file import content_digest
from benchmark.store.store import Store
from registry.errors import Mistake
from registry.tasks import Task


@dataclass
class Outlook:
    """What is known of the costs of a plan's jobs on one machine.

    Args:
        plan: of the jobs.
        store: of calibrations, forecasts and records.
        data: the folder of data sets.
        here: where the jobs would be done.
    """

    plan: Plan
    store: Store
    data: Path | None
    here: Environment
    _contents: dict[str, Contents | None] = field(default_factory=dict)  # by the key of a pack
    _done: dict[str, dict[str, list[AnyJob]]] = field(default_factory=dict)  # by kind, and by the name of the work

    def contents(self, pack: str) -> Contents | None:
        """What a pack holds or will hold; None if it is neither packed nor calibrated, or its files are missing."""
        if pack not in self._contents:
            self._contents[pack] = self._read(pack)
        return self._contents[pack]

    def _read(self, pack: str) -> Contents | None:
        job = self.plan.jobs[pack]
        assert isinstance(job, PackJob)
        if self.store.done(job):
            return packed(job, self.store)
        made = self.calibration(job)
        if made is None:
            return None
        task = job.config.task.build()
        try:
            return listed(job, task, task.clips(self.data), made.decoded)
        except Mistake:
            return None

    def _clips_of(self, job: AnyJob) -> Contents | None:
        """The clips that a job works on."""
        if isinstance(job, PackJob):
            return self.contents(job.key)
        if isinstance(job, PretrainJob):
            return self._corpus(job.needs.corpus, job.needs.exclude)
        assert isinstance(job, MeasureJob | EmbedJob | EvaluateJob)
        if not isinstance(job, MeasureJob):
            return self.contents(job.needs.pack)
        if job.config.held_out is None:
            return self._corpus(job.needs.pack, job.needs.exclude)
        whole = self.contents(job.needs.pack)
        return whole and whole.only(whole.fold_N != job.config.held_out)

    def _corpus(self, pack: str, exclude: tuple[str, ...]) -> Contents | None:
        corpus, others = self.contents(pack), [(self._task(key), self.contents(key)) for key in exclude]
        task = self._task(pack)
        excluded = [(other, task.freesound and of.freesound) for of, other in others if other is not None]
        return corpus and corpus.without(task.folds, excluded)

    def _task(self, pack: str) -> Task:
        job = self.plan.jobs[pack]
        assert isinstance(job, PackJob)
        return job.config.task.build()

    def _work(self, job: AnyJob) -> dict[str, Any]:
        """What decides the rates of a job: its settings, without seeds and numbers of epochs, and what it works on."""
        config = job.config.canonical()
        weights = config.pop("weights", {})
        work: dict[str, Any] = {
            "kind": job.kind,
            "weights": {name: weights.get(name) for name in ("sha256", "revision")},
        }
        for name in ("seed", "draw", "held_out"):
            config.pop(name, None)
        if isinstance(job, PretrainJob):
            config["training"] = {name: value for name, value in config["training"].items() if name != "epochs"}
            work |= {"corpus": job.needs.corpus, "monitored": bool(job.needs.monitor)}
        if isinstance(job, EvaluateJob):
            config["folds"] = len(config["folds"])
            embedding = self.embedding(job)
            work |= {"pack": job.needs.pack, "dim": self._dim(embedding) if embedding else None}
        elif config.get("window") == "whole":
            work["pack"] = job.needs.canonical()["pack"]
        elif isinstance(job, EmbedJob):
            work["windows"] = self._windows_of_a_clip(job)
        return work | config

    def _windows_of_a_clip(self, job: EmbedJob) -> int | None:
        """The power of two that is closest: a batch has some clips, and small batches are quicker on a processor."""
        clips = self._clips_of(job)
        return round(math.log2(clips.windows(job.config.window_samples) / len(clips))) if clips else None

    def scope(self, job: AnyJob) -> Scope | None:
        """What a job works on; None if that is not known yet."""
        clips = self._clips_of(job)
        if clips is None or not len(clips):
            return None
        if isinstance(job, PretrainJob) and job.needs.monitor:
            probed = self.contents(job.needs.monitor)
            return None if probed is None else Scope(clips, probed)
        embedding = job if isinstance(job, EmbedJob) else self.embedding(job)
        if embedding is None:
            return Scope(clips)
        dim = self._dim(embedding)
        if dim is None and embedding is not job:
            return None
        return Scope(clips, windows=clips.windows(embedding.config.window_samples), dim=dim or 0)

    def embedding(self, job: AnyJob) -> EmbedJob | None:
        """The job that makes the embeddings that a job evaluates."""
        key = job.needs.embed if isinstance(job, EvaluateJob) else None
        found = self.plan.jobs[key] if key else None
        assert found is None or isinstance(found, EmbedJob)
        return found

    def _dim(self, embedding: EmbedJob) -> int | None:
        for done in [embedding] if self.store.done(embedding) else self._done_like(embedding):
            return self.store.result(EmbedJob, done.key).dim
        made = self.calibration(embedding)
        return int(made.sizes["dim"]) if made else None

    def name(self, job: AnyJob) -> str:
        """A digest of a job's work and of the machine: jobs with equal names have one calibration."""
        return content_digest({"work": self._work(job), "machine": machine(self.here)})[:32]

    def _path(self, job: AnyJob) -> Path:
        return self.store.root / "calibrations" / f"{self.name(job)}.json"

    def calibration(self, job: AnyJob) -> Calibration | None:
        """The calibration of a job's work; None if there is none that can be read."""
        return stored_model(self._path(job), Calibration)

    def keep(self, job: AnyJob, made: Calibration) -> None:
        """Stores the calibration of a job's work."""
        store_model(self._path(job), made, work=self._work(job), machine=machine(self.here), of=job.title)
        self._contents.pop(job.key, None)  # of a pack that is known from now on

    def forecast(self, job: AnyJob) -> Forecast | None:
        """What a job will take; None if neither a finished job nor a calibration tells."""
        scope = self.scope(job)
        if scope is None:
            return None
        made = self.calibration(job)
        return self._by_finished(job, scope) or (forecast(job, scope, made) if made else None)

    def _by_finished(self, job: AnyJob, scope: Scope) -> Forecast | None:
        """By the job that did the same work here, on an amount that is closest."""
        found: list[tuple[float, AnyJob, Record]] = []
        chief, amount = list(units(job, scope).items())[-1]
        for other in self._done_like(job):
            of_other = self.scope(other)
            if of_other:
                found.append((amount / units(other, of_other)[chief], other, self.store.result(type(other), other.key)))
        if not found:
            return None
        ratio, other, record = min(found, key=lambda one: abs(math.log(one[0])))
        return Forecast(
            seconds=record.seconds * ratio,
            cpu_seconds=record.cpu_seconds * ratio,
            peak_memory=record.peak_memory,
            disk=int(size_of_files(record, self.store.folder(other)) * (1 if job.kind == "pretrain" else ratio)),
        )

    def _done_like(self, job: AnyJob) -> list[AnyJob]:
        """The jobs of the plan that did the same work on this machine, and are done."""
        if job.kind not in self._done:
            by_work = self._done[job.kind] = defaultdict(list)
            for other in self.plan.jobs.values():
                if other.kind == job.kind and self.store.done(other):
                    record = self.store.result(type(other), other.key)
                    if record.cpu_seconds and machine(record.environment) == machine(self.here):
                        by_work[self.name(other)].append(other)
        return self._done[job.kind][self.name(job)]
