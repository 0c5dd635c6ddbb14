"""PANNs' ResNet54."""

from registry.encoders._panns_resnet import PannsResNet


class ResNet54(PannsResNet):
    """Sixteen bottleneck blocks between two convolution blocks.

    ``[B, 1, F, N]`` to frames ``[B, N // 32, 2048]``; 99,041,984 parameters with 64 mels.
    """

    layers = (3, 4, 6, 3)
    bottleneck = True
