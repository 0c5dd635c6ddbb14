"""ESResNet's three-band spectrogram."""

from typing import ClassVar

from torch import Tensor

from registry.frontends.spectrogram import Spectrogram
from registry.settings import with_defaults

_FULL_SCALE = 32768.0


class Esresnet(Spectrogram):
    """Power of 37.5 ms every 12.7 ms in decibels, three bands as channels.

    ``[B, T]`` to ``[B, 3, 341, T // 561 + 1]`` at 44.1 kHz. Waveforms are scaled to the range of 16-bit integers, as
    the source does with ESC-50. The source scales each clip of UrbanSound8K to the full range; this is not done here.
    """

    source: ClassVar[str] = "Guzhov et al. 2020; ESResNet:model/esresnet.py"

    Config = with_defaults(
        Spectrogram.Config,
        sample_rate=44100,
        n_fft=2048,
        win_length=1654,
        hop_length=561,
        window="blackman-harris",
        normalised=True,
        bands=3,
        floor=1e-18,
    )

    def transform(self, wave_BT: Tensor) -> Tensor:
        return super().transform(wave_BT * _FULL_SCALE)
