"""PANNs' ResNet22."""

from registry.encoders._panns_resnet import PannsResNet


class ResNet22(PannsResNet):
    """Eight basic blocks between two convolution blocks.

    ``[B, 1, F, N]`` to frames ``[B, N // 32, 2048]``; 58,398,912 parameters with 64 mels.
    """

    layers = (2, 2, 2, 2)
