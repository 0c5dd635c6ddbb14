"""Decoded recordings of a data set, and the windows cut from them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from registry.windows import Window

FULL_SCALE = 32767
SAMPLES_AT_ONCE = 2**21  # of whole clips in a batch: so memory does not grow with the number of clips
SAMPLES_ON_GPU = 2**24  # of the clips in a batch on a GPU: 52 clips of 10 s at 32 kHz, 34 MB of int16
CPU = torch.device("cpu")
Sample = np.int16 | np.float32


class Stretch(Protocol):
    """Samples end to end, of which slices are read: an array, several files, or a file that lies elsewhere."""

    @property
    def dtype(self) -> np.dtype[Sample]: ...

    def __getitem__(self, place: slice, /) -> NDArray[Sample]: ...


@dataclass(frozen=True)
class Recordings:
    """Clips of one data set, decoded: mono samples end to end, and where each clip begins.

    What is cut for a GPU is as stored, and lies in pinned memory on the host. ``on_device`` moves it, and makes it
    float there: half of the bytes are moved, and nothing waits.

    Args:
        samples: ``[total]`` int16, full scale 32767, or float32, full scale 1. Only slices within a clip are read.
        offsets: ``[clips + 1]`` int64; clip i is ``samples[offsets[i]:offsets[i + 1]]``.
        sample_rate: Hz.
        chosen: ``[M]`` indices of the clips that count, in their order; all clips by default.
    """

    samples: Stretch
    offsets: NDArray[np.int64]
    sample_rate: int
    chosen: Tensor | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1 if self.chosen is None else len(self.chosen)

    def subset(self, clips: Tensor) -> "Recordings":
        """Some of these clips ``[M]``, in that order, without copying a sample."""
        return replace(self, chosen=self.among_all(clips))

    def norms(self) -> Tensor:
        """The Euclidean norm ``[N]`` of every whole clip, float32, at full scale 1. It reads all samples."""
        clips = range(len(self)) if self.chosen is None else self.chosen.tolist()
        waves = (self.samples[self.offsets[c] : self.offsets[c + 1]].astype(np.float64) for c in clips)
        full_scale = FULL_SCALE if self.samples.dtype == np.int16 else 1
        return torch.tensor([np.linalg.norm(wave_T) / full_scale for wave_T in waves], dtype=torch.float32)

    def crops(
        self, clips: Tensor, samples: int, crops: int, generator: torch.Generator, device: torch.device = CPU
    ) -> Tensor:
        """Cuts random windows of one length; a shorter clip is zero-padded at a random place.

        Args:
            clips: ``[B]`` indices of clips.
            samples: window length in samples.
            crops: how many windows are cut from each clip, independently.
            generator: draws the places.
            device: that they are for.

        Returns:
            ``[B, crops, samples]`` float32, full scale 1, on the CPU; or for a GPU, as stored.
        """
        start_BV = self.starts(clips, samples, crops, generator)
        places = zip(self.among_all(clips).repeat_interleave(crops).tolist(), start_BV.flatten().tolist(), strict=True)
        return self._cut(places, start_BV.numel(), samples, device).view(len(clips), crops, samples)

    def starts(self, clips: Tensor, samples: int, crops: int, generator: torch.Generator) -> Tensor:
        """Where ``crops`` cuts ``[B, crops]``: samples from the beginning of a clip; before it, if it is negative."""
        slack_BV = (self.lengths(clips) - samples).unsqueeze(1).expand(-1, crops)
        place_BV = torch.rand(len(clips), crops, dtype=torch.float64, generator=generator)
        return (place_BV * (slack_BV.abs() + 1)).long() * slack_BV.sign()

    def windows(self, clips: Tensor, samples: int, device: torch.device = CPU) -> tuple[Tensor, Tensor]:
        """Cuts every clip into windows at half-window stride; the last one ends where the clip ends.

        A clip shorter than the window gives one window, zero-padded at its end (Wang 2021, for the stride).

        Args:
            clips: ``[B]`` indices of clips.
            samples: window length in samples.
            device: that they are for.

        Returns:
            ``[W, samples]`` float32, full scale 1, on the CPU; or for a GPU, as stored. And ``[W]`` the position in
            ``clips`` each window belongs to.
        """
        among = self.among_all(clips).tolist()
        starts = [window_starts(int(self.offsets[c + 1] - self.offsets[c]), samples) for c in among]
        places = ((clip, start) for clip, of_clip in zip(among, starts, strict=True) for start in of_clip)
        wave_WT = self._cut(places, sum(map(len, starts)), samples, device)
        return wave_WT, torch.repeat_interleave(torch.arange(len(starts)), torch.tensor([len(s) for s in starts]))

    def lengths(self, clips: Tensor) -> Tensor:
        """Samples ``[B]`` of some clips."""
        return torch.from_numpy(np.diff(self.offsets))[self.among_all(clips)]

    def clips_at_once(self, device: torch.device, on_cpu: int) -> int:
        """How many clips are a batch: so many on a CPU; on a GPU as many as have 2^24 samples, even if all are long."""
        if device.type == "cpu":
            return on_cpu
        longest = int(self.lengths(torch.arange(len(self))).max())
        return max(SAMPLES_ON_GPU // longest, 1)

    def batches(
        self,
        clips: Tensor,
        window: Window,
        at_once: int,
        shortest: int = 1,
        samples: int = SAMPLES_AT_ONCE,
        device: torch.device = CPU,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Cuts clips into windows, or gives them whole, in batches.

        Windows come in the order of the clips. Whole clips of one length are together, without padding. The longest
        come first: if a clip is too long for the memory, that shows at the beginning.

        Args:
            clips: ``[N]`` indices of clips.
            window: samples of a window, or ``whole``.
            at_once: clips in a batch.
            shortest: samples; a whole clip that is shorter is padded with silence at its end.
            samples: that a batch of several whole clips has at most.
            device: that they are for.

        Yields:
            ``[W, samples]`` float32, full scale 1, on the CPU; or for a GPU, as stored. And ``[W]`` the clip of each,
            one of ``clips``.
        """
        if window != "whole":
            for clips_B in clips.split(at_once):
                wave_WT, owner_W = self.windows(clips_B, window, device)
                yield wave_WT, clips_B[owner_W]
            return
        lengths_N = self.lengths(clips).clamp_min(shortest)
        order_N = lengths_N.argsort(descending=True, stable=True)
        lengths, counts = lengths_N[order_N].unique_consecutive(return_counts=True)
        for length, equal in zip(lengths.tolist(), clips[order_N].split(counts.tolist()), strict=True):
            for clips_B in equal.split(max(min(at_once, samples // length), 1)):
                yield self.windows(clips_B, length, device)[0], clips_B

    def among_all(self, clips: Tensor) -> Tensor:
        return clips if self.chosen is None else self.chosen[clips]

    def _cut(self, places: Iterable[tuple[int, int]], count: int, samples: int, device: torch.device) -> Tensor:
        """Windows ``[count, samples]`` from places: a clip among all, and the first sample."""
        if device.type != "cuda":
            wave_WT = torch.empty(count, samples)
        else:
            stored = torch.from_numpy(np.empty(0, self.samples.dtype)).dtype
            wave_WT = torch.empty(count, samples, dtype=stored, pin_memory=True)
        for (clip, start), out_T in zip(places, wave_WT.numpy(), strict=True):
            self._copy(clip, start, out_T)
        return wave_WT

    def _copy(self, clip: int, start: int, out_T: NDArray[Sample]) -> None:
        """Copies a clip from ``start`` on into ``out_T``, as its type, with zeros before and after the clip."""
        begin = self.offsets[clip] + max(start, 0)
        window = self.samples[begin : min(self.offsets[clip] + start + len(out_T), self.offsets[clip + 1])]
        first, end = max(-start, 0), max(-start, 0) + len(window)
        out_T[:first] = 0
        out_T[end:] = 0
        if out_T.dtype == window.dtype:
            out_T[first:end] = window
        else:  # to full scale 1 on the way: one pass over the memory instead of three
            np.divide(window, np.float32(FULL_SCALE), out=out_T[first:end], dtype=np.float32)


def window_starts(length: int, samples: int) -> list[int]:
    """Where the windows of a clip begin: at half-window stride; the last window ends with the clip."""
    last = max(length - samples, 0)
    return [*range(0, last, max(samples // 2, 1)), last]


def to_float(stored: Tensor) -> Tensor:
    """Stored samples as float32 of full scale 1, with the same bits on every device."""
    if stored.dtype == torch.float32:
        return stored
    # A GPU multiplies by the reciprocal of a number, which rounds twice. It divides by a tensor.
    full_scale = torch.full((), FULL_SCALE, dtype=torch.float32, device=stored.device)
    return stored.to(torch.float32).div_(full_scale)


def on_device(cut: Tensor, device: torch.device) -> Tensor:
    """What was cut for a device, there: float32 of full scale 1. The host does not wait."""
    return to_float(cut.to(device, non_blocking=True))
