"""BYOL-A's log-mel."""

from typing import ClassVar

from torch import Tensor

from registry.frontends._spectral import logarithm, mel_spectrogram
from registry.frontends.logmel import LogMel
from registry.settings import with_defaults


class ByolA(LogMel):
    """64 mels of 64 ms every 10 ms, natural logarithm, normalised by the data set.

    Slaney's mels of 60 to 7800 Hz at 16 kHz, ``ln(x + floor)``: the floor, float32's epsilon, is added. Clips have
    0.95 s in the source. Its published weights were trained with librosa, which has Slaney's mels; its other code path
    uses torchaudio's HTK mels.
    """

    source: ClassVar[str] = "Niizumi et al. 2021, BYOL-A; nttcslab/byol-a"

    Config = with_defaults(
        LogMel.Config,
        n_fft=1024,
        win_length=1024,
        fmin=60.0,
        fmax=7800.0,
        log="ln",
        floor=1.1920929e-07,
        normalise="dataset",
    )

    def transform(self, wave_BT: Tensor) -> Tensor:
        mel_BFN = mel_spectrogram(self.mel, wave_BT) + self.config.floor
        return logarithm(mel_BFN, self.config, self.config.power).unsqueeze(1)
