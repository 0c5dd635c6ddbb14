"""Multi-crop: two whole windows of a clip and several short ones, as in SwAV and DeepCluster v2."""

import torch
from torch import Tensor, nn

from registry.methods import Method, unit


def project(method: Method, head: nn.Module, wave_BVT: Tensor, short_length: float) -> Tensor:
    """Projections ``[V, B, D]`` of unit norm, of two whole windows, and of the beginnings of all other windows.

    Windows of one length go through the encoder together, and all windows through the head together, so that batch
    norms see them at once.

    Args:
        method: gives views and embeddings.
        head: from embeddings to projections.
        wave_BVT: at least two windows.
        short_length: length of a short window, as share of a whole one.
    """
    short = max(int(short_length * wave_BVT.shape[2]), 1)
    lengths = wave_BVT[:, :2], wave_BVT[:, 2:, :short]
    inputs = [torch.cat([method.views(wave_BT) for wave_BT in waves.unbind(1)]) for waves in lengths if waves.shape[1]]
    z_PD = unit(head(torch.cat([method.embed(x) for x in inputs])))
    return z_PD.view(wave_BVT.shape[1], len(wave_BVT), -1)
