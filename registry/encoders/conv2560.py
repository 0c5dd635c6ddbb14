"""Wang 2021's Conv2560."""

from registry.encoders._conv1d import Conv1d


class Conv2560(Conv1d):
    """Ten convolutions of stride 2560 over raw audio.

    ``[B, 1, T]`` to frames ``[B, N', 512]``; 9,452,544 parameters.
    """

    halvings = 9
