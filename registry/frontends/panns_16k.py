"""PANNs' log-mel at 16 kHz."""

from typing import ClassVar

from registry.frontends.logmel import LogMel
from registry.settings import with_defaults


class Panns16k(LogMel):
    """64 mels of 32 ms every 10 ms at 16 kHz, in decibels: the front end of PANNs' Cnn14_16k."""

    source: ClassVar[str] = "Kong et al. 2020, PANNs; audioset_tagging_cnn (Cnn14_16k)"

    Config = with_defaults(LogMel.Config, normalise="none")
