"""Evaluates embeddings or a model under a protocol, and stores the predictions for every clip."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from benchmark.jobs import embed
from benchmark.jobs.measure import statistics_of
from benchmark.jobs.pack import opened_pack
from benchmark.jobs.pretrain import PretrainJob
from benchmark.store import job
from registry.lookup import StoredAugmentation, StoredEncoder, StoredFrontend, StoredProtocol
from registry.windows import Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmark.jobs.packing import Pack
    from benchmark.jobs.workplace import Workplace
    from registry.encoders import Encoder
    from registry.protocols import Model, Subject


_LARGEST = 1e300  # of a figure


class Config(job.Config):
    """The protocol, the folds, and, if the protocol works on the model, the model."""

    protocol: StoredProtocol
    seed: int
    folds: tuple[int, ...]
    shots: PositiveInt | None = Field(None, description="how many clips of each class train; None for all")
    draw: job.Count = Field(0, description="number of the random subset")
    encoder: StoredEncoder | None = None
    frontend: StoredFrontend | None = None
    weights: embed.StatedWeights | None = None
    window_samples: Window | None = Field(None, alias="window", description="samples in a window, or whole")
    augment: tuple[StoredAugmentation, ...] = ()
    gradients: PositiveInt = Field(1, description="version of the encoder's gradients; version 1 is in no key")

    @property
    def model(self) -> embed.Config | None:
        """The model that the protocol works on; None if it works on embeddings alone."""
        if not (self.encoder and self.frontend and self.weights and self.window_samples):
            return None
        return embed.Config(
            encoder=self.encoder, frontend=self.frontend, weights=self.weights, window_samples=self.window_samples
        )


class Needs(embed.Needs):
    """A pack, and its embeddings, or the jobs that the model needs, or both."""

    embed: job.Key | None = None


class Embedding(BaseModel):
    """The size of the evaluated embeddings, and their cost."""

    dim: job.Count
    parameters: job.Count | None = Field(
        description="of the encoder, and of a front end that learns; None if torch does not run the model"
    )
    clips_per_second: job.Measure = Field(description="whole clips, front end included")
    padded: job.Count = Field(
        0, description="whole clips that are too short for the encoder, and got silence at their end"
    )
    device: str
    precision: str


class Fold(BaseModel):
    """The figures of one fold by name: ``METRIC`` at the end, ``METRIC_by_epoch``, and the protocol's choices."""

    model_config = ConfigDict(extra="allow")

    clips: PositiveInt = Field(description="that were tested")
    epochs: list[job.Count] = Field(description="that were evaluated; empty if there was only one evaluation")

    @model_validator(mode="before")
    @classmethod
    def _undefined_figures_were_nan(cls, stored: Any) -> Any:
        """Older records state NaN for a figure that is not defined, in the place of null."""
        if isinstance(stored, dict):
            return {name: None if value != value else value for name, value in stored.items()}
        return stored

    def require(self, metric: str) -> None:
        """Refuses a fold without figures of a metric, or with figures of other epochs than it states.

        Raises:
            ValueError: with what is wrong.
        """
        by_epoch = self._others.get(f"{metric}_by_epoch", [])
        if not isinstance(by_epoch, list) or not all(map(_is_figure, [self._others.get(metric), *by_epoch])):
            raise ValueError(f"{metric} is no figure, or {metric}_by_epoch no list of figures")
        if len(by_epoch) not in (0, len(self.epochs)) or len(set(self.epochs)) != len(self.epochs):
            raise ValueError(f"{metric}_by_epoch is not a figure for each of the epochs")
        if self.k is not None and not (_is_figure(self.k) and self.k >= 1):
            raise ValueError("k is no number of neighbours")

    def figure(self, metric: str) -> float:
        """A metric after the last epoch."""
        return float(self._others[metric])

    def by_epoch(self, metric: str) -> list[float]:
        """A metric after each of ``epochs``."""
        return list(self._others.get(f"{metric}_by_epoch", ()))

    @property
    def k(self) -> int | None:
        """How many neighbours voted; None if the protocol chose no such number."""
        return self._others.get("k")

    @property
    def _others(self) -> Mapping[str, Any]:
        return self.model_extra or {}


def _is_figure(value: object) -> bool:
    """Whether a value of a JSON file is a finite number, and one that a float holds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


class Record(job.Record):
    """The figures of the predictions, and which test clips the encoder had seen."""

    target: str = Field("one-label", description="name of the task's target: what was predicted of a clip")
    judge: str = Field(
        "targets/one-label",
        pattern="^(targets|protocols)/.",
        description="whose metrics count: those of the target or of the protocol",
    )
    metric: str = Field("accuracy", description="the chief one of these metrics")
    folds: dict[int, Fold] = Field(min_length=1)
    classes: tuple[str, ...] = ()
    data_hash: str = Field(description="of the pack's samples")
    clips_seen_in_pretraining: job.Count = Field(0, description="test clips that the encoder was pretrained on")
    labels_seen_in_pretraining: bool = Field(False, description="whether the pretraining learned from labels")
    steps_per_second: job.Measure | None = Field(None, description="of the pretraining")
    skipped: job.Count = Field(0, description="clips that were left out as unusable")
    missing: job.Count = Field(0, description="clips that the metadata name and that are not there")
    embedding: Embedding | None = None
    weights_sha256: str | None = Field(None, description="of the file that weights without a path came from")

    @model_validator(mode="before")
    @classmethod
    def _targets_had_no_names(cls, stored: Any) -> Any:
        """In older records the metric shows that clips have several labels."""
        if isinstance(stored, dict) and stored.get("metric") == "mAP" and "judge" not in stored:
            return {**stored, "target": "several-labels", "judge": "targets/several-labels"}
        return stored

    @model_validator(mode="after")
    def _every_fold_has_the_figure(self) -> Self:
        for fold in self.folds.values():
            fold.require(self.metric)
        return self

    @property
    def files(self) -> tuple[str, ...]:
        return "predictions.parquet", "epochs.parquet"

    def figures(self) -> dict[str, float]:
        """The chief metric: of each fold, and the mean over folds."""
        of_folds = {f"{self.metric}/fold-{at}": fold.figure(self.metric) for at, fold in self.folds.items()}
        return {f"{self.metric}/mean": fmean(of_folds.values()), **of_folds}

    def disagreement(self, folder: Path, *, thorough: bool) -> str:
        from benchmark.jobs.agreement import disagreement

        return disagreement(self, folder, scores=thorough)


class EvaluateJob(job.Job[Config, Needs, Record]):
    """Runs a protocol on some folds of a task."""

    kind = "evaluate"
    tracked = True

    def run(self, folder: Path, at: "Workplace") -> Record:
        import numpy as np

        from benchmark.jobs import predictions
        from benchmark.jobs.corpus import require_clips, require_judgement
        from registry.protocols import Split
        from registry.targets import find_judge

        config, needs = self.config, self.needs
        pack = opened_pack(needs.pack, at)
        require_clips(pack, config.folds)
        protocol = config.protocol.build()
        judged_by = f"protocols/{config.protocol.name}" if protocol.judge else f"targets/{pack.target}"
        judge = find_judge(judged_by)
        require_judgement(judge, pack, config.folds)
        outcomes = protocol.evaluate(
            self._subject(pack, folder, at),
            Split(pack.known(), config.shots, config.draw, config.seed),
            config.folds,
            config.seed,
            at.told,
        )
        seen_N, pretraining = self._seen(pack, at)
        predictions.write(outcomes, pack, seen_N, folder)
        folds = predictions.figures(outcomes, pack, judge)
        mean = float(np.mean([fold.figure(judge.chief.column) for fold in folds.values()]))
        cost = at.store.result(embed.EmbedJob, needs.embed) if needs.embed else None
        return Record(
            summary=f"{judge.chief.name} {judge.chief.write(mean)[0]}",
            target=pack.target,
            judge=judged_by,
            metric=judge.chief.column,
            folds=folds,
            classes=pack.classes,
            data_hash=pack.content_hash,
            skipped=len(pack.skipped),
            missing=pack.missing,
            embedding=_embedding(cost) if cost else None,
            weights_sha256=cost.weights_sha256 if cost else embed.fetched_digest(self._model),
            **pretraining,
        )

    @property
    def lighter(self) -> str:
        batch_size = getattr(self.config.protocol.settings, "batch_size", 1)
        fewer = f"set batch_size: {batch_size // 2} of {self.config.protocol.name}; or " if batch_size > 1 else ""
        return f"{fewer}{super().lighter}"

    @cached_property
    def _model(self) -> embed.Config:
        model = self.config.model
        assert model
        return model

    def _subject(self, pack: "Pack", folder: Path, at: "Workplace") -> "Subject":
        from benchmark.jobs.embedding import load_embeddings
        from benchmark.jobs.scratch import scratch_in
        from registry.protocols import Embeddings, Model, Subject

        embeddings: Embeddings | None = None
        model: Model | None = None
        if self.needs.embed:
            with at.store.opened("embed", self.needs.embed, "embeddings.safetensors") as path:
                embeddings = load_embeddings(path)
        if self.config.model:
            model = self._fresh(at)
        return Subject(
            embeddings,
            pack.recordings,
            at.device.device,
            at.device.autocast,
            model,
            scratch_in(folder),
            lambda line: at.progress.say(f"{self.title}: {line}"),
        )

    def _fresh(self, at: "Workplace") -> "Model":
        """The model. Its ``encoder`` makes a new encoder at each call, and resets the front end."""
        from benchmark.jobs.model import build_views
        from registry.protocols import Model
        from registry.views import Views

        statistics = statistics_of(self.needs.statistics, at)
        views = build_views(self._model.frontend, self.config.augment, statistics).to(at.device.device)

        def encoder() -> "Encoder":
            frontend, made = embed.weighted_net(self._model, self.needs, at)
            views.frontend.load_state_dict(frontend.state_dict())
            views.frontend.eval()
            return made

        window = self._model.window_samples
        assert window != "whole"  # the suite was refused
        return Model(encoder, views, Views(views.frontend), window)

    def _seen(self, pack: "Pack", at: "Workplace") -> "tuple[NDArray[np.bool_], dict[str, Any]]":
        """Which clips of the task the encoder's pretraining saw, and the record's fields about the pretraining."""
        import numpy as np

        from benchmark.jobs.corpus import corpus_of, data_set_of, held_by

        pretrained = pretraining_of(self, at.jobs)
        if pretrained is None:
            return np.zeros(len(pack.ids), bool), {}
        corpus, usable = corpus_of(pretrained.needs.corpus, pretrained.needs.exclude, at)
        tested = data_set_of(self.needs.pack, at)
        seen_N = held_by(corpus, usable.clips, tested)
        method = pretrained.config.method
        fields: dict[str, Any] = {
            "clips_seen_in_pretraining": int((seen_N & np.isin(tested.pack.folds, tested.task.folds)).sum()),
            "labels_seen_in_pretraining": method.component.uses_labels(method.settings),
        }
        if at.store.done(pretrained):  # the encoder may be deleted while its embeddings are kept
            fields["steps_per_second"] = at.store.result(PretrainJob, pretrained.key).steps_per_second
        return seen_N, fields


def _embedding(cost: embed.Record) -> Embedding:
    where = cost.environment
    return Embedding(
        dim=cost.dim,
        parameters=cost.parameters,
        clips_per_second=cost.clips_per_second,
        padded=cost.padded,
        device=where.device,
        precision=where.precision,
    )


def model_of(evaluation: EvaluateJob, jobs: Mapping[str, job.AnyJob]) -> tuple[embed.Config, embed.Needs]:
    """The evaluated model and its needs: those of the evaluation itself, or of the job that made its embeddings."""
    embedding = jobs[evaluation.needs.embed] if evaluation.needs.embed else None
    if isinstance(embedding, embed.EmbedJob):
        return embedding.config, embedding.needs
    return evaluation._model, evaluation.needs


def pretraining_of(evaluation: EvaluateJob, jobs: Mapping[str, job.AnyJob]) -> PretrainJob | None:
    """The pretraining that an evaluated encoder comes from; None if there is none."""
    pretraining = jobs.get(model_of(evaluation, jobs)[1].pretrain or "")
    return pretraining if isinstance(pretraining, PretrainJob) else None
