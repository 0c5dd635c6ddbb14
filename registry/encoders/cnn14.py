"""PANNs' CNN14."""

from registry.encoders._panns import PannsCnn


class Cnn14(PannsCnn):
    """Six blocks of two 3x3 convolutions.

    ``[B, 1, F, N]`` to frames ``[B, N // 32, 2048]``; 75,477,440 parameters with 64 mels. With the front end
    ``panns-16k`` it is PANNs' Cnn14_16k.
    """

    blocks, halvings = 6, 5
