"""COLA's log-mel."""

from typing import ClassVar

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from registry.frontends.logmel import LogMel
from registry.settings import with_defaults


class Cola(LogMel):
    """64 HTK mels of 25 ms every 10 ms over magnitudes, natural logarithm.

    ``[B, T]`` to ``[B, 1, 64, (T - 400) // 160 + 1]``, 60 to 7800 Hz at 16 kHz, as TensorFlow computes it: no frame
    reaches beyond the waveform, and the bands are triangles in mel, not in Hz. Each window is first scaled to unit
    Euclidean norm; COLA scales the whole clip before it cuts windows.
    """

    source: ClassVar[str] = "Saeed et al. 2021, COLA; google-research/cola"

    Config = with_defaults(
        LogMel.Config,
        n_fft=1024,
        win_length=400,
        power=1,
        fmin=60.0,
        fmax=7800.0,
        mel="htk",
        log="ln",
        floor=1e-5,
        normalise="none",
    )

    def __init__(self, config: LogMel.Config) -> None:
        super().__init__(config)
        from registry.torchaudio import get_mel_banks

        self.shortest = config.win_length
        around = config.n_fft - config.win_length  # torch's frames are n_fft long, the window in the middle
        self.margins = (around // 2, around - around // 2)
        self.mel.spectrogram.center = False
        if config.mel == "htk":
            banks_FK, _ = get_mel_banks(
                config.n_mels, config.n_fft, config.sample_rate, config.fmin, config.fmax, 100.0, -500.0, 1.0
            )
            self.mel.mel_scale.fb = F.pad(banks_FK, (0, 1)).T.contiguous()

    def transform(self, wave_BT: Tensor) -> Tensor:
        return super().transform(F.pad(F.normalize(wave_BT, dim=1), self.margins))
