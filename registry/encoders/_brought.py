"""What encoders have in common that are models made elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.settings import Own, Settings


class Brought(Encoder[Own]):
    """A model made elsewhere: waveforms ``[B, 1, T]`` at its own rate to frames, with the weights that it brings.

    A subclass says in ``open`` how the model is loaded, and in ``frames`` what it computes.
    """

    takes = "waveform"
    brings_weights: ClassVar[bool] = True

    def __init__(self, config: Settings, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.embedding_dim = 0  # known once the model is there

    def open(self, path: Path | None) -> None:
        """Loads the model.

        Raises:
            Mistake: if it cannot be used.
        """
        raise NotImplementedError

    def frames(self, wave_BT: Tensor) -> Tensor:
        """The model's frames ``[B, N, D]``, or embeddings ``[B, D]``."""
        raise NotImplementedError

    def load_own(self, path: Path | None) -> None:
        self.open(path)
        rate = self.own_rate(self.config, path)
        assert rate
        with torch.no_grad():
            tried = self.frames(0.1 * torch.randn(2, rate, generator=torch.Generator().manual_seed(0)))
        shape = list(tried.shape)
        if tried.ndim not in (2, 3) or shape[0] != 2:
            raise Mistake(
                f"the model gives {shape} for two waveforms of a second, and not frames [2, N, D] or embeddings [2, D]",
                fix="name another of its outputs",
            )
        if not tried.isfinite().all():
            raise Mistake("the model gives values that are not finite for noise", fix="use another model")
        self.embedding_dim = shape[-1]

    def forward(self, x_B1T: Tensor) -> Tensor:
        found = self.frames(x_B1T[:, 0])
        return found if found.ndim == 3 else found.unsqueeze(1)


def in_pieces(wave_BT: Tensor, samples: int, compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Frames of a model that takes waveforms of one length alone.

    Args:
        wave_BT: cut into pieces of that length one after the other; the last is padded with silence.
        samples: the length.
        compute: of pieces ``[P, samples]``, frames ``[P, N, D]`` or embeddings ``[P, D]``.

    Returns:
        The frames of all pieces ``[B, N', D]``.
    """
    batch, length = wave_BT.shape
    pieces = max(-(-length // samples), 1)
    padded_BT = torch.nn.functional.pad(wave_BT, (0, pieces * samples - length))
    computed = compute(padded_BT.reshape(batch * pieces, samples))
    return computed.reshape(batch, -1, computed.shape[-1])


def needs(package: str, extra: str) -> Mistake:
    """What to say where an optional package is missing."""
    return Mistake(f"this encoder needs {package}, which is not installed", fix=f"pip install 'audiobench[{extra}]'")
