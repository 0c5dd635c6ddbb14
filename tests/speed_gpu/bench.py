"""How a figure is measured: our work and the bare net's by turns, on the device, with nothing else there."""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmark.jobs.feed import Feed
from benchmark.jobs.loop import _Run
from benchmark.jobs.model import Device, build_encoder, build_views, place
from benchmark.trackers import UNTRACKED
from registry.audio import Recordings
from registry.encoders import Encoder
from registry.frontends import Frontend
from registry.lookup import AUGMENTATIONS, ENCODERS, FRONTENDS, METHODS
from registry.methods import Corpus, Method
from registry.ranks import ALONE
from registry.seeding import seed_everything
from registry.training import Pretraining

RESNET50 = {"name": "esresnet", "depth": 50}
SMALL_NET = {"name": "cnn10", "width": 2, "dropout": 0.0}  # of tiny sizes
_TURNS = 5
Settings = Mapping[str, Any]
Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        work: what was done.
        rate: clips a second.
        flops: floating-point operations a second, counted by torch; None where they were not counted.
        ratio: our seconds over those of the bare net; None where there is no bare net.
        schedule: what the source does in full, in words; empty if there is none.
        hours: that this takes at this rate.
        note: what else there is to say.
    """

    work: str
    rate: float
    flops: float | None = None
    ratio: float | None = None
    schedule: str = ""
    hours: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Bench:
    """Where figures are measured.

    Args:
        device: with its precision.
        small: tiny sizes, which show that all of it runs; their figures mean nothing.
        until: when the part that measures should be done, on ``time.monotonic``.
    """

    device: Device
    small: bool
    until: float

    @property
    def enough(self) -> float:
        """Seconds of measuring for each figure."""
        return 0.05 if self.small else 4.0

    def left(self) -> float:
        """Seconds that are left."""
        return self.until - time.monotonic()

    def seconds(self, work: Work, times: int = 1) -> float:
        """Seconds of a call, until the device is done."""
        self._wait()
        began = time.perf_counter()
        for _ in range(times):
            work()
        self._wait()
        return (time.perf_counter() - began) / times

    def by_turns(self, *works: Work) -> list[float]:
        """Seconds of a call of the first work, and its ratio to each other one: the medians of five turns.

        Two calls of each come first, which load what they need. Of a call that takes long, one more is enough.
        """
        for work in works:
            work()
        once = [self.seconds(work) for work in works]
        calls = [max(1, math.ceil(self.enough / len(works) / _TURNS / max(taken, 1e-6))) for taken in once]
        turns = _TURNS if max(once) < self.enough else 1
        table = [[self.seconds(work, n) for work, n in zip(works, calls, strict=True)] for _ in range(turns)]
        ratios = [statistics.median(row[0] / row[i] for row in table) for i in range(1, len(works))]
        return [statistics.median(row[0] for row in table), *ratios]

    def _wait(self) -> None:
        if self.device.device.type == "cuda":
            torch.cuda.synchronize(self.device.device)


def flops_of(work: Work) -> int:
    """Floating-point operations of matrix products and convolutions in a call, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def made(clips: int, seconds: float, rate: int) -> Recordings:
    """Noise of so many clips; only the first 128 are made, and the others are these again."""
    unique, samples = min(clips, 128), int(seconds * rate)
    noise = np.random.default_rng(0).integers(-8000, 8000, unique * samples, dtype=np.int16)
    recordings = Recordings(noise, np.arange(unique + 1) * samples, rate)
    return recordings if unique == clips else recordings.subset(torch.arange(clips) % unique)


class Training:
    """A pretraining whose steps are taken one by one, as the loop takes them.

    Args:
        bench: where.
        method: with its settings; its recipe is the source's.
        encoder: with its settings.
        frontend: with its settings.
        crop: seconds of a window; clips are two seconds longer.
        batch: clips in a batch.
        augment: augmentations.
        chunk: the most clips in the encoder at once.
        clips: of the corpus; two batches by default.
    """

    def __init__(
        self,
        bench: Bench,
        method: Settings,
        encoder: Settings,
        frontend: Settings,
        crop: float,
        batch: int,
        augment: Sequence[Any] = (),
        chunk: int | None = None,
        clips: int | None = None,
    ) -> None:
        self.device, self.encoder_settings, self.crop = bench.device, encoder, crop
        seed_everything(0, "weights")
        views = build_views(FRONTENDS.choose(frontend), [AUGMENTATIONS.choose(one) for one in augment])
        self.heard = made(clips or 2 * batch, crop + 2, views.frontend.sample_rate)
        corpus = Corpus(self.heard, torch.zeros(len(self.heard), dtype=torch.long), 1)
        built = METHODS.choose(method).build(build_encoder(ENCODERS.choose(encoder), views.frontend), views, corpus)
        self.method: Method = place(built, bench.device)
        recipe = {**METHODS.find(method["name"]).recipe, "batch_size": batch, "chunk": chunk}
        self.training = Pretraining.model_validate(recipe)
        given = (bench.device, Path("nowhere"), UNTRACKED, lambda: None, ALONE)
        self.run = _Run(self.method, self.training, *given)
        self.method.before_epoch()
        self.take(batch)

    def take(self, batch: int) -> None:
        """Takes batches of so many clips from now on."""
        self.batch, samples = batch, int(self.crop * self.heard.sample_rate)
        self.batches = Feed(self.heard, samples, self.method.windows, batch, 0, self.device.device).batches(0, 10**6)

    def step(self) -> None:
        """Does the next step."""
        seed_everything(0, "step", self.run.step)
        self.run.do_step(*next(self.batches), self.training.learning_rate)

    @torch.no_grad()
    def ready(self) -> Tensor:
        """A batch as the encoder takes it, without augmentation."""
        wave_BVT, _ = next(self.batches)
        x: Tensor = self.method.views.frontend(wave_BVT[:, 0])
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


@dataclass(frozen=True)
class Pass:
    """A pass of the bare net.

    Args:
        net: the encoder.
        x: its input, ready on the device.
        learns: whether it goes backward, too.
        groups: parts of the batch that pass one after the other.
    """

    net: Encoder
    x: Tensor
    learns: bool = True
    groups: int = 1


def bare(device: Device, passes: Sequence[Pass]) -> Work:
    """Forward and backward of nets on ready tensors, in the same precision and memory format as ours."""

    def embedded(one: Pass) -> Tensor:
        return torch.cat([one.net.embed(x) for x in one.x.chunk(one.groups)])

    def work() -> None:
        with device.autocast():
            with torch.no_grad():
                for one in passes:
                    if not one.learns:
                        embedded(one)
            losses = [embedded(one).float().square().mean() for one in passes if one.learns]
        for parameter in chain(*(one.net.parameters() for one in passes)):
            parameter.grad = None
        if losses:
            torch.stack(losses).sum().backward()

    return work


def fresh(settings: Settings, frontend: Frontend, device: Device) -> Encoder:
    """An encoder with its first weights, on the device."""
    return place(build_encoder(ENCODERS.choose(settings), frontend), device)


def named(net: Settings) -> str:
    """An encoder in words."""
    settings = ", ".join(f"{value}" for name, value in net.items() if name not in ("name", "branches", "dropout"))
    return f"{net['name']} ({settings})" if settings else str(net["name"])


def tidy() -> None:
    """Frees what is no longer used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
