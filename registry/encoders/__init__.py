"""Encoders: from a front end's output to frames and one embedding of each clip."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from registry.errors import Mistake
from registry.frontends import Frontend
from registry.settings import Component, Own, Settings
from registry.standing import Objection, Standing, refuse


class Encoder(nn.Module, Component[Own]):
    """Contract of an encoder.

    ``takes`` says what its input is: a spectrogram ``[B, C, F, N]``, or a waveform ``[B, 1, T]``. ``shortest`` is the
    smallest number of frames (or samples, for a waveform) that it accepts, or 1 if it is not known. ``parts`` are the
    names and sizes of the parts of the embedding, in their order, where a protocol may choose among them.
    ``gives_gradients`` says whether the encoder can be trained.

    Args:
        config: the encoder's own ``Config``.
        channels: C of the front end's output.
        bins: F of the front end's output, 0 for raw audio.

    Raises:
        Mistake: for a front end that does not fit.
    """

    takes: ClassVar[Literal["spectrogram", "waveform"]] = "spectrogram"
    embedding_dim: int
    shortest: int = 1
    parts: Mapping[str, int]
    gives_gradients: ClassVar[bool] = True

    def __init__(self, config: Settings, channels: int, bins: int) -> None:
        super().__init__()
        self.parts = {}
        refuse(self.objections(config, Standing("spectrogram" if bins else "waveform")), "")

    @classmethod
    def objections(cls, config: Any, standing: Standing) -> Iterable[Objection]:
        """Objects to a front end that gives another kind of input."""
        if standing.gives not in (None, cls.takes):
            what = f"{cls.__name__} takes a {cls.takes}, and the front end gives a {standing.gives}"
            spectral = "use a spectral front end, such as logmel"
            yield Objection("name", what, "frontend: waveform" if cls.takes == "waveform" else spectral)

    @classmethod
    def gradients(cls, config: Any) -> int:
        """Version of the gradients, for the keys of what trains the encoder; embeddings have ``version``.

        Its author raises it when training changes, and embeddings with the same weights do not.

        Args:
            config: the encoder's own ``Config``.
        """
        return 1

    def forward(self, x_BCFN: Tensor) -> Tensor:
        """The frames ``[B, N', D]`` of a front end's output."""
        raise NotImplementedError

    def pool(self, frames_BND: Tensor) -> Tensor:
        """One embedding of each clip, ``[B, D]``, from its frames: by default their mean over time."""
        return frames_BND.mean(1)

    def embed(self, x_BCFN: Tensor) -> Tensor:
        """One embedding of each clip, ``[B, D]``."""
        return self.pool(self(x_BCFN))

    def load_imagenet(self, path: Path | None) -> None:
        """Loads ImageNet weights: those of timm's pretrained tag, or of a local timm checkpoint.

        Raises:
            Mistake: if there are no ImageNet weights for this encoder.
        """
        raise Mistake(f"{type(self).__name__} has no ImageNet weights", fix="use weights: random, or a timm encoder")

    @classmethod
    def imagenet(cls, config: Any) -> str:
        """The full name of timm's ImageNet weights for this encoder, for keys; empty where it is not known.

        Args:
            config: the encoder's own ``Config``.
        """
        return ""

    def translate(self, published: Mapping[str, Tensor], frontend: Frontend) -> dict[str, Tensor]:
        """Renames the weights of the source's own checkpoint to this encoder's names.

        Args:
            published: tensors by the source's names.
            frontend: will feed the encoder; it is compared with the front end that the checkpoint was trained with.

        Raises:
            Mistake: if this encoder reads no published checkpoints, or the front end is another.
        """
        raise Mistake(
            f"{type(self).__name__} reads no checkpoints but its own", fix="name an encoder.safetensors, or a PANNs net"
        )

    def check_length(self, x: Tensor) -> None:
        """Raises a Mistake for input shorter than ``shortest``."""
        if x.shape[-1] < self.shortest:
            unit = "frames" if self.takes == "spectrogram" else "samples"
            raise Mistake(
                f"{type(self).__name__} needs at least {self.shortest} {unit}, and got {x.shape[-1]}",
                fix="use longer windows" + (", or a shorter hop" if unit == "frames" else ""),
            )
