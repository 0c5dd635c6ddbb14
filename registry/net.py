"""An encoder and its front end as one module, and as the named tensors of ``encoder.safetensors``."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from registry.audio import SAMPLES_AT_ONCE, window_starts
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend
from registry.views import Views
from registry.windows import Window

_WINDOWS_AT_ONCE = 64  # limits memory, however long a recording is
_MINUTE = 60  # seconds
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
    cut into, or ``whole``. Gradients flow where the encoder gives any.

    Args:
        frontend: with its statistics.
        encoder: with its weights.
        window_samples: samples in a window; ``whole`` embeds waveforms in one piece.
    """

    def __init__(self, frontend: Frontend, encoder: Encoder, window_samples: Window) -> None:
        super().__init__()
        self.views = Views(frontend)
        self.encoder = encoder
        self.sample_rate = frontend.sample_rate
        self.embedding_dim = encoder.embedding_dim
        self.window_samples: Window = window_samples
        self._shortest: int | None = None  # samples that whole waveforms are padded to; None until the first of them
        self.eval()

    def forward(self, wave_BT: Tensor) -> Tensor:
        """Embeddings ``[B, D]``, float32: the mean over windows at half-window stride, the last at the waveform's end.

        Where ``window_samples`` is ``whole``, a waveform is embedded in one piece.

        Args:
            wave_BT: ``[B, T]`` float32 in [-1, 1], of any length. One that is shorter than a window, or, whole, than
                the shortest one that the model embeds, is padded with silence.
        """
        if self.window_samples == "whole":
            return self._whole(wave_BT)
        wave_BT = _padded(wave_BT, self.window_samples)
        starts = window_starts(wave_BT.shape[1], self.window_samples)
        at_once = max(_WINDOWS_AT_ONCE // len(wave_BT), 1)
        sums_BD = [
            self._summed(wave_BT, self.window_samples, starts[first : first + at_once])
            for first in range(0, len(starts), at_once)
        ]
        return torch.stack(sums_BD).sum(0) / len(starts)

    def frames(self, wave_BT: Tensor) -> Tensor:
        """The encoder's frames ``[B, N, D]`` of whole waveforms ``[B, T]``, in one piece, without windows."""
        frames_BND: Tensor = self.encoder(self.views(_padded(wave_BT, 0)))
        return frames_BND

    def _summed(self, wave_BT: Tensor, samples: int, starts: Sequence[int]) -> Tensor:
        """The sum ``[B, D]`` of the embeddings of some windows of each waveform."""
        wave_BWT = torch.stack([wave_BT[:, start : start + samples] for start in starts], 1)
        z_BWD: Tensor = self._embedded(wave_BWT.flatten(0, 1)).unflatten(0, wave_BWT.shape[:2])
        return z_BWD.sum(1)

    def _whole(self, wave_BT: Tensor) -> Tensor:
        """The embeddings of waveforms in one piece, as many at once as have ``SAMPLES_AT_ONCE`` samples."""
        if self._shortest is None:
            self._shortest = shortest_embedded(lambda n: self._embedded(wave_BT.new_zeros(1, n)), 1, self.sample_rate)
        wave_BT = _padded(wave_BT, self._shortest)
        at_once = max(SAMPLES_AT_ONCE // wave_BT.shape[1], 1)
        return torch.cat([self._embedded(wave_AT) for wave_AT in wave_BT.split(at_once)])

    def _embedded(self, wave_BT: Tensor) -> Tensor:
        z_BD: Tensor = self.encoder.embed(self.views(wave_BT)).float()
        return z_BD


@torch.no_grad()
def shortest_embedded(embed: Callable[[int], object], least: int, sample_rate: int) -> int:
    """The smallest number of samples, from ``least`` on, that a net embeds and does not refuse.

    A net that takes waveforms of one length is thought to take longer ones, too.

    Args:
        embed: embeds so many samples of silence.
        least: the first length to try.
        sample_rate: Hz.

    Raises:
        Exception: what the net raises for ``least`` samples, if it refuses all that is tried up to a minute.
    """

    def refusal(samples: int) -> Exception | None:
        try:
            embed(samples)
        except NotImplementedError:  # of the device meta: it says nothing about the length
            raise
        except (Mistake, RuntimeError, ValueError) as error:
            return error
        return None

    first = refusal(least)
    if first is None:
        return least
    refused, taken = least, 2 * least
    while taken <= _MINUTE * sample_rate and refusal(taken):
        refused, taken = taken, 2 * taken
    if taken > _MINUTE * sample_rate:
        raise first
    while taken - refused > 1:
        middle = (refused + taken) // 2
        refused, taken = (middle, taken) if refusal(middle) else (refused, middle)
    return taken


def _padded(wave_BT: Tensor, samples: int) -> Tensor:
    """Waveforms of at least this length.

    Raises:
        ValueError: if they are not ``[B, T]``.
    """
    if wave_BT.ndim != 2:
        raise ValueError(f"waveforms are [B, T], and this is of shape {list(wave_BT.shape)}")
    return nn.functional.pad(wave_BT, (0, max(samples - wave_BT.shape[1], 0)))
