"""Decoded recordings of a data set, and the windows cut from them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from registry.windows import Window

FULL_SCALE = 32767
SAMPLES_AT_ONCE = 2**21  # of whole clips in a batch: so memory does not grow with the number of clips
Sample = np.int16 | np.float32


class Stretch(Protocol):
    """Samples end to end, of which slices are read: an array, several files, or a file that lies elsewhere."""

    @property
    def dtype(self) -> np.dtype[Sample]: ...

    def __getitem__(self, place: slice, /) -> NDArray[Sample]: ...


@dataclass(frozen=True)
class Recordings:
    """Clips of one data set, decoded: mono samples end to end, and where each clip begins.

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
        return replace(self, chosen=self._among_all(clips))

    def norms(self) -> Tensor:
        """The Euclidean norm ``[N]`` of every whole clip, float32, at full scale 1. It reads all samples."""
        clips = range(len(self)) if self.chosen is None else self.chosen.tolist()
        waves = (self.samples[self.offsets[c] : self.offsets[c + 1]].astype(np.float64) for c in clips)
        full_scale = FULL_SCALE if self.samples.dtype == np.int16 else 1
        return torch.tensor([np.linalg.norm(wave_T) / full_scale for wave_T in waves], dtype=torch.float32)

    def crops(self, clips: Tensor, samples: int, crops: int, generator: torch.Generator) -> Tensor:
        """Cuts random windows of one length; a shorter clip is zero-padded at a random place.

        Args:
            clips: ``[B]`` indices of clips.
            samples: window length in samples.
            crops: how many windows are cut from each clip, independently.
            generator: draws the places.

        Returns:
            ``[B, crops, samples]`` float32, full scale 1, on the CPU.
        """
        lengths_B = self.lengths(clips)
        clips = self._among_all(clips)
        slack_BV = (lengths_B - samples).unsqueeze(1).expand(-1, crops)
        place_BV = torch.rand(len(clips), crops, dtype=torch.float64, generator=generator)
        start_BV = (place_BV * (slack_BV.abs() + 1)).long() * slack_BV.sign()
        out_BVT = np.zeros((len(clips), crops, samples), self.samples.dtype)
        for i, clip in enumerate(clips.tolist()):
            for v, start in enumerate(start_BV[i].tolist()):
                self._copy(clip, start, out_BVT[i, v])
        return to_float(out_BVT)

    def windows(self, clips: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """Cuts every clip into windows at half-window stride; the last one ends where the clip ends.

        A clip shorter than the window gives one window, zero-padded at its end (Wang 2021, for the stride).

        Args:
            clips: ``[B]`` indices of clips.
            samples: window length in samples.

        Returns:
            ``[W, samples]`` float32, full scale 1, and ``[W]`` the position in ``clips`` each window belongs to.
        """
        clips = self._among_all(clips)
        starts = [window_starts(int(self.offsets[c + 1] - self.offsets[c]), samples) for c in clips.tolist()]
        out_WT = np.zeros((sum(map(len, starts)), samples), self.samples.dtype)
        rows = iter(out_WT)
        for clip, clip_starts in zip(clips.tolist(), starts, strict=True):
            for start in clip_starts:
                self._copy(clip, start, next(rows))
        owner_W = torch.repeat_interleave(torch.arange(len(starts)), torch.tensor([len(s) for s in starts]))
        return to_float(out_WT), owner_W

    def lengths(self, clips: Tensor) -> Tensor:
        """Samples ``[B]`` of some clips."""
        return torch.from_numpy(np.diff(self.offsets))[self._among_all(clips)]

    def batches(
        self, clips: Tensor, window: Window, at_once: int, shortest: int = 1, samples: int = SAMPLES_AT_ONCE
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

        Yields:
            ``[W, samples]`` float32, full scale 1, and ``[W]`` the clip of each, one of ``clips``.
        """
        if window != "whole":
            for clips_B in clips.split(at_once):
                wave_WT, owner_W = self.windows(clips_B, window)
                yield wave_WT, clips_B[owner_W]
            return
        lengths_N = self.lengths(clips).clamp_min(shortest)
        order_N = lengths_N.argsort(descending=True, stable=True)
        lengths, counts = lengths_N[order_N].unique_consecutive(return_counts=True)
        for length, equal in zip(lengths.tolist(), clips[order_N].split(counts.tolist()), strict=True):
            for clips_B in equal.split(max(min(at_once, samples // length), 1)):
                yield self.windows(clips_B, length)[0], clips_B

    def _among_all(self, clips: Tensor) -> Tensor:
        return clips if self.chosen is None else self.chosen[clips]

    def _copy(self, clip: int, start: int, out_T: NDArray[Sample]) -> None:
        """Copies a clip from ``start`` on into ``out_T``; a negative start leaves that many zeros before the clip."""
        begin = self.offsets[clip] + max(start, 0)
        window = self.samples[begin : min(self.offsets[clip] + start + len(out_T), self.offsets[clip + 1])]
        skipped = max(-start, 0)
        out_T[skipped : skipped + len(window)] = window


def window_starts(length: int, samples: int) -> list[int]:
    """Where the windows of a clip begin: at half-window stride; the last window ends with the clip."""
    last = max(length - samples, 0)
    return [*range(0, last, max(samples // 2, 1)), last]


def to_float(samples: NDArray[Sample]) -> Tensor:
    """Stored samples as float32 of full scale 1."""
    wave = torch.from_numpy(samples).to(torch.float32)
    return wave.div_(FULL_SCALE) if samples.dtype == np.int16 else wave
