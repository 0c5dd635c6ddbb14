"""Wang 2021's Conv1280."""

from registry.encoders._conv1d import Conv1d


class Conv1280(Conv1d):
    """Nine convolutions of stride 1280 over raw audio.

    ``[B, 1, T]`` to frames ``[B, N', 512]``; 8,402,944 parameters.
    """

    halvings = 8
