"""Embeddings of a data set: every clip is cut into windows, or is whole, and each window or clip embedded once."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from benchmark.jobs.model import Device
from benchmark.progress import Progress
from registry.audio import Recordings
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.net import shortest_embedded
from registry.protocols import Embeddings
from registry.tensors import read_tensors, write_tensors
from registry.views import Views
from registry.windows import Window

_CLIPS_AT_ONCE = 8  # measured on a CPU: larger batches overflow its caches


@torch.no_grad()
def embed(
    views: Views,
    encoder: Encoder,
    recordings: Recordings,
    names: Sequence[str],
    window_samples: Window,
    device: Device,
    progress: Progress,
    shortest: int = 1,
) -> Embeddings:
    """Embeds every window of every clip, or every whole clip, with front end and encoder in eval mode.

    Args:
        views: the front end, without augmentation.
        encoder: on the device.
        recordings: the clips.
        names: of the clips, for people.
        window_samples: samples in a window; windows overlap by half. ``whole`` embeds clips in one piece.
        device: where, and in which precision.
        progress: advances with each clip.
        shortest: samples that shorter whole clips are padded to: see ``shortest_of``.

    Raises:
        Mistake: with the first clip whose embedding is not finite, or that cannot be embedded in one piece.
    """
    views.eval()
    encoder.eval()
    windows, owners = [], []
    every_N = torch.arange(len(recordings))
    for wave_WT, clip_W in recordings.batches(every_N, window_samples, _CLIPS_AT_ONCE, shortest):
        of_window = [names[clip] for clip in clip_W.tolist()]
        seconds = wave_WT.shape[1] / recordings.sample_rate
        with device.autocast(), in_one_piece(window_samples, of_window[0], seconds):
            windows.append(encoder.embed(views(wave_WT.to(device.device))).float().cpu())
        require_finite(windows[-1], of_window, "the embedding")
        owners.append(clip_W)
        progress.advance(len(clip_W.unique()))
    clip_W = torch.cat(owners)
    order_W = clip_W.argsort(stable=True)
    return Embeddings(torch.cat(windows)[order_W], clip_W[order_W], encoder.parts)


def shortest_of(views: Views, encoder: Encoder, recordings: Recordings, device: Device) -> int:
    """Samples that shorter whole clips are padded to with silence, so that the encoder does not refuse them.

    Raises:
        Mistake: if the encoder refuses the shortest clip, however it is padded.
    """
    views.eval()
    encoder.eval()
    lengths_N = recordings.lengths(torch.arange(len(recordings)))

    def embed_silence(samples: int) -> None:
        with device.autocast():
            encoder.embed(views(torch.zeros(1, samples, device=device.device)))

    least = int(lengths_N.min())
    with in_one_piece("whole", "the shortest clip", least / recordings.sample_rate):
        return shortest_embedded(embed_silence, least, recordings.sample_rate)


@contextmanager
def in_one_piece(window: Window, name: str, seconds: float) -> Iterator[None]:
    """Says which whole clip a net cannot embed, such as one that is too long for the memory. It does not watch windows.

    Raises:
        Mistake: with the clip, in place of what the net raises.
    """
    if window != "whole":
        yield
        return
    try:
        yield
    except NotImplementedError:  # of the device meta
        raise
    except (Mistake, RuntimeError, ValueError, MemoryError) as error:
        told = error.what if isinstance(error, Mistake) else (str(error) or type(error).__name__).splitlines()[0]
        raise Mistake(
            f"{name} is {seconds:.1f} s long, and cannot be embedded in one piece: {told[:200]}".lstrip(),
            fix="embed in windows of a length that the net takes: crop: SECONDS",
        ) from error


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
    """Reads what ``save_embeddings`` wrote.

    Raises:
        ValueError: if the file states embeddings that are not finite, or windows of clips that are not there.
    """
    tensors, metadata = read_tensors(path)
    window_WD, clip_W = tensors["window"], tensors["clip"]
    owners = clip_W.unique()
    if window_WD.ndim != 2 or clip_W.shape != window_WD.shape[:1] or not torch.equal(owners, torch.arange(len(owners))):
        raise ValueError(f"embeddings {list(window_WD.shape)} are not of the clips that {path.name} names")
    if not window_WD.isfinite().all():
        raise ValueError("embeddings are not all finite")
    return Embeddings(window_WD, clip_W, json.loads(metadata.get("parts", "{}")))
