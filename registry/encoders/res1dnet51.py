"""PANNs' Res1dNet51."""

from registry.encoders._res1dnet import Res1dNet


class Res1dNet51(Res1dNet):
    """Twenty-four residual blocks of stride 20,480 over raw audio.

    ``[B, 1, T]`` to frames ``[B, N', 2048]``; 101,261,888 parameters.
    """

    layers = (2, 3, 4, 6, 4, 3, 2)
