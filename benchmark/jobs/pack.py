"""Packs a task's recordings: decodes and resamples them once, for all jobs that use them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, PositiveInt, SerializerFunctionWrapHandler, model_serializer, model_validator

from benchmark.data.remarks import remarks
from benchmark.store import job
from benchmark.store.digests import Digests
from registry.errors import Mistake
from registry.lookup import StoredTask

if TYPE_CHECKING:
    from benchmark.jobs.packing import Pack
    from benchmark.jobs.workplace import Workplace
    from registry.tasks import Clip

Samples = Literal["int16", "float32"]
_ENDINGS: dict[Samples, str] = {"int16": "i16", "float32": "f32"}


class Config(job.Config):
    """The task, and the form of its samples."""

    task: StoredTask
    sample_rate: PositiveInt = Field(description="Hz")
    inputs: str | None = Field(
        description="hash of the task's list of clips and their files' contents; None if they are missing"
    )
    samples: Samples = Field("int16", description="type of the stored samples; the default is in no key")
    target: int | str = Field(1, description="version of the task's target; version 1 is in no key")


class Needs(job.Needs):
    """A pack needs no other job."""


class Clipped(BaseModel):
    """Samples over full scale, which int16 clips."""

    clips: job.Count
    samples: job.Count
    peak: job.Measure = Field(description="the highest value, at full scale 1")


class Record(job.Record):
    """The content of a pack."""

    clips: job.Count
    audio_seconds: job.Measure
    sample_rate: PositiveInt = Field(description="Hz")
    samples: Samples = "int16"
    classes: tuple[str, ...]
    content_hash: str = Field(description="of all samples, clip by clip")
    skipped: dict[str, str] = Field(description="the clips that were left out, and why")
    missing: job.Count = Field(0, description="clips that the metadata name and that are not there")
    target: str = Field("one-label", description="name of the task's target: what is predicted of a clip")
    clipped: Clipped | None = None
    remarks: tuple[str, ...] = ()
    shards: int = Field(1, ge=1, description="files of samples; records of one do not state it")

    @model_serializer(mode="wrap")
    def _one_shard_is_not_stated(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """So that records are as they were when no pack had several."""
        stated: dict[str, Any] = plain(self)
        if self.shards == 1:
            del stated["shards"]
        return stated

    @model_validator(mode="before")
    @classmethod
    def _targets_had_no_names(cls, stored: Any) -> Any:
        """Older records state only whether a clip may have several labels."""
        if isinstance(stored, dict) and stored.get("multi_label") and "target" not in stored:
            return {**stored, "target": "several-labels"}
        return stored

    @model_validator(mode="before")
    @classmethod
    def _seconds_were_of_audio(cls, stored: Any) -> Any:
        """In older records ``seconds`` are those of audio, not those that the job took."""
        if isinstance(stored, dict) and "audio_seconds" not in stored:
            return {**stored, "audio_seconds": stored.get("seconds"), "seconds": 0.0}
        return stored

    @property
    def files(self) -> tuple[str, ...]:
        return "clips.parquet", *sample_files(self.samples, self.shards)

    def is_large(self, name: str) -> bool:
        return name not in ("clips.parquet", "job.json")


def sample_files(samples: Samples, shards: int) -> tuple[str, ...]:
    """The names of a pack's files of samples, in order: ``samples.i16``, or ``samples-00000.i16`` and so on."""
    numbers = [""] if shards == 1 else [f"-{number:05}" for number in range(shards)]
    return tuple(f"samples{number}.{_ENDINGS[samples]}" for number in numbers)


class PackJob(job.Job[Config, Needs, Record]):
    """Decodes every clip of a task."""

    kind = "pack"

    def run(self, folder: Path, at: "Workplace") -> Record:
        from benchmark.jobs.packing import make_pack
        from benchmark.jobs.shards import Checkpoint

        config = self.config
        task = config.task.build()
        clips = task.clips(at.data)
        digests = Digests(at.store.root / "digests", at.progress.say)
        changed = Mistake("recordings changed after the suite was planned", where=str(at.data), fix="run it again")
        if digests.listing(config.task.name, clips) != config.inputs:
            raise changed

        def still(some: Sequence["Clip"]) -> str:
            at.store.require_lease(self)
            listing = digests.listing_again(some)
            if listing is None:
                digests.listing(config.task.name, clips)  # which names what changed
                raise changed
            return listing

        at.progress.expect(len(clips), unit="clips")
        made = make_pack(
            task,
            clips,
            config.sample_rate,
            folder,
            at.progress,
            samples=config.samples,
            skip_bad=at.skip_bad,
            checkpoint=Checkpoint(at.store.checkpoint(self), still),
        )
        odd = remarks(task, [clip for clip in clips if clip.id not in made.skipped])
        for remark in odd:
            at.progress.say(f"{self.title}: {remark}")
        summary = f"{made.clips} clips, {made.audio_seconds / 60:.1f} min of audio"
        if made.clipped and made.clipped.clips:
            summary += f", {made.clipped.clips} of them over full scale and clipped"
        return made.model_copy(update={"remarks": odd, "summary": summary})

    @property
    def lighter(self) -> str:
        return f"{super().lighter}; several recordings are in memory at once, so that shorter ones need less"


def opened_pack(key: str, at: "Workplace") -> "Pack":
    """A finished pack."""
    from benchmark.jobs.packing import open_pack

    with at.store.opened("pack", key, "clips.parquet") as path:
        return open_pack(path.parent)
