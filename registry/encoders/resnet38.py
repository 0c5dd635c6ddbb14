"""PANNs' ResNet38."""

from registry.encoders._panns_resnet import PannsResNet


class ResNet38(PannsResNet):
    """Sixteen basic blocks between two convolution blocks.

    ``[B, 1, F, N]`` to frames ``[B, N // 32, 2048]``; 68,507,072 parameters with 64 mels.
    """

    layers = (3, 4, 6, 3)
