"""Losses of the pretraining methods, as pure functions of tensors."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def info_nce(query_BD: Tensor, key_BD: Tensor, negatives_QD: Tensor, temperature: float) -> Tensor:
    """MoCo's loss: each query against its own key and the keys of a queue, mean over the batch.

    ``-log exp(q.k+ / t) / (exp(q.k+ / t) + sum_i exp(q.k_i / t))``. Lin 2022, section 1.2, prints exp(q.k t): the
    temperature divides.

    Args:
        query_BD: unit norm.
        key_BD: unit norm, the positive of each query.
        negatives_QD: unit norm.
        temperature: above 0.
    """
    positive_B1 = (query_BD * key_BD).sum(1, keepdim=True)
    logits = torch.cat([positive_B1, query_BD @ negatives_QD.T], 1).float() / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def npid_nce(probability_BK: Tensor, instances: int) -> Tensor:
    """NPID's noise-contrastive loss, mean over the batch.

    ``-[log(P0 / (P0 + K / N)) + sum_k log((K / N) / (P_k + K / N))]``, with 1e-7 in the denominators as released.
    Lin 2022, section 1.2, omits the minus sign.

    Args:
        probability_BK: ``exp(v.m / t) / Z``: column 0 the instance itself, then K noise samples.
        instances: N, the size of the corpus; noise is uniform over it.
    """
    noise = (probability_BK.shape[1] - 1) / instances
    data_B = (probability_BK[:, 0] / (probability_BK[:, 0] + noise + 1e-7)).log()
    noise_B = (noise / (probability_BK[:, 1:] + noise + 1e-7)).log().sum(1)
    return -(data_B + noise_B).mean()
