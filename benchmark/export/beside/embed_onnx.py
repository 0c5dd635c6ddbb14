"""Embeds recordings with ``model.onnx``, which audiobench exported. It needs numpy and onnxruntime."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

_WINDOWS_AT_ONCE = 64


def embed(wave: NDArray[Any]) -> NDArray[np.float32]:
    """Embeddings ``[B, D]``, float32: the mean over windows at half-window stride, the last at the recording's end.

    Args:
        wave: ``[B, T]`` float32 in [-1, 1], at the model's sample rate and of any length; one that is shorter than a
            window is padded with silence.
    """
    session, samples = _loaded()
    wave_BT = np.asarray(wave, np.float32)
    wave_BT = np.pad(wave_BT, ((0, 0), (0, max(samples - wave_BT.shape[1], 0))))
    last = wave_BT.shape[1] - samples
    starts = [*range(0, last, max(samples // 2, 1)), last]
    wave_WT = np.concatenate([wave_BT[:, start : start + samples] for start in starts])
    pieces = [wave_WT[i : i + _WINDOWS_AT_ONCE] for i in range(0, len(wave_WT), _WINDOWS_AT_ONCE)]
    z_WD = np.concatenate([session.run(["embedding"], {"wave": piece})[0] for piece in pieces])
    z_BD: NDArray[np.float32] = z_WD.reshape(len(starts), len(wave_BT), -1).mean(0)
    return z_BD


@cache
def _loaded() -> tuple[Any, int]:
    """The graph of one window, and the samples of a window."""
    path = Path(__file__).with_name("model.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session, int(session.get_modelmeta().custom_metadata_map["window_samples"])
