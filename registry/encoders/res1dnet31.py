"""PANNs' Res1dNet31."""

from registry.encoders._res1dnet import Res1dNet


class Res1dNet31(Res1dNet):
    """Fourteen residual blocks of stride 20,480 over raw audio.

    ``[B, 1, T]`` to frames ``[B, N', 2048]``; 75,188,288 parameters.
    """

    layers = (2, 2, 2, 2, 2, 2, 2)
