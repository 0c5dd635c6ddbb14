"""PANNs' CNN6."""

from registry.encoders._panns import PannsCnn


class Cnn6(PannsCnn):
    """Four blocks of one 5x5 convolution.

    ``[B, 1, F, N]`` to frames ``[B, N // 16, 512]``; 4,304,448 parameters with 64 mels.
    """

    blocks, halvings, kernel = 4, 4, 5
