"""Wang 2021's Conv160."""

from registry.encoders._conv1d import Conv1d


class Conv160(Conv1d):
    """Six convolutions of stride 160 over raw audio.

    ``[B, 1, T]`` to frames ``[B, N', 512]``; 5,254,144 parameters.
    """

    halvings = 5
