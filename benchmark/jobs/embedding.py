"""Embeddings of a data set: every clip is cut into windows, or is whole, and each window or clip embedded once."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path

import torch
from torch import Tensor

from benchmark.jobs.feed import ahead
from benchmark.jobs.model import Device
from benchmark.progress import Progress
from registry.audio import SAMPLES_AT_ONCE, SAMPLES_ON_GPU, Recordings, on_device, window_starts
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.halving import Halving
from registry.large_tensors import laid_out, map_tensors
from registry.net import shortest_embedded
from registry.protocols import Embeddings
from registry.views import Views
from registry.windows import Window

_CLIPS_AT_ONCE = 8  # measured on a CPU: larger batches overflow its caches
_ROWS_AT_ONCE = 1024  # of embeddings that are looked at


@dataclass(frozen=True)
class ClipEmbeddings:
    """The embeddings of every window of every clip, or of every whole clip, made batch by batch.

    Args:
        views: the front end, without augmentation.
        encoder: on the device.
        recordings: the clips.
        names: of the clips, for people.
        window_samples: samples in a window; windows overlap by half. ``whole`` embeds clips in one piece.
        device: where, and in which precision.
        progress: advances with each clip.
        shortest: samples that shorter whole clips are padded to: see ``shortest_of``.
        say: gets a line if batches are halved because the device's memory does not suffice.
    """

    views: Views
    encoder: Encoder
    recordings: Recordings
    names: Sequence[str]
    window_samples: Window
    device: Device
    progress: Progress
    shortest: int = 1
    say: Callable[[str], None] = lambda line: None

    @cached_property
    def firsts(self) -> Tensor:
        """``[clips + 1]`` the first of the windows of each clip, and the number of all windows at the end."""
        window = self.window_samples
        lengths_N = self.recordings.lengths(torch.arange(len(self.recordings)))
        known, which_N = lengths_N.unique(return_inverse=True)
        counts = [1 if window == "whole" else len(window_starts(length, window)) for length in known.tolist()]
        return torch.cat([torch.zeros(1, dtype=torch.long), torch.tensor(counts)[which_N].cumsum(0)])

    @torch.no_grad()
    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Embeds one batch of clips after another, with front end and encoder in eval mode.

        Yields:
            ``[W, D]`` float32 on the CPU, and ``[W]`` the clip of each window. The windows of a clip are together.

        Raises:
            Mistake: with the first clip whose embedding is not finite, or that the device cannot embed.
        """
        self.views.eval()
        self.encoder.eval()
        device = self.device.device
        at_once = self.recordings.clips_at_once(device, _CLIPS_AT_ONCE)
        samples = SAMPLES_AT_ONCE if device.type == "cpu" else SAMPLES_ON_GPU
        halving = Halving("windows" if self.window_samples != "whole" else "clips", self.say)
        every_N = torch.arange(len(self.recordings))
        cut = self.recordings.batches(every_N, self.window_samples, at_once, self.shortest, samples, device)
        for wave_WT, clip_W in cut if device.type == "cpu" else ahead(cut):
            of_window = [self.names[clip] for clip in clip_W.tolist()]
            seconds = wave_WT.shape[1] / self.recordings.sample_rate
            with in_one_piece(self.window_samples, of_window[0], seconds):
                window_WD = torch.cat(halving(self._embed, wave_WT))
            require_finite(window_WD, of_window, "the embedding")
            yield window_WD, clip_W
            self.progress.advance(len(clip_W.unique()))

    def _embed(self, wave_WT: Tensor) -> Tensor:
        with self.device.autocast():
            return self.encoder.embed(self.views(on_device(wave_WT, self.device.device))).float().cpu()

    def in_memory(self) -> Embeddings:
        """All of them."""
        windows, owners = zip(*self.batches(), strict=True)
        clip_W = torch.cat(owners)
        order_W = clip_W.argsort(stable=True)
        return Embeddings(torch.cat(windows)[order_W], clip_W[order_W], self.encoder.parts)

    def write(self, path: Path) -> tuple[int, int]:
        """Writes ``embeddings.safetensors``: ``window`` ``[W, D]`` and ``clip`` ``[W]``, the parts in its metadata.

        Each window is written at its place as soon as it is made, so that memory does not grow with their number.

        Returns:
            W and D.
        """
        batches = self.batches()
        head = next(batches)
        windows, dim = int(self.firsts[-1]), head[0].shape[1]
        tensors = {
            "window": torch.empty(windows, dim, device="meta"),
            "clip": torch.empty(windows, dtype=torch.long, device="meta"),
        }
        with laid_out(path, tensors, {"parts": json.dumps(dict(self.encoder.parts))}) as layout:
            for window_WD, clip_W in chain([head], batches):
                step_W = clip_W.diff()
                jumps = torch.nonzero((step_W < 0) | (step_W > 1)).flatten() + 1
                for begin, end in pairwise([0, *jumps.tolist(), len(clip_W)]):  # clips that follow one another
                    first = int(self.firsts[clip_W[begin]])
                    layout.write("window", first, window_WD[begin:end])
                    layout.write("clip", first, clip_W[begin:end])
        return windows, dim


def load_embeddings(path: Path) -> Embeddings:
    """What ``ClipEmbeddings`` wrote, which stays on the disk until it is used.

    Raises:
        ValueError: if the file states embeddings that are not finite, or windows of clips that are not there.
    """
    tensors, metadata = map_tensors(path)
    window_WD, clip_W = tensors["window"], tensors["clip"]
    in_order = clip_W.ndim == 1 and not clip_W[:1].any() and {*clip_W.diff().unique().tolist()} <= {0, 1}
    if window_WD.ndim != 2 or clip_W.shape != window_WD.shape[:1] or not in_order:
        raise ValueError(f"embeddings {list(window_WD.shape)} are not of the clips that {path.name} names")
    if not all(rows_RD.isfinite().all() for rows_RD in window_WD.split(_ROWS_AT_ONCE)):
        raise ValueError("embeddings are not all finite")
    return Embeddings(window_WD, clip_W, json.loads(metadata.get("parts", "{}")))


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
