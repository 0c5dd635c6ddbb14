"""PANNs' log-mel."""

from typing import ClassVar

from registry.frontends.logmel import LogMel
from registry.settings import with_defaults


class Panns(LogMel):
    """64 mels of 32 ms every 10 ms at 32 kHz, in decibels.

    Slaney's mels of 50 to 14000 Hz, not normalised: PANNs begin with a batch norm.
    """

    source: ClassVar[str] = "Kong et al. 2020, PANNs; audioset_tagging_cnn"

    Config = with_defaults(
        LogMel.Config,
        sample_rate=32000,
        n_fft=1024,
        win_length=1024,
        hop_length=320,
        fmax=14000.0,
        normalise="none",
    )
