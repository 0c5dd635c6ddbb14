"""Wang 2021's Conv320."""

from registry.encoders._conv1d import Conv1d


class Conv320(Conv1d):
    """Seven convolutions of stride 320 over raw audio.

    ``[B, 1, T]`` to frames ``[B, N', 512]``; 6,303,744 parameters.
    """

    halvings = 6
