"""PANNs' CNN10."""

from registry.encoders._panns import PannsCnn


class Cnn10(PannsCnn):
    """Four blocks of two 3x3 convolutions.

    ``[B, 1, F, N]`` to frames ``[B, N // 16, 512]``; 4,686,272 parameters with 64 mels.
    """

    blocks, halvings = 4, 4
