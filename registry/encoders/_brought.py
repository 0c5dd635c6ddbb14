"""Brought models: encoders that are models made elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import TypeVar  # typing's has no default before Python 3.13

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.settings import Outside, Own, Settings


class Brought(Encoder[Own]):
    """A model made elsewhere, with its weights: from waveforms ``[B, 1, T]`` at its own rate to frames.

    It takes no weights but its own, and its ``embedding_dim`` is known once these are loaded. A subclass says where the
    model is and which rate it takes, loads the model in ``open``, and computes with it in ``frames``. ``is_folder``
    says that the model is a folder, not a file; ``is_program``, that loading the file runs what it says.
    """

    takes = "waveform"
    is_folder: ClassVar[bool] = False
    is_program: ClassVar[bool] = False

    def __init__(self, config: Own, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.config = config
        self.embedding_dim = 0  # it is known once the model is loaded

    @classmethod
    def file_of(cls, config: Any) -> str:
        """The file or folder of the model, as the suite names it; empty if there is none."""
        return ""

    @classmethod
    def hub_folder(cls, config: Any) -> Path | None:
        """The folder of a hub's cache with the model; None of a model that is at no hub.

        Raises:
            Mistake: if the model is not in the cache, and the hub does not give it.
        """
        return None

    @classmethod
    def fetched_file(cls, config: Any) -> Path | None:
        """The file that a library fetched for the model, once it is there; records state its digest."""
        return None

    @classmethod
    def remedy(cls, config: Any) -> str:
        """How the user gets the file of the model; empty where only the user knows."""
        return ""

    @classmethod
    def digest_of(cls, config: Any) -> str:
        """A digest of the model's code, for keys; empty if the model has no code of its own."""
        return ""

    @classmethod
    def own_rate(cls, config: Any, path: Path | None) -> int:
        """The sample rate in Hz of the model's input.

        Args:
            config: the encoder's own ``Config``.
            path: of the model's file.

        Raises:
            Mistake: if the model does not say it.
        """
        raise NotImplementedError

    def open(self, path: Path | None) -> None:
        """Loads the model.

        Raises:
            Mistake: if the model cannot be used.
        """
        raise NotImplementedError

    def frames(self, wave_BT: Tensor) -> Tensor:
        """The model's frames ``[B, N, D]``, or embeddings ``[B, D]``."""
        raise NotImplementedError

    def load_own(self, path: Path | None) -> None:
        """Loads the model, from its file if it has one, and tries it on noise.

        Raises:
            Mistake: if the file contains no model, or the model does not fit.
        """
        self.open(path)
        rate = self.own_rate(self.config, path)
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
        output = self.frames(x_B1T[:, 0])
        return output if output.ndim == 3 else output.unsqueeze(1)


class FileSettings(Settings):
    """Settings of a model in a file that does not say its own sample rate."""

    file: Outside[str] = Field("", description="the model's file, as such, beside the suite, or in the data folder")
    sample_rate: int = Field(..., gt=0, description="Hz of the waveforms that the model takes")


InFile = TypeVar("InFile", bound=FileSettings, default=FileSettings, covariant=True)


class FileModel(Brought[InFile]):
    """A model in a file: its settings name the file and the sample rate. A subclass loads the file in ``read``."""

    @classmethod
    def file_of(cls, config: FileSettings) -> str:
        return config.file

    @classmethod
    def own_rate(cls, config: FileSettings, path: Path | None) -> int:
        return config.sample_rate

    def open(self, path: Path | None) -> None:
        if path is None:
            raise Mistake(f"the encoder {type(self).__name__.lower()} names no file", fix="add file: PATH")
        self.read(path)

    def read(self, path: Path) -> None:
        """Loads the model from its file.

        Raises:
            Mistake: if the file contains no model, or one that cannot be used.
        """
        raise NotImplementedError


def in_pieces(wave_BT: Tensor, samples: int, compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Frames of a model that takes only waveforms of one length.

    Args:
        wave_BT: is cut into pieces of this length, one after the other; the last piece is padded with silence.
        samples: the length.
        compute: gives frames ``[P, N, D]`` or embeddings ``[P, D]`` of pieces ``[P, samples]``.

    Returns:
        The frames of all pieces ``[B, N', D]``.
    """
    batch, length = wave_BT.shape
    pieces = max(-(-length // samples), 1)
    padded_BT = torch.nn.functional.pad(wave_BT, (0, pieces * samples - length))
    computed = compute(padded_BT.reshape(batch * pieces, samples))
    return computed.reshape(batch, -1, computed.shape[-1])


def needs(package: str, extra: str) -> Mistake:
    """The mistake for an optional package that is missing."""
    return Mistake(f"this encoder needs {package}, which is not installed", fix=f"pip install 'audiobench[{extra}]'")
