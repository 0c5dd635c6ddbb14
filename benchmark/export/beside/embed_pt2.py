"""Embeds recordings with ``model.pt2``, which audiobench exported. It needs torch alone."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_WINDOWS_AT_ONCE = 64


def embed(wave: Any) -> Tensor:
    """Embeddings ``[B, D]``, float32: the mean over windows at half-window stride, the last at the recording's end.

    Args:
        wave: ``[B, T]`` float32 in [-1, 1], an array or a tensor, at the model's sample rate and of any length; one
            that is shorter than a window is padded with silence.
    """
    net, samples = _loaded()
    wave_BT = torch.as_tensor(wave, dtype=torch.float32)
    wave_BT = torch.nn.functional.pad(wave_BT, (0, max(samples - wave_BT.shape[1], 0)))
    last = wave_BT.shape[1] - samples
    starts = [*range(0, last, max(samples // 2, 1)), last]
    wave_WT = torch.cat([wave_BT[:, start : start + samples] for start in starts])
    with torch.no_grad():
        z_WD = torch.cat([net(some) for some in wave_WT.split(_WINDOWS_AT_ONCE)])
    z_BD: Tensor = z_WD.unflatten(0, (len(starts), -1)).mean(0)
    return z_BD


@cache
def _loaded() -> tuple[Any, int]:
    """The graph of one window, and the samples of a window."""
    facts = {"audiobench.json": ""}
    program = torch.export.load(Path(__file__).with_name("model.pt2"), extra_files=facts)
    return program.module(), int(json.loads(facts["audiobench.json"])["window_samples"])
