"""Embeddings of a data set: every clip in windows, each window embedded once."""

import json
from pathlib import Path

import torch

from benchmark.files import read_tensors, write_tensors
from benchmark.model import Device
from benchmark.progress import Progress
from registry.audio import Recordings
from registry.encoders import Encoder
from registry.protocols import Embeddings
from registry.views import Views

_CLIPS_AT_ONCE = 8  # measured on a CPU, whose caches larger batches overflow


@torch.no_grad()
def embed(
    views: Views, encoder: Encoder, recordings: Recordings, window: int, device: Device, progress: Progress
) -> Embeddings:
    """Embeds every window of every clip, the encoder in eval mode.

    Args:
        views: the front end, without augmentation.
        encoder: on the device.
        recordings: the clips.
        window: samples; windows overlap by half.
        device: where, and in which precision.
        progress: told clip by clip.
    """
    encoder.eval()
    windows, owners = [], []
    for clips in torch.arange(len(recordings)).split(_CLIPS_AT_ONCE):
        wave_WT, owner_W = recordings.windows(clips, window)
        with device.autocast():
            windows.append(encoder.embed(views(wave_WT.to(device.device))).float().cpu())
        owners.append(clips[owner_W])
        progress.advance(len(clips))
    return Embeddings(torch.cat(windows), torch.cat(owners), encoder.parts)


def save_embeddings(embeddings: Embeddings, path: Path) -> None:
    """Writes ``embeddings.safetensors``: ``window`` ``[W, D]`` and ``clip`` ``[W]``, the parts in its metadata."""
    facts = {"parts": json.dumps(dict(embeddings.parts))}
    write_tensors(path, {"window": embeddings.window_WD, "clip": embeddings.clip_W}, facts)


def load_embeddings(path: Path) -> Embeddings:
    """Reads what ``save_embeddings`` wrote."""
    tensors, facts = read_tensors(path)
    return Embeddings(tensors["window"], tensors["clip"], json.loads(facts.get("parts", "{}")))
