"""Augmentations of waveforms and spectrograms, batched on the device.

Randomness comes from torch's global generator, which the training loops seed at every step.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.settings import Component, Own, Settings


class AugmentationConfig(Settings):
    """Settings of every augmentation."""

    p: float = Field(1.0, ge=0, le=1, description="probability, drawn for each example")


class Augmentation(nn.Module, Component[Own]):
    """Contract of an augmentation: a batch in, the changed batch out. ``apply_batch`` changes every example.

    ``domain`` says what it works on: ``waveform`` ``[B, T]`` or ``spectrogram`` ``[B, C, F, N]``.
    """

    domain: ClassVar[Literal["waveform", "spectrogram"]]
    Config = AugmentationConfig

    def __init__(self, config: AugmentationConfig) -> None:
        super().__init__()
        self.p = config.p

    def apply_batch(self, x: Tensor) -> Tensor:
        """The batch with every example changed."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """The batch with each example changed with probability ``p``."""
        changed = self.apply_batch(x)
        if self.p == 1:
            return changed
        chosen_B = torch.rand(len(x), device=x.device) < self.p
        return torch.where(chosen_B.view(-1, *[1] * (x.ndim - 1)), changed, x)


def uniform(low: float, high: float, like: Tensor) -> Tensor:
    """One draw from U[low, high) for each example, shaped ``[B, 1, ...]`` to broadcast against ``like``."""
    return torch.empty(len(like), *[1] * (like.ndim - 1), device=like.device).uniform_(low, high)


def stripes(x: Tensor, axis: int, widest: int, count: int) -> Tensor:
    """Masks of random stripes along one axis: width uniform in 0..widest, start uniform over the places that fit.

    Returns:
        Boolean, shaped to broadcast against ``x``: true inside a stripe.
    """
    length = x.shape[axis]
    width = (torch.rand(len(x), count, 1, device=x.device) * (min(widest, length) + 1)).long()
    start = (torch.rand(len(x), count, 1, device=x.device) * (length - width + 1)).long()
    position = torch.arange(length, device=x.device)
    inside = ((position >= start) & (position < start + width)).any(1)
    shape = [1] * x.ndim
    shape[0], shape[axis] = len(x), length
    return inside.view(shape)
