"""Wang 2021's Conv640."""

from registry.encoders._conv1d import Conv1d


class Conv640(Conv1d):
    """Eight convolutions of stride 640 over raw audio.

    ``[B, 1, T]`` to frames ``[B, N', 512]``; 7,353,344 parameters.
    """

    halvings = 7
