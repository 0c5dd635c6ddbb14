"""Cutting a step's windows, beside the rest of the step."""

from collections.abc import Iterator
from pathlib import Path

import torch

from benchmark.jobs.feed import Feed
from benchmark.jobs.loop import _Run
from benchmark.jobs.model import build_encoder, build_views, choose_device, place
from benchmark.trackers import UNTRACKED
from registry.audio import Recordings
from registry.lookup import ENCODERS, FRONTENDS, METHODS
from registry.methods import Corpus
from registry.ranks import ALONE
from registry.seeding import seed_everything
from registry.training import Pretraining
from tests.speed import Row, ratio

_RATE = 16000


def rows() -> Iterator[Row]:
    """Batches of two windows of a clip, as share of a SimCLR step with a ResNet-18 on that batch."""
    for batch, seconds, pairs in ((64, 1.0, 3), (64, 5.0, 1), (256, 1.0, 1)):
        yield _share(batch, seconds, pairs)


def _share(batch: int, seconds: float, pairs: int) -> Row:
    device = choose_device("cpu", "fp32")
    generator = torch.Generator().manual_seed(0)
    samples = torch.randint(-8000, 8000, (512 * 6 * _RATE,), generator=generator, dtype=torch.int16).numpy()
    offsets = torch.arange(0, len(samples) + 1, 6 * _RATE).numpy()
    heard = Recordings(samples, offsets, _RATE)
    seed_everything(0, "weights")
    views = build_views(FRONTENDS.choose("logmel"))
    net = build_encoder(ENCODERS.choose({"name": "timm", "model": "resnet18", "in_channels": 1}), views.frontend)
    method = METHODS.choose("simclr").build(net, views, Corpus(heard, torch.zeros(len(heard)).long(), 1))
    training = Pretraining(epochs=1, batch_size=batch, learning_rate=1e-3)
    run = _Run(place(method, device), training, device, Path("nowhere"), UNTRACKED, lambda: None, ALONE)
    batches = Feed(heard, int(seconds * _RATE), 2, batch, 0, device.device).batches(0, 10**6)
    ready = next(batches)
    return ratio(
        f"cutting {batch} x 2 windows of {seconds:g} s",
        lambda: next(batches),
        "a step of SimCLR with ResNet-18 on them",
        lambda: run.do_step(*ready, 1e-3),
        0.02,
        pairs,
    )
