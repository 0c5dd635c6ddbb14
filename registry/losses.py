"""Losses of the pretraining methods, as pure functions of tensors.

Embeddings are rows. Where a loss needs unit norm it says so. Everything is computed in float32 at least, whatever the
precision of the step.
"""

import math

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
    logits = _wide(torch.cat([positive_B1, query_BD @ negatives_QD.T], 1)) / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def nt_xent(a_BD: Tensor, b_BD: Tensor, temperature: float) -> Tensor:
    """SimCLR's loss: each of the 2 B embeddings against its other view and the 2 (B - 1) of other clips; their mean.

    The released code adds the means of the two directions, which is twice this. Lin 2022, section 1.2, counts 2 B - 1
    negatives: that many terms stand in the denominator, one of them the positive.

    Args:
        a_BD: unit norm.
        b_BD: unit norm, the other view of the same clips.
        temperature: above 0.
    """
    z_BD = torch.cat([a_BD, b_BD])
    logits = _wide(z_BD @ z_BD.T) / temperature
    logits = logits.masked_fill(torch.eye(len(z_BD), dtype=torch.bool, device=z_BD.device), float("-inf"))
    other = torch.arange(len(z_BD), device=z_BD.device).roll(len(a_BD))
    return F.cross_entropy(logits, other)


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


def nce(data_B: Tensor, noise_BK: Tensor, data_noise_B: Tensor, noise_noise_BK: Tensor) -> Tensor:
    """Noise-contrastive estimation: tells data from K noise samples each, mean over the data.

    ``-[log h(x) + sum_k log(1 - h(y_k))]`` with ``h(u) = p(u) / (p(u) + K p_n(u))`` (Gutmann & Hyvarinen 2010). Lin
    2022, section 1.2, omits the minus sign and mixes two letters for the model's density.

    Args:
        data_B: log density that the model gives the data.
        noise_BK: the same of the noise samples.
        data_noise_B: log density of the noise distribution at the data.
        noise_noise_BK: the same at the noise samples.
    """
    log_k = math.log(noise_BK.shape[1])
    data = F.logsigmoid(_wide(data_B) - data_noise_B - log_k)
    noise = F.logsigmoid(-(_wide(noise_BK) - noise_noise_BK - log_k)).sum(1)
    return -(data + noise).mean()


def contrastive(a_BD: Tensor, b_BD: Tensor, same_B: Tensor, margin: float) -> Tensor:
    """Hadsell's pair loss, mean over pairs: ``D^2 / 2`` of same pairs, ``max(0, margin - D)^2 / 2`` of others."""
    distance_B = F.pairwise_distance(_wide(a_BD), _wide(b_BD), eps=0.0)
    apart_B = (margin - distance_B).clamp_min(0).square()
    return torch.where(same_B, distance_B.square(), apart_B).mean() / 2


def triplet(anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor, margin: float) -> Tensor:
    """FaceNet's hinge on squared distances, mean over triplets: ``max(0, |a - p|^2 - |a - n|^2 + margin)``."""
    near_B = _wide(anchor_BD - positive_BD).square().sum(1)
    far_B = _wide(anchor_BD - negative_BD).square().sum(1)
    return (near_B - far_B + margin).clamp_min(0).mean()


def lifted_structure(z_BD: Tensor, label_B: Tensor, margin: float, *, smooth: bool) -> Tensor:
    """Lifted structured loss over all positive pairs of a batch (Song et al. 2016).

    ``J_ij = max(max_k (m - D_ik), max_l (m - D_jl)) + D_ij`` over the negatives k of i and l of j, or, smooth,
    ``log(sum_k exp(m - D_ik) + sum_l exp(m - D_jl)) + D_ij``; the loss is ``sum max(0, J)^2 / (2 |P|)``. D is the
    Euclidean distance. Lin 2022, section 1.2, omits ``+ D_ij`` from the smooth form.

    Args:
        z_BD: embeddings; every label needs another one in the batch.
        label_B: equal labels are positives.
        margin: m.
        smooth: the second form, which is the one trained with.
    """
    distance_BB = _distances(z_BD)
    same_BB = label_B[:, None] == label_B
    repulsion_BB = (margin - distance_BB).masked_fill(same_BB, float("-inf"))
    first, second = torch.nonzero(torch.triu(same_BB, diagonal=1), as_tuple=True)
    both_PB = torch.stack([repulsion_BB[first], repulsion_BB[second]], 1).flatten(1)
    push_P = both_PB.logsumexp(1) if smooth else both_PB.amax(1)
    return (push_P + distance_BB[first, second]).clamp_min(0).square().mean() / 2


def n_pair(anchor_BD: Tensor, positive_BD: Tensor) -> Tensor:
    """Multi-class N-pair loss: ``log(1 + sum_i exp(s(a, p_i) - s(a, p)))`` with dot products s, mean over anchors.

    The positives of the other anchors are the negatives (Sohn 2016). Lin 2022, section 1.2, writes distances in the
    place of similarities, and prints the triplet hinge as a first form.
    """
    return F.cross_entropy(_wide(anchor_BD @ positive_BD.T), torch.arange(len(anchor_BD), device=anchor_BD.device))


def cola(anchor_BD: Tensor, positive_BD: Tensor, weight_DD: Tensor | None, temperature: float) -> Tensor:
    """COLA's loss: anchors against the positives of the batch, in one direction, mean over anchors.

    Args:
        anchor_BD: projections; of unit norm for the cosine form.
        positive_BD: likewise.
        weight_DD: of the bilinear similarity ``a^T W p``; None for the dot product of the cosine form.
        temperature: divides the similarities; the bilinear form has 1.
    """
    scored_BD = anchor_BD if weight_DD is None else anchor_BD @ weight_DD
    return n_pair(scored_BD / temperature, positive_BD)


@torch.no_grad()
def sinkhorn(score_BK: Tensor, epsilon: float, iterations: int) -> Tensor:
    """SwAV's soft assignments ``[B, K]``: rows sum to 1, columns to about B / K.

    Args:
        score_BK: similarities of embeddings and prototypes.
        epsilon: sharpness; lower is harder.
        iterations: of alternating normalisation.
    """
    logits = _wide(score_BK) / epsilon
    share_BK = (logits - logits.max()).exp()  # any common factor falls out
    for _ in range(iterations):
        share_BK = share_BK / share_BK.sum(0, keepdim=True) / share_BK.shape[1]
        share_BK = share_BK / share_BK.sum(1, keepdim=True) / share_BK.shape[0]
    return share_BK * len(share_BK)


def swapped_prediction(assignment_BK: Tensor, score_BK: Tensor, temperature: float) -> Tensor:
    """SwAV's cross-entropy of one view's assignments and another's scores, mean over the batch.

    Lin 2022, section 1.2, divides by the temperature outside the exponent; it belongs inside.
    """
    return -(assignment_BK * F.log_softmax(_wide(score_BK) / temperature, 1)).sum(1).mean()


def regression(prediction_BD: Tensor, target_BD: Tensor) -> Tensor:
    """BYOL's loss: squared distance of unit vectors, ``2 - 2 cos``, mean over the batch."""
    return 2 - 2 * F.cosine_similarity(_wide(prediction_BD), _wide(target_BD)).mean()


def barlow_twins(a_BD: Tensor, b_BD: Tensor, redundancy: float) -> Tensor:
    """Cross-correlation of two views brought to the identity: ``sum_i (1 - C_ii)^2 + redundancy * sum_i!=j C_ij^2``.

    Every dimension is standardised over the batch (Zbontar et al. 2021).
    """
    correlation_DD = _standardised(a_BD).T @ _standardised(b_BD) / len(a_BD)
    on = (1 - correlation_DD.diagonal()).square().sum()
    off = correlation_DD.square().sum() - correlation_DD.diagonal().square().sum()
    return on + redundancy * off


def vicreg(a_BD: Tensor, b_BD: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """Weighted sum of mean squared distance, hinge on deviations under 1, and squared covariances (Bardes et al. 2022).

    Deviations are averaged, and covariances divided by the dimension, in both views; the hinge is averaged over them.
    """
    a_BD, b_BD = _wide(a_BD), _wide(b_BD)
    spread = sum((1 - (z.var(0) + 1e-4).sqrt()).clamp_min(0).mean() / 2 for z in (a_BD, b_BD))
    return invariance * F.mse_loss(a_BD, b_BD) + variance * spread + covariance * (_off(a_BD) + _off(b_BD))


def _off(z_BD: Tensor) -> Tensor:
    """Sum of the squared covariances of different dimensions, over the number of dimensions."""
    centred_BD = z_BD - z_BD.mean(0)
    covariance_DD = centred_BD.T @ centred_BD / (len(z_BD) - 1)
    squares = covariance_DD.square().sum() - covariance_DD.diagonal().square().sum()
    return squares / z_BD.shape[1]


def _standardised(z_BD: Tensor) -> Tensor:
    z_BD = _wide(z_BD)
    return (z_BD - z_BD.mean(0)) / z_BD.std(0, correction=0).clamp_min(1e-5)


def _distances(z_BD: Tensor) -> Tensor:
    """Euclidean distances ``[B, B]``; the diagonal, whose gradient would be no number, is constant."""
    square_BB = (_wide(z_BD)[:, None] - _wide(z_BD)).square().sum(2)
    eye_BB = torch.eye(len(z_BD), dtype=torch.bool, device=z_BD.device)
    return square_BB.masked_fill(eye_BB, 1.0).sqrt().masked_fill(eye_BB, 0.0)


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
