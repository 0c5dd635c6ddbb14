"""Pretrains an encoder on a corpus."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, FiniteFloat, PlainSerializer, PositiveInt

from benchmark.jobs.measure import statistics_of
from benchmark.store import job
from benchmark.store.files import json_text
from registry.lookup import StoredAugmentation, StoredEncoder, StoredFrontend, StoredMethod
from registry.training import Pretraining

if TYPE_CHECKING:
    from benchmark.jobs.watch import Probe
    from benchmark.jobs.workplace import Workplace


class Config(job.Config):
    """The method, the encoder, and the training."""

    method: StoredMethod
    encoder: StoredEncoder
    frontend: StoredFrontend
    augment: tuple[StoredAugmentation, ...]
    training: Annotated[Pretraining, PlainSerializer(lambda training: training.canonical())]
    window_samples: PositiveInt = Field(alias="crop", description="samples in a window")
    seed: int
    gradients: PositiveInt = Field(1, description="version of the encoder's gradients; version 1 is in no key")


class Needs(job.Needs):
    """Packs, and the statistics of the corpus if the front end normalises by them.

    ``exclude`` are the packs whose recordings are left out of the corpus, in the order of their keys. ``monitor`` is
    the pack of the task that probes the encoder during the training.
    """

    corpus: job.Key
    exclude: tuple[job.Key, ...] = ()
    statistics: job.Key | None = None
    monitor: job.Key | None = None


class Record(job.Record):
    """How a pretraining went."""

    large = frozenset({"encoder.safetensors"})

    loss: FiniteFloat = Field(description="mean over the last epoch")
    kept_epoch: job.Count | None = Field(None, description="whose weights were kept")
    steps_per_second: job.Measure
    data_hash: str = Field(description="of the corpus's samples")
    clips: job.Count = Field(description="of the corpus that were used")
    excluded: dict[str, job.Count] = Field({}, description="for each reason, how many clips were left out")

    @property
    def files(self) -> tuple[str, ...]:
        return "encoder.safetensors", "metrics.jsonl"

    def figures(self) -> dict[str, float]:
        return {"loss": self.loss, "steps_per_second": self.steps_per_second}


class PretrainJob(job.Job[Config, Needs, Record]):
    """Trains a method on a corpus, and stores its encoder."""

    kind = "pretrain"
    tracked = True

    def run(self, folder: Path, at: "Workplace") -> Record:
        import torch

        from benchmark.jobs.corpus import corpus_of
        from benchmark.jobs.loop import pretrain
        from benchmark.jobs.model import build_encoder, build_views, place
        from registry.methods import Corpus
        from registry.net import net_state
        from registry.seeding import seed_everything
        from registry.tensors import write_tensors

        config = self.config
        data_set, usable = corpus_of(self.needs.corpus, self.needs.exclude, at)
        corpus, clips_M = data_set.pack, torch.from_numpy(usable.clips)
        recordings = corpus.recordings.subset(clips_M)
        seed_everything(config.seed, "weights")
        views = build_views(config.frontend, config.augment, statistics_of(self.needs.statistics, at))
        encoder = build_encoder(config.encoder, views.frontend)
        labels = corpus.known()
        known = Corpus(recordings, labels.label_N[clips_M], labels.classes, labels.target)
        method = place(config.method.build(encoder, views, known), at.device)
        log = pretrain(
            method,
            recordings,
            config.training,
            config.window_samples,
            config.seed,
            at.device,
            at.store.checkpoint(self),
            at.progress,
            self._probe(at),
            at.tracking,
            partial(at.store.require_lease, self),
            at.group.ranks,
        )
        write_tensors(folder / "encoder.safetensors", net_state(encoder, views.frontend))
        (folder / "metrics.jsonl").write_text("".join(json_text(row) + "\n" for row in log.epochs), encoding="utf-8")
        loss = log.epochs[-1]["loss"]
        return Record(
            summary=f"loss {loss:.3f}" + (f", epoch {log.kept} kept" * (config.training.keep == "best")),
            loss=loss,
            kept_epoch=log.kept,
            steps_per_second=round(log.steps_per_second, 3),
            data_hash=corpus.content_hash,
            clips=len(clips_M),
            excluded=usable.excluded,
        )

    @property
    def lighter(self) -> str:
        training, method = self.config.training, self.config.method.component
        chunk, batch = (training.chunk or training.batch_size) // 2, training.batch_size // 2
        ways = []
        if chunk and not method.on_frames:
            ways.append(f"set chunk: {chunk}, with which gradients stay exact")
        if batch >= method.fewest:
            ways.append(f"set batch_size: {batch}, for which the learning rate may be too high")
        return "; or ".join([*ways, super().lighter])

    def _probe(self, at: "Workplace") -> "Probe | None":
        """The probe of the monitor task; None if there is no such task."""
        if self.needs.monitor is None:
            return None
        from benchmark.jobs.corpus import data_set_of
        from benchmark.jobs.watch import Probe

        monitor = data_set_of(self.needs.monitor, at)
        return Probe(
            monitor.pack,
            monitor.pack.known(),
            monitor.task.folds,
            self.config.window_samples,
            at.device,
            self.config.training.monitor_every,
        )
