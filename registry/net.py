"""An encoder and its front end as one module, and as the named tensors of ``encoder.safetensors``."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from registry.audio import window_starts
from registry.encoders import Encoder
from registry.frontends import Frontend
from registry.views import Views

_WINDOWS_AT_ONCE = 64  # limits memory, however long a recording is
OF_FRONTEND = "frontend/"  # prefix of its names; no tensor of an encoder has a slash in its name
FRONTEND_OF_NET = "views.frontend."  # prefix of the same names in the state of a ``Net``


def net_state(encoder: Encoder, frontend: Frontend) -> dict[str, Tensor]:
    """The encoder's tensors and, where the front end learns, the front end's as ``frontend/NAME``."""
    learnt = frontend.state_dict() if frontend.learns() else {}
    return {**encoder.state_dict(), **{OF_FRONTEND + name: tensor for name, tensor in learnt.items()}}


def load_net(encoder: Encoder, frontend: Frontend, tensors: Mapping[str, Tensor]) -> None:
    """Puts tensors into an encoder and its front end, by the names that ``net_state`` gives them."""
    of_frontend = {name for name in tensors if name.startswith(OF_FRONTEND)}
    encoder.load_state_dict({name: tensor for name, tensor in tensors.items() if name not in of_frontend})
    if frontend.learns():
        frontend.load_state_dict({name.removeprefix(OF_FRONTEND): tensors[name] for name in of_frontend})


class Net(nn.Module):
    """A front end and an encoder as one module, in eval mode: waveforms to embeddings, as evaluation makes them.

    ``sample_rate`` is in Hz, ``embedding_dim`` is D, ``window_samples`` the length of the windows that waveforms are
    cut into. Gradients flow where the encoder gives any.

    Args:
        frontend: with its statistics.
        encoder: with its weights.
        window_samples: samples in a window.
    """

    def __init__(self, frontend: Frontend, encoder: Encoder, window_samples: int) -> None:
        super().__init__()
        self.views = Views(frontend)
        self.encoder = encoder
        self.sample_rate = frontend.sample_rate
        self.embedding_dim = encoder.embedding_dim
        self.window_samples = window_samples
        self.eval()

    def forward(self, wave_BT: Tensor) -> Tensor:
        """Embeddings ``[B, D]``, float32: the mean over windows at half-window stride, the last at the waveform's end.

        Args:
            wave_BT: ``[B, T]`` float32 in [-1, 1], of any length; one shorter than a window is padded with silence.
        """
        wave_BT = _padded(wave_BT, self.window_samples)
        starts = window_starts(wave_BT.shape[1], self.window_samples)
        at_once = max(_WINDOWS_AT_ONCE // len(wave_BT), 1)
        sums_BD = [self._summed(wave_BT, starts[first : first + at_once]) for first in range(0, len(starts), at_once)]
        return torch.stack(sums_BD).sum(0) / len(starts)

    def frames(self, wave_BT: Tensor) -> Tensor:
        """The encoder's frames ``[B, N, D]`` of whole waveforms ``[B, T]``, in one piece, without windows."""
        frames_BND: Tensor = self.encoder(self.views(_padded(wave_BT, 0)))
        return frames_BND

    def _summed(self, wave_BT: Tensor, starts: Sequence[int]) -> Tensor:
        """The sum ``[B, D]`` of the embeddings of some windows of each waveform."""
        wave_BWT = torch.stack([wave_BT[:, start : start + self.window_samples] for start in starts], 1)
        z_BWD: Tensor = self.encoder.embed(self.views(wave_BWT.flatten(0, 1))).float().unflatten(0, wave_BWT.shape[:2])
        return z_BWD.sum(1)


def _padded(wave_BT: Tensor, samples: int) -> Tensor:
    """Waveforms of at least this length.

    Raises:
        ValueError: if they are not ``[B, T]``.
    """
    if wave_BT.ndim != 2:
        raise ValueError(f"waveforms are [B, T], and this is of shape {list(wave_BT.shape)}")
    return nn.functional.pad(wave_BT, (0, max(samples - wave_BT.shape[1], 0)))
