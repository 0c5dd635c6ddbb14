"""The samples of clips in a device's memory, where windows are cut by one gather."""

import numpy as np
import torch
from torch import Tensor

from registry.audio import Recordings, to_float

_CLIPS_AT_ONCE = 64  # that are read and moved


def nbytes(recordings: Recordings) -> int:
    """Bytes of the samples of all clips that count, each once."""
    clips = recordings.among_all(torch.arange(len(recordings))).unique()
    samples = int(torch.from_numpy(np.diff(recordings.offsets))[clips].sum())
    return samples * recordings.samples.dtype.itemsize


class Resident:
    """Clips whose samples lie in a device's memory, as stored.

    Args:
        recordings: the clips; all their samples are read.
        window: samples of the windows that are cut.
        device: where.
    """

    def __init__(self, recordings: Recordings, window: int, device: torch.device) -> None:
        self.recordings, self.window, self.device = recordings, window, device
        clips = recordings.among_all(torch.arange(len(recordings))).unique()
        lengths = torch.from_numpy(np.diff(recordings.offsets))[clips]
        self.first = torch.zeros(len(recordings.offsets) - 1, dtype=torch.long)  # of each clip's samples
        self.first[clips] = window + lengths.cumsum(0) - lengths  # a window may begin before the first one
        stored = torch.from_numpy(np.empty(0, recordings.samples.dtype)).dtype
        self.samples = torch.zeros(int(lengths.sum()) + 2 * window, dtype=stored, device=device)
        at = window
        for group in clips.split(_CLIPS_AT_ONCE):
            ends = ((recordings.offsets[clip], recordings.offsets[clip + 1]) for clip in group.tolist())
            piece = torch.from_numpy(np.concatenate([recordings.samples[begin:end] for begin, end in ends]))
            self.samples[at : at + len(piece)] = piece
            at += len(piece)

    def crops(self, clips: Tensor, crops: int, generator: torch.Generator) -> Tensor:
        """What ``Recordings.crops`` gives, to the bit, float32 on the device; the host does not wait.

        Args:
            clips: ``[B]`` indices of clips.
            crops: how many windows are cut from each clip, independently.
            generator: draws the places.
        """
        start_BV = self.recordings.starts(clips, self.window, crops, generator)
        begin_BV = self.first[self.recordings.among_all(clips), None] + start_BV
        wave_BVT = to_float(self.samples.unfold(0, self.window, 1)[moved(begin_BV, self.device)])
        length_B = self.recordings.lengths(clips)
        if bool((length_B >= self.window).all()):  # these lie on the host
            return wave_BVT
        place_BVT = moved(start_BV, self.device)[..., None] + torch.arange(self.window, device=self.device)
        beyond_BVT = (place_BVT < 0) | (place_BVT >= moved(length_B, self.device)[:, None, None])
        return wave_BVT.masked_fill_(beyond_BVT, 0)


def moved(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on the device; the host does not wait."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
