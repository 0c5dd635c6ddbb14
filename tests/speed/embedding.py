"""Embedding clips: beside the net alone, on ready tensors in the same batches; and how it grows with their number."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmark.jobs.embedding import ClipEmbeddings
from benchmark.jobs.model import build_encoder, build_views, choose_device, place
from benchmark.progress import Progress
from registry.audio import Recordings
from registry.lookup import ENCODERS, FRONTENDS
from tests.speed import Row, exponent, ratio

_RATE, _SECONDS, _AT_ONCE = 16000, 5, 8
_RESNET = {"name": "timm", "model": "resnet18", "in_channels": 1}
_NARROW = {"name": "cnn10", "width": 16}
_SIZES = (1000, 8000, 64000)


def rows() -> Iterator[Row]:
    """Clips of the length of ESC-50's in one window each, and clips of a sixth of a second."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "embeddings.safetensors"
        for work, encoder, hop, goal in (
            ("ResNet-18", _RESNET, 160, 1.05),
            ("CNN10 of width 16", _NARROW, 160, 1.2),
            ("CNN10 of width 16, a hop of 640", _NARROW, 640, 1.2),
        ):
            clips = _AT_ONCE * (1 if encoder is _RESNET else 8)
            made = _embeddings(encoder, hop, clips, _SECONDS * _RATE)
            every = made.recordings.batches(torch.arange(clips), _SECONDS * _RATE, _AT_ONCE)
            ready = [made.views(wave_WT) for wave_WT, _ in every]

            @torch.no_grad()
            def bare(made: ClipEmbeddings = made, ready: list[torch.Tensor] = ready) -> None:
                for x_BCFN in ready:
                    made.encoder.embed(x_BCFN)

            title = f"embed {clips} clips of {_SECONDS} s, {work}"
            yield ratio(title, partial(made.write, path), "the net on ready tensors", bare, goal, pairs=3)
        _embeddings({"name": "cnn6", "width": 1}, 160, 8, _RATE // 6).write(path)  # imports what it needs
        seconds = {}
        for size in _SIZES:
            made = _embeddings({"name": "cnn6", "width": 1}, 160, size, _RATE // 6)
            began = time.process_time()
            made.write(path)
            seconds[size] = time.process_time() - began
        yield exponent("embed clips of a sixth of a second", seconds)


def _embeddings(encoder: dict[str, Any], hop: int, clips: int, samples: int) -> ClipEmbeddings:
    device = choose_device("cpu", "fp32")
    views = build_views(FRONTENDS.choose({"name": "logmel", "sample_rate": _RATE, "hop_length": hop}))
    net = place(build_encoder(ENCODERS.choose(encoder), views.frontend), device)
    noise = np.resize(np.random.default_rng(0).integers(-9000, 9000, samples, np.int16), clips * samples)
    recordings = Recordings(noise, np.arange(clips + 1) * samples, _RATE)
    return ClipEmbeddings(views.eval(), net.eval(), recordings, [""] * clips, samples, device, Progress())
