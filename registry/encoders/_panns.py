"""PANNs' encoders share: convolution blocks, pooling, the layer before the classifier, reading of published weights."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend
from registry.frontends.logmel import LogMel
from registry.settings import Settings

_MEL_MATRIX = "logmel_extractor.melW"
# Names in a published checkpoint: of the front end, which has no weights here, and of AudioSet's classifier.
_LEFT_OUT = r"spectrogram_extractor\.|logmel_extractor\.|fc_audioset\."


class PannsSettings(Settings):
    """Settings of every PANNs encoder."""

    width: int = Field(64, ge=1, description="channels of the first block; the other blocks are in proportion")
    dropout: float = Field(0.2, ge=0, lt=1, description="probability, after every block")
    fc1: bool = Field(False, description="end with the published net's hidden layer, as its own embeddings do")


class Panns(Encoder):
    """An encoder of PANNs: it pools frames by maximum plus mean over time; ``fc1`` adds the layer after this.

    SpecAugment and mixup, which the source has inside its nets, are augmentations here. ``skipped`` is a pattern of
    published names that a subclass does not use.
    """

    source: ClassVar[str] = "Kong et al. 2020, PANNs; audioset_tagging_cnn:pytorch/models.py"
    Config: ClassVar[type[Settings]] = PannsSettings
    skipped: ClassVar[str] = ""

    def __init__(self, config: PannsSettings, channels: int, bins: int, embedding_dim: int) -> None:
        super().__init__(config, channels, bins)
        self.dropout, self.embedding_dim = config.dropout, embedding_dim
        self.fc1 = nn.Linear(embedding_dim, embedding_dim) if config.fc1 else None

    def pool(self, frames_BND: Tensor) -> Tensor:
        """Maximum plus mean over time, then ``fc1`` and ReLU where the settings ask for them."""
        pooled_BD = frames_BND.amax(1) + frames_BND.mean(1)
        if self.fc1 is None:
            return pooled_BD
        return torch.relu(self.fc1(F.dropout(pooled_BD, 0.5, self.training)))

    def translate(self, published: Mapping[str, Tensor], frontend: Frontend) -> dict[str, Tensor]:
        """Weights of a published ``.pth``, which has the same names and some more.

        Left out are the front end, the classifier, unused layers, and ``fc1`` unless the settings ask for it. The front
        end must be the one that the net was trained with, as far as the file shows: mel matrix, decibels of power.
        """
        if _MEL_MATRIX in published:
            _check_logmel(published[_MEL_MATRIX], frontend)
        left_out = "|".join(filter(None, [_LEFT_OUT, self.skipped, "" if self.fc1 is not None else r"fc1\."]))
        return {name: tensor for name, tensor in published.items() if not re.match(left_out, name)}

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


def mel_norm(norm: nn.BatchNorm2d, x_BCFN: Tensor) -> Tensor:
    """A batch norm over the mel axis: ``[B, C, F, N]`` to ``[B, C, N, F]``, time before frequency, as published.

    On a CPU torch (2.11 to 2.14) computes wrong gradients where the norm's input and the gradient of its output lie in
    memory in different orders, as convolutions in channels-last order give it: both are put in one order.
    """
    normal_BFCN: Tensor = norm(x_BCFN.transpose(1, 2).contiguous())
    if normal_BFCN.requires_grad:
        normal_BFCN.register_hook(Tensor.contiguous)
    return normal_BFCN.permute(0, 2, 3, 1)


class SpectralPanns(Panns):
    """A PANNs encoder of one log-mel: batch norm over the mel axis, then ``body`` on ``[B, 1, N, F]``.

    ``halvings`` is how often the body halves time and frequency; ``fewest`` is the smallest number of bins.
    """

    halvings: ClassVar[int]
    fewest: int

    def __init__(self, config: PannsSettings, channels: int, bins: int, embedding_dim: int) -> None:
        super().__init__(config, channels, bins, embedding_dim)
        self.shortest = 2**self.halvings
        if channels != 1 or bins < self.fewest:
            raise Mistake(
                f"{type(self).__name__} takes one channel of at least {self.fewest} bins, "
                f"and the front end gives {channels} of {bins}",
                fix="use a log-mel front end with more mels",
            )
        self.bn0 = nn.BatchNorm2d(bins)

    @classmethod
    def gradients(cls, config: Any) -> int:
        """2: those of ``bn0`` were wrong on a CPU."""
        return 2

    def body(self, x_B1NF: Tensor) -> Tensor:
        """``[B, D, N', F']``."""
        raise NotImplementedError

    def forward(self, x_BCFN: Tensor) -> Tensor:
        self.check_length(x_BCFN)
        return self.body(mel_norm(self.bn0, x_BCFN)).mean(3).transpose(1, 2)


class ConvBlock(nn.Module):
    """Convolutions with batch norm and ReLU: two of 3x3, or one of 5x5; ``[B, C, N, F]`` to ``[B, channels, N, F]``."""

    def __init__(self, channels_in: int, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv1 = conv(nn.Conv2d, channels_in, channels, kernel)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(nn.Conv2d, channels, channels, kernel) if kernel == 3 else None
        self.bn2 = nn.BatchNorm2d(channels) if kernel == 3 else None

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.bn1(self.conv1(x)))
        if self.conv2 is None or self.bn2 is None:
            return x
        return torch.relu_(self.bn2(self.conv2(x)))


class PannsCnn(SpectralPanns):
    """The plain convolutional nets: blocks double the channels and halve time and frequency (a sixth halves nothing).

    When one bin is left, frequency is not halved any more: 13 coefficients become 6, 3, 1, 1. With the published mels
    this never happens. It makes MFCC fit; Wang 2021, which uses MFCC, does not state how.
    """

    blocks: ClassVar[int]
    kernel: ClassVar[int] = 3
    fewest = 1

    def __init__(self, config: PannsSettings, channels: int, bins: int) -> None:
        widths = [config.width * 2**i for i in range(self.blocks)]
        super().__init__(config, channels, bins, widths[-1])
        for i, (channels_in, channels_out) in enumerate(zip([1, *widths[:-1]], widths, strict=True), 1):
            self.add_module(f"conv_block{i}", ConvBlock(channels_in, channels_out, self.kernel))

    def body(self, x_B1NF: Tensor) -> Tensor:
        x = x_B1NF
        for i in range(1, self.blocks + 1):
            x = self.get_submodule(f"conv_block{i}")(x)
            x = self._drop(F.avg_pool2d(x, (2, min(2, x.shape[3]))) if i <= self.halvings else x)
        return x


def _check_logmel(trained_with: Tensor, frontend: Frontend) -> None:
    """Raises a Mistake unless the front end is PANNs' log-mel with this mel matrix ``[FFT bins, mels]``."""
    problem = ""
    if not isinstance(frontend, LogMel):
        problem = "the front end is none"
    elif (frontend.config.power, frontend.config.log, frontend.config.normalise) != (2, "db", "none"):
        problem = "the front end's is not one of power in decibels without normalisation"
    else:
        ours = frontend.mel.mel_scale.fb
        if trained_with.shape != ours.shape or not torch.allclose(trained_with, ours, atol=1e-5):
            shapes = f"{list(trained_with.shape)} against {list(ours.shape)} (FFT bins, mels)"
            problem = f"the front end's mel matrix is another: {shapes}"
    if problem:
        raise Mistake(
            f"the checkpoint was trained on a log-mel, and {problem}",
            fix="use the front end panns (32 kHz), or panns-16k for a checkpoint of 16 kHz",
        )


def conv(
    kind: type[nn.Conv1d] | type[nn.Conv2d],
    channels_in: int,
    channels: int,
    kernel: int,
    stride: int = 1,
    dilation: int = 1,
) -> nn.Module:
    """A convolution without bias, padded to keep the length, with Xavier-uniform weights as in PANNs."""
    padding = dilation * (kernel // 2)
    made = kind(channels_in, channels, kernel, stride, padding, dilation, bias=False)
    nn.init.xavier_uniform_(made.weight)
    return made
