"""Log-mel spectrogram."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from registry.frontends._spectral import BandSettings, SpectralFrontend, StftSettings, logarithm, mel_spectrogram


class LogMel(SpectralFrontend["LogMel.Config"]):
    """Mel filter bank over the spectrogram, logarithmic.

    ``[B, T]`` to ``[B, 1, n_mels, T // hop_length + 1]``. Hann window, centred frames with reflected edges. Lin 2022
    uses a log-mel and states none of its numbers; the defaults are those of PANNs at 16 kHz, with each window
    normalised.
    """

    source: ClassVar[str] = "Kong et al. 2020 (16 kHz variant); Lin 2022, numbers not stated there"

    class Config(BandSettings, StftSettings):
        n_mels: int = Field(64, gt=0, description="mel bands")
        mel: Literal["slaney", "htk"] = Field("slaney", description="mel formula; slaney's bands have unit area")
        normalise: Literal["none", "clip", "dataset", "fixed"] = Field(
            "clip",
            description="to zero mean and unit variance: each window, the training clips (measured), by mean and std",
        )

    def __init__(self, config: Config, bins: int | None = None) -> None:
        super().__init__(config, 1, bins or config.n_mels)
        from registry.torchaudio import MelSpectrogram

        self.config = config
        self.shortest = config.n_fft // 2 + 1  # the edges are reflected
        self.mel = MelSpectrogram(
            sample_rate=config.sample_rate,
            n_fft=config.n_fft,
            win_length=config.win_length,
            hop_length=config.hop_length,
            f_min=config.fmin,
            f_max=config.fmax,
            n_mels=config.n_mels,
            power=float(config.power),
            norm="slaney" if config.mel == "slaney" else None,
            mel_scale=config.mel,
        )

    def transform(self, wave_BT: Tensor) -> Tensor:
        return logarithm(mel_spectrogram(self.mel, wave_BT), self.config, self.config.power).unsqueeze(1)
