"""Two whole windows of a clip and several short ones, as SwAV and DeepCluster v2 look at it."""

import torch
from torch import Tensor, nn

from registry.methods import Method, unit


def project(method: Method, head: nn.Module, wave_BVT: Tensor, short_length: float) -> Tensor:
    """Projections ``[V, B, D]`` of unit norm, of two whole windows and of the beginnings of all others.

    Windows of one length go through the encoder together, and all through the head: batch norms see them at once.

    Args:
        method: gives views and embeddings.
        head: from embeddings to projections.
        wave_BVT: at least two windows.
        short_length: of a short window, in whole ones.
    """
    short = max(int(short_length * wave_BVT.shape[2]), 1)
    parts = wave_BVT[:, :2], wave_BVT[:, 2:, :short]
    inputs = [torch.cat([method.views(wave_BT) for wave_BT in part.unbind(1)]) for part in parts if part.shape[1]]
    z_PD = unit(head(torch.cat([method.embed(x) for x in inputs])))
    return z_PD.view(wave_BVT.shape[1], len(wave_BVT), -1)
