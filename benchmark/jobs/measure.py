"""Measures statistics of a front end's output, for a front end that normalises by them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, FiniteFloat

from benchmark.jobs.pack import opened_pack
from benchmark.store import job
from registry.lookup import StoredFrontend
from registry.windows import Window

if TYPE_CHECKING:
    from benchmark.jobs.workplace import Workplace

Statistics = Mapping[str, tuple[float, float]]  # name of a module that normalises -> mean and standard deviation


class Config(job.Config):
    """The front end, and the fold that is left out."""

    frontend: StoredFrontend
    window_samples: Window = Field(alias="window", description="samples in a window, or whole")
    held_out: int | None = Field(description="the fold whose clips are left out; None for the corpus of a pretraining")


class Needs(job.Needs):
    """A pack, and, for a corpus, the packs whose recordings are left out of it."""

    pack: job.Key
    exclude: tuple[job.Key, ...] = ()


class Record(job.Record):
    """The statistics."""

    statistics: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(description="mean and standard deviation by module")
    clips: job.Count
    data_hash: str = Field(description="of the pack's samples")


class MeasureJob(job.Job[Config, Needs, Record]):
    """Runs the front end over every window of the training clips."""

    kind = "measure"

    def run(self, folder: Path, at: "Workplace") -> Record:
        import torch

        from benchmark.jobs.corpus import corpus_of, require_clips
        from benchmark.jobs.measuring import measure
        from benchmark.jobs.model import build_views

        config = self.config
        pack = opened_pack(self.needs.pack, at)
        if config.held_out is None:
            clips_N = torch.from_numpy(corpus_of(self.needs.pack, self.needs.exclude, at)[1].clips)
        else:
            require_clips(pack, [config.held_out])
            clips_N = torch.tensor([i for i, fold in enumerate(pack.folds) if fold != config.held_out])
        at.progress.expect(len(clips_N), unit="clips")
        frontend = build_views(config.frontend).frontend.to(at.device.device)
        statistics = measure(frontend, pack.recordings, clips_N, config.window_samples, at.device.device, at.progress)
        summary = "; ".join(f"mean {mean:.3f}, deviation {std:.3f}" for mean, std in statistics.values())
        return Record(summary=summary, statistics=statistics, clips=len(clips_N), data_hash=pack.content_hash)

    @property
    def lighter(self) -> str:
        return f"set a shorter crop, in seconds; or {super().lighter}"


def statistics_of(key: str | None, at: "Workplace") -> Statistics:
    """The statistics of a finished measurement; empty if there is no key."""
    return at.store.result(MeasureJob, key).statistics if key else {}
