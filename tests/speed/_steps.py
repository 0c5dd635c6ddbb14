"""Steps of pretraining as the loop does them, on made recordings, and encoders to take them with."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from benchmark.jobs.feed import Feed
from benchmark.jobs.loop import _Run
from benchmark.jobs.model import Device, build_encoder, build_views, choose_device, place
from benchmark.trackers import UNTRACKED
from registry.audio import Recordings
from registry.encoders import Encoder
from registry.lookup import AUGMENTATIONS, ENCODERS, FRONTENDS, METHODS
from registry.methods import Corpus
from registry.ranks import ALONE
from registry.seeding import seed_everything
from registry.training import Pretraining

CPU = choose_device("cpu", "fp32")
LOGMEL = {"name": "logmel", "n_fft": 512, "hop_length": 160}  # 64 x 101 of a window of 1 s
RATE, WINDOW, BATCH = 16000, 16000, 64
CNN10 = {"name": "cnn10", "width": 16, "dropout": 0.0}
RESNET18 = {"name": "timm", "model": "resnet18", "in_channels": 1}
TRAINING = Pretraining(epochs=10, batch_size=BATCH, optimizer="adamw", learning_rate=1e-3)


def recordings(clips: int = 4 * BATCH, seconds: int = 5) -> Recordings:
    """Noise, as a pack holds it."""
    import numpy as np

    noise = np.random.default_rng(0).integers(-8000, 8000, clips * seconds * RATE, dtype=np.int16)
    return Recordings(noise, np.arange(clips + 1) * seconds * RATE, RATE)


def pretraining_step(
    method: Mapping[str, Any], encoder: Mapping[str, Any], device: Device = CPU, augment: tuple[str, ...] = ()
) -> Callable[[], None]:
    """Does the next step of a pretraining: crops, views, encoder, loss, optimiser, and what the method does after."""
    seed_everything(0, "weights")
    views = build_views(FRONTENDS.choose(LOGMEL), [AUGMENTATIONS.choose(name) for name in augment])
    heard = recordings()
    built = METHODS.choose(method).build(
        build_encoder(ENCODERS.choose(encoder), views.frontend),
        views,
        Corpus(heard, torch.zeros(len(heard), dtype=torch.long), 1),
    )
    run = _Run(place(built, device), TRAINING, device, Path("none"), UNTRACKED, lambda: None, ALONE)

    batches = Feed(heard, WINDOW, built.windows, BATCH, 0, device.device).batches(0, 1000)

    def step() -> None:
        seed_everything(0, "step", run.step)
        run.do_step(*next(batches), TRAINING.learning_rate)

    return step


def bare_step(encoder: Mapping[str, Any], views: int, keys: int = 0) -> Callable[[], None]:
    """The same encoder on ready spectrograms: forward of the views, and of keys without gradient; backward; AdamW."""
    net: Encoder = place(build_encoder(ENCODERS.choose(encoder), build_views(FRONTENDS.choose(LOGMEL)).frontend), CPU)
    x_BCFN = torch.randn(BATCH, 1, 64, 101).contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)

    def step() -> None:
        with torch.no_grad():
            for _ in range(keys):
                net.embed(x_BCFN)
        loss = torch.stack([net.embed(x_BCFN).square().mean() for _ in range(views)]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step
