"""Fades in and out."""

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig, uniform

_SHAPES = 5


class Fade(Augmentation):
    """Fades the beginning and the end of a waveform, each over a random length, in one of five shapes.

    A length is uniform up to a share of the waveform. The shape is linear, exponential, logarithmic, quarter sine or
    half sine, drawn for each example, and the same at both ends.
    """

    domain = "waveform"
    source: ClassVar[str] = "Al-Tahan & Mohsenzadeh 2021, CLAR (code)"

    class Config(AugmentationConfig):
        share: float = Field(0.5, gt=0, le=1, description="longest fade, as share of the waveform")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.share = config.share

    def apply_batch(self, x: Tensor) -> Tensor:
        shape_B = torch.randint(_SHAPES, (len(x),), device=x.device)
        position = torch.arange(x.shape[1], device=x.device)
        gain = _gain(position / self._length(x), shape_B) * _gain(position.flip(0) / self._length(x), shape_B)
        return x * gain

    def _length(self, x: Tensor) -> Tensor:
        return uniform(0, self.share * x.shape[1], x).clamp_min(1)


def _gain(position_BT: Tensor, shape_B: Tensor) -> Tensor:
    """The gain: from 0 at position 0 to 1 at position 1, and 1 beyond."""
    p = position_BT.clamp(0, 1)
    shapes = torch.stack(
        [
            p,
            2 ** (p - 1) * p,
            (0.1 + p).log10() + 1,
            (p * math.pi / 2).sin(),
            (p * math.pi - math.pi / 2).sin() / 2 + 0.5,
        ]
    )
    return shapes.clamp(0, 1)[shape_B, torch.arange(len(shape_B), device=p.device)]
