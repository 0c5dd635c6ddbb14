"""Clustering of a corpus's embeddings, on the device where they are."""

import torch
from torch import Tensor

from registry.methods import unit

_ROWS = 8192  # compared with the centroids at once: a million rows times ten thousand would not fit on a device
_FLOOR = 1e-6  # of the largest variance: smaller variances are rounding errors, which whitening would amplify


@torch.no_grad()
def kmeans(x_ND: Tensor, clusters: int, iterations: int, *, spherical: bool = False) -> tuple[Tensor, Tensor]:
    """Lloyd's algorithm. torch's global generator chooses the first centroids; an empty cluster keeps its centroid.

    Args:
        x_ND: at least one row for each cluster; of unit norm if ``spherical``.
        clusters: K.
        iterations: how often the centroids move.
        spherical: scale centroids to unit norm, so that the nearest one has the largest cosine.

    Returns:
        For each row the index ``[N]`` of the nearest centroid, and the centroids ``[K, D]``.
    """
    centroid_KD = x_ND[torch.randperm(len(x_ND))[:clusters].to(x_ND.device)]
    for _ in range(iterations):
        label_N = _nearest(x_ND, centroid_KD)
        sum_KD = torch.zeros_like(centroid_KD).index_add_(0, label_N, x_ND)
        size_K1 = torch.bincount(label_N, minlength=clusters).unsqueeze(1)
        centroid_KD = torch.where(size_K1 > 0, sum_KD / size_K1.clamp_min(1), centroid_KD)
        if spherical:
            centroid_KD = unit(centroid_KD)
    return _nearest(x_ND, centroid_KD), centroid_KD


@torch.no_grad()
def whiten(x_ND: Tensor, components: int) -> Tensor:
    """Projects rows on their first principal components, scales these to variance 1, then rows to unit norm.

    Returns:
        Float32 ``[N, components]``.
    """
    centred_ND = x_ND.double() - x_ND.double().mean(0)
    variance_D, direction_DD = torch.linalg.eigh(centred_ND.T @ centred_ND / len(x_ND))  # in ascending order
    variance_P = variance_D[-components:].clamp_min(_FLOOR * variance_D[-1])
    return unit(centred_ND @ direction_DD[:, -components:] / variance_P.sqrt())


def _nearest(x_ND: Tensor, centroid_KD: Tensor) -> Tensor:
    """The index ``[N]`` of each row's nearest centroid: the largest ``x.c - |c|^2 / 2``."""
    half_K = centroid_KD.square().sum(1) / 2
    with torch.autocast(x_ND.device.type, enabled=False):  # half precision could not tell close centroids apart
        return torch.cat([(rows @ centroid_KD.T - half_K).argmax(1) for rows in x_ND.split(_ROWS)])
