"""Embeddings of a data set: every clip is cut into windows, and each window embedded once."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmark.jobs.model import Device
from benchmark.progress import Progress
from registry.audio import Recordings
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.protocols import Embeddings
from registry.tensors import read_tensors, write_tensors
from registry.views import Views

_CLIPS_AT_ONCE = 8  # measured on a CPU: larger batches overflow its caches


@torch.no_grad()
def embed(
    views: Views,
    encoder: Encoder,
    recordings: Recordings,
    names: Sequence[str],
    window_samples: int,
    device: Device,
    progress: Progress,
) -> Embeddings:
    """Embeds every window of every clip, with front end and encoder in eval mode.

    Args:
        views: the front end, without augmentation.
        encoder: on the device.
        recordings: the clips.
        names: of the clips, for people.
        window_samples: samples in a window; windows overlap by half.
        device: where, and in which precision.
        progress: advances with each clip.

    Raises:
        Mistake: with the first clip whose embedding is not finite.
    """
    views.eval()
    encoder.eval()
    windows, owners = [], []
    for clips in torch.arange(len(recordings)).split(_CLIPS_AT_ONCE):
        wave_WT, owner_W = recordings.windows(clips, window_samples)
        with device.autocast():
            windows.append(encoder.embed(views(wave_WT.to(device.device))).float().cpu())
        require_finite(windows[-1], [names[clip] for clip in clips[owner_W].tolist()], "the embedding")
        owners.append(clips[owner_W])
        progress.advance(len(clips))
    return Embeddings(torch.cat(windows), torch.cat(owners), encoder.parts)


def require_finite(value_ND: Tensor, names: Sequence[str], what: str) -> None:
    """Refuses rows with infinite values or NaN, which would still give figures.

    Args:
        value_ND: computed values.
        names: the clip of each row.
        what: the word for these values in a sentence.

    Raises:
        Mistake: with the first wrong clip.
    """
    finite_N = value_ND.isfinite().all(1)
    if not finite_N.all():
        first = names[int((~finite_N).nonzero()[0])]
        raise Mistake(
            f"{what} of {first} is not finite",
            fix="see to the encoder's weights and the front end; if it was trained, to the learning rate",
        )


def save_embeddings(embeddings: Embeddings, path: Path) -> None:
    """Writes ``embeddings.safetensors``: ``window`` ``[W, D]`` and ``clip`` ``[W]``, the parts in its metadata."""
    metadata = {"parts": json.dumps(dict(embeddings.parts))}
    write_tensors(path, {"window": embeddings.window_WD, "clip": embeddings.clip_W}, metadata)


def load_embeddings(path: Path) -> Embeddings:
    """Reads what ``save_embeddings`` wrote."""
    tensors, metadata = read_tensors(path)
    return Embeddings(tensors["window"], tensors["clip"], json.loads(metadata.get("parts", "{}")))
