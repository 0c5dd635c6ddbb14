"""From waveforms to the input of an encoder: augmentations, the front end, augmentations."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from registry.augmentations import Augmentation
from registry.frontends import Frontend


class Views(nn.Module):
    """Waveform augmentations, the front end, then spectrogram augmentations, each in the order of the list.

    Gradients reach a front end that learns. For a front end without parameters autograd records nothing.

    Args:
        frontend: ``[B, T]`` to ``[B, C, F, N]``.
        augmentations: of either domain; none at evaluation.
    """

    def __init__(self, frontend: Frontend, augmentations: Sequence[Augmentation] = ()) -> None:
        super().__init__()
        self.on_waveform = nn.Sequential(*(a for a in augmentations if a.domain == "waveform"))
        self.frontend = frontend
        self.on_spectrogram = nn.Sequential(*(a for a in augmentations if a.domain == "spectrogram"))

    def forward(self, wave_BT: Tensor) -> Tensor:
        """``[B, T]`` float32 to the encoder's input ``[B, C, F, N]``."""
        x: Tensor = self.on_spectrogram(self.frontend(self.on_waveform(wave_BT)))
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
