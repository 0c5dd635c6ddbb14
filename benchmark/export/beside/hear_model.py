"""A model that audiobench exported, with the API of HEAR 2021 and as an encoder of X-ARES. It needs torch alone.

``model.pt2``, beside this file, is the graph of one window. Legend: B recordings, T samples, W windows, N frames of a
window, S timestamps, D embedding.
"""

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

_HOP_MS = 50
_WINDOWS_AT_ONCE = 64


class AudiobenchEncoder(nn.Module):
    """The model, in eval mode.

    It has the attributes of HEAR (``sample_rate`` in Hz, ``scene_embedding_size``, ``timestamp_embedding_size``) and of
    X-ARES (``sampling_rate``, ``output_dim``, ``hop_size_in_ms``). Gradients flow.

    Args:
        path: of ``model.pt2``; by default the one beside this file.
    """

    def __init__(self, path: str = "") -> None:
        super().__init__()
        stated = {"audiobench.json": ""}
        program = torch.export.load(path or Path(__file__).with_name("model.pt2"), extra_files=stated)
        facts = json.loads(stated["audiobench.json"])
        self.window = program.module()
        self.window_samples = int(facts["window_samples"])
        self.sample_rate = self.sampling_rate = int(facts["sample_rate"])
        self.scene_embedding_size = self.timestamp_embedding_size = self.output_dim = int(facts["embedding_dim"])
        self.hop_size_in_ms = _HOP_MS
        self.training = False

    def forward(self, audio: Tensor) -> Tensor:
        """X-ARES' frames ``[B, S, D]``, float32: the timestamp embeddings of ``[B, T]`` or ``[T]``."""
        return get_timestamp_embeddings(audio.unsqueeze(0) if audio.ndim == 1 else audio, self)[0]

    def windows(self, audio: Tensor) -> tuple[Tensor, Tensor, list[int]]:
        """Embeddings ``[W, B, D]`` and frames ``[W, B, N, D]`` of windows, and the windows' first samples.

        Windows follow one another by half their length, the last ends with the recordings. Recordings shorter than a
        window are padded with silence.

        Raises:
            ValueError: if the recordings are not ``[B, T]``.
        """
        if audio.ndim != 2:
            raise ValueError(f"audio is [n_sounds, n_samples], and this is of shape {list(audio.shape)}")
        wave_BT = nn.functional.pad(audio.float(), (0, max(self.window_samples - audio.shape[1], 0)))
        last = wave_BT.shape[1] - self.window_samples
        starts = [*range(0, last, max(self.window_samples // 2, 1)), last]
        wave_WT = torch.cat([wave_BT[:, start : start + self.window_samples] for start in starts])
        made = [self.window(some) for some in wave_WT.split(_WINDOWS_AT_ONCE)]
        z, frames = (torch.cat(parts).unflatten(0, (len(starts), -1)) for parts in zip(*made, strict=True))
        return z, frames, starts

    def train(self, mode: bool = True) -> Self:
        """Does nothing: a graph has no other mode than the one in which it was exported."""
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves the tensors, and all that the graph itself places on a device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        placed = next(chain(self.parameters(), self.buffers()), torch.empty(0))
        for module in self.modules():
            if isinstance(module, torch.fx.GraphModule):
                for node in module.graph.nodes:
                    if "device" in node.kwargs:
                        node.kwargs = {**node.kwargs, "device": placed.device}
                module.recompile()
        return self


def load_model(model_file_path: str = "") -> AudiobenchEncoder:
    """The model.

    Args:
        model_file_path: of ``model.pt2``; by default the one beside this file.
    """
    return AudiobenchEncoder(model_file_path)


def get_scene_embeddings(audio: Tensor, model: AudiobenchEncoder) -> Tensor:
    """Embeddings ``[B, D]``, float32: the mean over windows at half-window stride.

    Args:
        audio: ``[B, T]`` in [-1, 1] at the model's sample rate, of any length, on the model's device.
        model: of ``load_model``.
    """
    return model.windows(audio)[0].mean(0)


def get_timestamp_embeddings(audio: Tensor, model: AudiobenchEncoder) -> tuple[Tensor, Tensor]:
    """Embeddings of the sound around timestamps, one every 50 ms.

    Each is the frame of the encoder at this time, in the window whose middle is nearest. An encoder's frames follow one
    another at its own stride; where this is longer than 50 ms, timestamps share a frame.

    Args:
        audio: ``[B, T]`` in [-1, 1] at the model's sample rate, of any length, on the model's device.
        model: of ``load_model``.

    Returns:
        ``[B, S, D]`` float32, and the timestamps ``[B, S]`` in ms: 25, 75, 125, ..., at least one.
    """
    _, frames_WBND, starts = model.windows(audio)
    hop = _HOP_MS * model.sample_rate  # in thousandths of samples
    count = max(-((hop // 2 - audio.shape[1] * 1000) // hop), 1)  # of the timestamps that lie before the end
    time_S = (torch.arange(count, device=audio.device) + 0.5) * _HOP_MS
    sample_S = time_S * model.sample_rate / 1000
    first_W = torch.tensor(starts, device=audio.device)
    window_S = (first_W + model.window_samples / 2 - sample_S[:, None]).abs().argmin(1)
    frames = frames_WBND.shape[2]
    place_S = ((sample_S - first_W[window_S]) / model.window_samples * frames).long().clamp(0, frames - 1)
    return frames_WBND[window_S, :, place_S].transpose(0, 1), time_S.expand(len(audio), -1)
