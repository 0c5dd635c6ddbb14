"""Made sounds, labels and embeddings in place of a data set's: the work on them takes as long as on the real ones."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from benchmark.jobs.contents import Contents
from benchmark.jobs.packing import Pack
from registry.audio import FULL_SCALE, Recordings, window_starts
from registry.protocols import Embeddings
from registry.windows import Window


def recordings(contents: Contents) -> Recordings:
    """As many clips of the same lengths: tones in noise, because noise alone would be one sound to most nets."""
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(contents.samples_N)]).astype(np.int64)
    samples = np.empty(offsets[-1], np.int16)
    noise_T = rng.standard_normal(int(contents.samples_N.max()), dtype=np.float32)
    for begin, end in itertools.pairwise(offsets.tolist()):
        tone_T = np.sin(np.float32(rng.uniform(0.02, 2)) * np.arange(end - begin, dtype=np.float32))
        wave_T = rng.uniform(0.05, 0.5) * tone_T + rng.uniform(0.001, 0.1) * noise_T[: end - begin]
        samples[begin:end] = wave_T.clip(-1, 1) * FULL_SCALE
    return Recordings(samples, offsets, contents.sample_rate)


def embeddings(contents: Contents, window: Window, dim: int, parts: Sequence[str]) -> Embeddings:
    """Random embeddings of the clips' windows; where a protocol names parts, each is taken to be a whole embedding."""
    windows_N = [1 if window == "whole" else len(window_starts(int(n), window)) for n in contents.samples_N]
    clip_W = torch.repeat_interleave(torch.arange(len(contents)), torch.tensor(windows_N))
    generator = torch.Generator().manual_seed(0)
    window_WD = torch.randn(len(clip_W), dim * max(len(parts), 1), generator=generator)
    return Embeddings(window_WD, clip_W, dict.fromkeys(parts, dim))


def pack(contents: Contents) -> Pack:
    """A pack of such clips."""
    import pyarrow as pa

    names = pa.array(map(str, contents.names))
    return Pack(
        recordings=recordings(contents),
        ids=names,
        labels=contents.label_N,
        folds=contents.fold_N,
        sources=pa.array(map(str, contents.sources)),
        hashes=lambda: names,
        classes=tuple(map(str, range(contents.classes))),
        content_hash="",
        skipped=(),
        target=contents.target,
    )
