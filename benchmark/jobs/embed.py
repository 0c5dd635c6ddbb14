"""Embeds a task's recordings, once for all protocols that work on embeddings."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from benchmark.jobs.measure import statistics_of
from benchmark.jobs.pack import opened_pack
from benchmark.store import job
from benchmark.store.files import file_digest
from registry.lookup import WEIGHTS, StoredEncoder, StoredFrontend
from registry.own_code import require_named
from registry.weights.own import brought
from registry.windows import Window

if TYPE_CHECKING:
    from benchmark.jobs.workplace import Workplace
    from registry.encoders import Encoder
    from registry.frontends import Frontend


_LONG = 30.0  # seconds


class WeightsKey(BaseModel):
    """Names an encoder's weights in a key. Pretrained weights are named by the key of their pretraining.

    The source of the weights adds fields of its own: see ``stated``.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(description="name of the source")
    version: int | str | None = Field(None, description="of the source, where it is not the first")
    sha256: str | None = Field(None, description="of a file or a folder; None where it is not there")
    revision: str | None = Field(None, description="commit of a model in a hub's cache")

    @property
    def stated(self) -> Mapping[str, Any]:
        """The fields that the source of the weights adds."""
        return self.model_extra or {}


StatedWeights = Annotated[WeightsKey, PlainSerializer(lambda weights: weights.model_dump(exclude_unset=True))]


class Config(job.Config):
    """The model that embeds."""

    encoder: StoredEncoder
    frontend: StoredFrontend
    weights: StatedWeights
    window_samples: Window = Field(alias="window", description="samples in a window, or whole")


class Needs(job.Needs):
    """A pack, and the jobs that make the weights or the front end's statistics, if there are such jobs."""

    pack: job.Key
    pretrain: job.Key | None = None
    statistics: job.Key | None = None


class Record(job.Record):
    """The size of the embeddings, and their cost."""

    large = frozenset({"embeddings.safetensors"})

    windows: job.Count = Field(description="that were embedded, or whole clips")
    dim: job.Count
    parameters: job.Count | None = Field(
        description="of the encoder, and of a front end that learns; None if torch does not run the model"
    )
    weights_sha256: str | None = Field(None, description="of the file that weights without a path came from")
    clips_per_second: job.Measure = Field(description="whole clips, front end included")
    padded: job.Count = Field(
        0, description="whole clips that are too short for the encoder, and got silence at their end"
    )
    data_hash: str = Field(description="of the pack's samples")

    @property
    def files(self) -> tuple[str, ...]:
        return ("embeddings.safetensors",)


class EmbedJob(job.Job[Config, Needs, Record]):
    """Embeds every window of every clip, or every whole clip."""

    kind = "embed"

    def run(self, folder: Path, at: "Workplace") -> Record:
        import torch

        from benchmark.jobs.embedding import ClipEmbeddings, shortest_of
        from registry.views import Views

        def say(line: str) -> None:
            at.progress.say(f"{self.title}: {line}")

        config, window = self.config, self.config.window_samples
        pack = opened_pack(self.needs.pack, at)
        clips = pack.recordings
        lengths_N = clips.lengths(torch.arange(len(clips)))
        longest = int(lengths_N.max()) / clips.sample_rate
        if window == "whole" and longest > _LONG:  # the system may end the process, which then says nothing
            say(f"clips have up to {longest:.1f} s, each in one piece; if the memory does not suffice: crop: SECONDS")
        at.progress.expect(len(clips), unit="clips")
        frontend, encoder = weighted_net(config, self.needs, at)
        views = Views(frontend)
        began = time.monotonic()
        shortest = shortest_of(views, encoder, clips, at.device) if window == "whole" else 1
        made = ClipEmbeddings(views, encoder, clips, pack.ids, window, at.device, at.progress, shortest, say)
        windows, dim = made.write(folder / "embeddings.safetensors")
        rate = len(clips) / (time.monotonic() - began)
        padded = int((lengths_N < shortest).sum())
        summary = f"{windows} {'whole clips' if window == 'whole' else 'windows'} of {dim}"
        if padded:
            seconds = shortest / clips.sample_rate
            summary += f"; {padded} of them padded with silence to {seconds:.3f} s, the shortest that the net embeds"
        return Record(
            summary=summary,
            padded=padded,
            windows=windows,
            dim=dim,
            parameters=sum(p.numel() for module in (frontend, encoder) for p in module.parameters()) or None,
            weights_sha256=fetched_digest(config),
            clips_per_second=round(rate, 2),
            data_hash=pack.content_hash,
        )

    @property
    def lighter(self) -> str:
        return f"set a shorter crop, in seconds; or {super().lighter}"


def weighted_net(config: Config, needs: Needs, at: "Workplace") -> "tuple[Frontend, Encoder]":
    """The front end and the encoder with their weights, on the device.

    Args:
        config: names the encoder, the front end and the weights.
        needs: the jobs that made the weights and the statistics, if there are such jobs.
        at: where the files are.

    Raises:
        Mistake: if the model is code that only a stored file names, or its weights do not fit.
    """
    from benchmark.jobs.model import build_encoder, build_views, place
    from registry.seeding import seed_everything

    weights = config.weights
    seed_everything(weights.stated.get("seed", 0), "weights")
    frontend = build_views(config.frontend, statistics=statistics_of(needs.statistics, at)).frontend
    encoder = build_encoder(config.encoder, frontend)
    source = WEIGHTS.find(weights.kind)
    if needs.pretrain:
        with at.store.opened("pretrain", needs.pretrain, "encoder.safetensors") as path:
            source.load(encoder, frontend, weights.stated, path)
    else:
        named = weights.sha256 or weights.revision
        file = at.files[named] if named else ""
        model = brought(config.encoder.component)
        if file and model and model.is_program:
            require_named(file)
        source.load(encoder, frontend, weights.stated, Path(file) if file else None)
    return frontend.to(at.device.device), place(encoder, at.device)


def fetched_digest(config: Config) -> str | None:
    """SHA-256 of the file that was downloaded for weights without a path; None if it is not known.

    It is in no key, because the key would change with the first download.
    """
    model, weights = brought(config.encoder.component), config.weights
    path = model.fetched_file(config.encoder.settings) if model else None
    path = path or WEIGHTS.find(weights.kind).fetched(weights.stated)
    return file_digest(path) if path else None
