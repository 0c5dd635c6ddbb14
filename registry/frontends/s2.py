"""The log-mel of the multi-format paper."""

from typing import ClassVar

from registry.frontends.logmel import LogMel
from registry.settings import with_defaults


class S2(LogMel):
    """80 mels of 20 ms every 10 ms.

    At 16 kHz. All other values are ours, because the paper does not state them.
    """

    source: ClassVar[str] = "Wang 2021; FFT size, range, logarithm and normalisation not stated"

    Config = with_defaults(LogMel.Config, win_length=320, n_mels=80)
