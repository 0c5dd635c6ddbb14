"""Losses of the pretraining methods, as pure functions of tensors.

Embeddings are rows. A loss that needs unit norm says so. All is computed in float32 at least, in any precision of the
step.
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
    logits = _wide(torch.cat([positive_B1, query_BD @ negatives_QD.T], 1)).div_(temperature)  # they may be many
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def nt_xent(a_BD: Tensor, b_BD: Tensor, temperature: float, memory_QD: Tensor | None = None) -> Tensor:
    """SimCLR's loss: each of the 2 B embeddings against its other view and the 2 (B - 1) of other clips; their mean.

    The released code adds the means of the two directions, which is twice as large. Lin 2022, section 1.2, counts
    2 B - 1 negatives: the denominator has that many terms, but one of them is the positive.

    Args:
        a_BD: unit norm.
        b_BD: unit norm, the other view of the same clips.
        temperature: above 0.
        memory_QD: unit norm, further negatives of every embedding.
    """
    z_BD = torch.cat([a_BD, b_BD])
    others_MD = z_BD if memory_QD is None else torch.cat([z_BD, memory_QD])
    logits = _wide(z_BD @ others_MD.T) / temperature
    itself = torch.eye(len(z_BD), len(others_MD), dtype=torch.bool, device=z_BD.device)
    logits = logits.masked_fill(itself, float("-inf"))
    other = torch.arange(len(z_BD), device=z_BD.device).roll(len(a_BD))
    return F.cross_entropy(logits, other)


def npid_nce(probability_BK: Tensor, instances: int) -> Tensor:
    """NPID's noise-contrastive loss, mean over the batch.

    ``-[log(P0 / (P0 + K / N)) + sum_k log((K / N) / (P_k + K / N))]``, with 1e-7 in the denominators as released.
    Lin 2022, section 1.2, omits the minus sign.

    Args:
        probability_BK: ``exp(v.m / t) / Z``: column 0 is the instance itself, the others are K noise samples.
        instances: N, the size of the corpus; noise is uniform over it.
    """
    noise = (probability_BK.shape[1] - 1) / instances
    data_B = (probability_BK[:, 0] / (probability_BK[:, 0] + noise + 1e-7)).log()
    noise_B = (noise / (probability_BK[:, 1:] + noise + 1e-7)).log().sum(1)
    return -(data_B + noise_B).mean()


def nce(data_B: Tensor, noise_BK: Tensor, data_noise_B: Tensor, noise_noise_BK: Tensor) -> Tensor:
    """Noise-contrastive estimation: tells each data point from K noise samples; mean over the data.

    ``-[log h(x) + sum_k log(1 - h(y_k))]`` with ``h(u) = p(u) / (p(u) + K p_n(u))`` (Gutmann & Hyvarinen 2010). Lin
    2022, section 1.2, omits the minus sign and mixes two letters for the model's density.

    Args:
        data_B: log density of the model at the data.
        noise_BK: log density of the model at the noise samples.
        data_noise_B: log density of the noise distribution at the data.
        noise_noise_BK: log density of the noise distribution at the noise samples.
    """
    log_k = math.log(noise_BK.shape[1])
    data = F.logsigmoid(_wide(data_B) - data_noise_B - log_k)
    noise = F.logsigmoid(-(_wide(noise_BK) - noise_noise_BK - log_k)).sum(1)
    return -(data + noise).mean()


def contrastive(a_BD: Tensor, b_BD: Tensor, same_B: Tensor, margin: float) -> Tensor:
    """Hadsell's pair loss, mean over pairs: ``D^2 / 2`` for same pairs, ``max(0, margin - D)^2 / 2`` for others."""
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
        z_BD: embeddings; every label must occur at least twice.
        label_B: rows with equal labels are positives.
        margin: m.
        smooth: use the second form, which people train with.
    """
    distance_BB = _distances(z_BD)
    same_BB = label_B[:, None] == label_B
    repulsion_BB = (margin - distance_BB).masked_fill(same_BB, float("-inf"))
    push_B = repulsion_BB.logsumexp(1) if smooth else repulsion_BB.amax(1)
    both_BB = (torch.logaddexp if smooth else torch.maximum)(push_B[:, None], push_B)
    pair_BB = torch.triu(same_BB, diagonal=1)
    cost_BB = (both_BB + distance_BB).clamp_min(0).square()
    return cost_BB.where(pair_BB, 0).sum() / pair_BB.sum() / 2


def n_pair(anchor_BD: Tensor, positive_BD: Tensor) -> Tensor:
    """Multi-class N-pair loss: ``log(1 + sum_i exp(s(a, p_i) - s(a, p)))`` with dot products s, mean over anchors.

    The positives of the other anchors are the negatives (Sohn 2016). Lin 2022, section 1.2, writes distances instead of
    similarities, and prints the triplet hinge as a first form.
    """
    return F.cross_entropy(_wide(anchor_BD @ positive_BD.T), torch.arange(len(anchor_BD), device=anchor_BD.device))


def cola(anchor_BD: Tensor, positive_BD: Tensor, weight_DD: Tensor | None, temperature: float) -> Tensor:
    """COLA's loss: anchors against the positives of the batch, in one direction, mean over anchors.

    Args:
        anchor_BD: projections; of unit norm for the cosine form.
        positive_BD: likewise.
        weight_DD: W of the bilinear similarity ``a^T W p``; None for the dot product of the cosine form.
        temperature: divides the similarities; 1 in the bilinear form.
    """
    scored_BD = anchor_BD if weight_DD is None else anchor_BD @ weight_DD
    return n_pair(scored_BD / temperature, positive_BD)


def cpc(prediction_BND: Tensor, frames_BMD: Tensor, *, within: bool, across: bool) -> Tensor:
    """CPC's loss of one step: each prediction finds its frame among other frames, by dot products; mean over all.

    Args:
        prediction_BND: predictions of the last N of the M frames of each clip, in their order.
        frames_BMD: the frames of each clip.
        within: the other M - 1 frames of the clip are negatives.
        across: the B - 1 frames at the same place in other clips are negatives.
    """
    target_BND = frames_BMD[:, -prediction_BND.shape[1] :]
    clips, count = prediction_BND.shape[:2]
    scores = [(prediction_BND * target_BND).sum(2, keepdim=True)]
    if within:
        place_M = torch.arange(frames_BMD.shape[1], device=frames_BMD.device)
        target_NM = place_M[-count:, None] == place_M
        scores.append((prediction_BND @ frames_BMD.transpose(1, 2)).masked_fill(target_NM, float("-inf")))
    if across:
        same_B1B = torch.eye(clips, dtype=torch.bool, device=frames_BMD.device).unsqueeze(1)
        scores.append(torch.einsum("bnd,cnd->bnc", prediction_BND, target_BND).masked_fill(same_B1B, float("-inf")))
    scores_PK = torch.cat([_wide(s) for s in scores], 2).flatten(0, 1)
    return F.cross_entropy(scores_PK, torch.zeros(len(scores_PK), dtype=torch.long, device=scores_PK.device))


@torch.no_grad()
def sinkhorn(score_BK: Tensor, epsilon: float, iterations: int) -> Tensor:
    """SwAV's soft assignments ``[B, K]``: rows sum to 1, columns to about B / K.

    Args:
        score_BK: similarities of embeddings and prototypes.
        epsilon: sharpness; a lower value gives harder assignments.
        iterations: how often rows and columns are normalised.
    """
    logits = _wide(score_BK) / epsilon
    share_BK = (logits - logits.max()).exp()  # a common factor changes nothing
    for _ in range(iterations):
        share_BK = share_BK / share_BK.sum(0, keepdim=True) / share_BK.shape[1]
        share_BK = share_BK / share_BK.sum(1, keepdim=True) / share_BK.shape[0]
    return share_BK * len(share_BK)


def swapped_prediction(assignment_BK: Tensor, score_BK: Tensor, temperature: float) -> Tensor:
    """SwAV's cross-entropy between one view's assignments and another view's scores, mean over the batch.

    Lin 2022, section 1.2, divides by the temperature outside the exponent; it belongs inside.
    """
    return -(assignment_BK * F.log_softmax(_wide(score_BK) / temperature, 1)).sum(1).mean()


def regression(prediction_BD: Tensor, target_BD: Tensor) -> Tensor:
    """BYOL's loss: squared distance of unit vectors, ``2 - 2 cos``, mean over the batch."""
    return 2 - 2 * F.cosine_similarity(_wide(prediction_BD), _wide(target_BD)).mean()


def barlow_twins(a_BD: Tensor, b_BD: Tensor, redundancy: float) -> Tensor:
    """Distance of two views' cross-correlation to the identity: ``sum_i (1 - C_ii)^2 + redundancy * sum_i!=j C_ij^2``.

    Every dimension is standardised over the batch, with 1e-5 added to its variance (Zbontar et al. 2021).
    """
    a_BD, b_BD = (F.batch_norm(_wide(z_BD), None, None, training=True, eps=1e-5) for z_BD in (a_BD, b_BD))
    correlation_DD = a_BD.T @ b_BD / len(a_BD)
    on = (1 - correlation_DD.diagonal()).square().sum()
    off = correlation_DD.square().sum() - correlation_DD.diagonal().square().sum()
    return on + redundancy * off


def vicreg(a_BD: Tensor, b_BD: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """Weighted sum of mean squared distance, hinge on deviations under 1, and squared covariances (Bardes et al. 2022).

    The hinge is the mean over dimensions and both views. Covariances are divided by the dimension; both views count.
    """
    a_BD, b_BD = _wide(a_BD), _wide(b_BD)
    hinge = sum((1 - (z.var(0) + 1e-4).sqrt()).clamp_min(0).mean() / 2 for z in (a_BD, b_BD))
    return invariance * F.mse_loss(a_BD, b_BD) + variance * hinge + covariance * (_off(a_BD) + _off(b_BD))


def batch_kmeans(z_BD: Tensor, clusters: int, iterations: int) -> tuple[Tensor, Tensor]:
    """K-means from the first rows: the cluster of each row, and the centroids ``[K, D]``.

    Distances are squared Euclidean. The centroid of an empty cluster is zero. Centroids are the means of their rows, of
    any norm, and have gradients; the assignment has none.

    Args:
        z_BD: at least ``clusters`` rows.
        clusters: K.
        iterations: of assignment and means, at least 1.
    """
    with torch.no_grad():
        centroid_KD = _wide(z_BD[:clusters])
        for _ in range(iterations):
            # Not by a matrix product, which cannot tell equal rows from nearly equal ones.
            distance_BK = torch.cdist(_wide(z_BD), centroid_KD, compute_mode="donot_use_mm_for_euclid_dist")
            label_B = distance_BK.argmin(1)
            centroid_KD = _means(z_BD, label_B, clusters)
    return label_B, _means(z_BD, label_B, clusters)


def normalised_cuts(z_BD: Tensor, clusters: int, iterations: int) -> tuple[Tensor, Tensor]:
    """Spectral clustering: the cluster of each row, and the means of the clusters' rows ``[K, D]``.

    K-means of the first K generalised eigenvectors of ``(D - W) y = lambda D y`` (Shi & Malik 2000), with affinities
    ``W = |cos|`` and a zero diagonal. Assignment and eigenvectors have no gradient. On a GPU the host waits for the
    eigenvalue solver.

    Args:
        z_BD: unit norm, at least ``clusters`` rows.
        clusters: K.
        iterations: of K-means.
    """
    with torch.no_grad():
        affinity_BB = _wide(z_BD @ z_BD.T).abs().fill_diagonal_(0)
        scale_B = affinity_BB.sum(1).clamp_min(1e-12).rsqrt()
        _, vector_BB = torch.linalg.eigh(scale_B[:, None] * affinity_BB * scale_B)  # eigenvalues ascend
        label_B, _ = batch_kmeans(scale_B[:, None] * vector_BB[:, -clusters:], clusters, iterations)
    return label_B, _means(z_BD, label_B, clusters)


def cld(
    a_BD: Tensor,
    b_BD: Tensor,
    grouped_a: tuple[Tensor, Tensor],
    grouped_b: tuple[Tensor, Tensor],
    temperature: float,
) -> Tensor:
    """Cross-level discrimination: to which of one view's groups does the other view of each clip belong?

    The cross-entropy of ``a . centroids of b / t`` with the groups of b, and the same with a and b exchanged; their
    mean. Lin 2022, section 1.2, prints the centroids of the same view, and divides by the temperature outside the
    exponent.

    Args:
        a_BD: group features, unit norm.
        b_BD: likewise, of the other view of the same clips.
        grouped_a: the group of each row of ``a_BD``, long, and the groups' centroids ``[K, D]``.
        grouped_b: the same for ``b_BD``.
        temperature: above 0.
    """

    def belongs(z_BD: Tensor, grouped: tuple[Tensor, Tensor]) -> Tensor:
        label_B, centroid_KD = grouped
        return F.cross_entropy(_wide(_wide(z_BD) @ centroid_KD.T) / temperature, label_B)

    return (belongs(a_BD, grouped_b) + belongs(b_BD, grouped_a)) / 2


@torch.no_grad()
def semi_hard(anchor_BD: Tensor, positive_BD: Tensor, candidate_MD: Tensor, other_BM: Tensor) -> Tensor:
    """FaceNet's choice of negatives: for each anchor, the row ``[B]`` of its negative among the candidates.

    The negative is the nearest candidate that is farther than the positive (it lies within the margin if any does). If
    none is farther, it is the farthest candidate.

    Args:
        anchor_BD: embeddings.
        positive_BD: the positive of each anchor.
        candidate_MD: embeddings to choose from.
        other_BM: true where a candidate is a negative of the anchor.
    """
    exact = "donot_use_mm_for_euclid_dist"
    far_BM = torch.cdist(_wide(anchor_BD), _wide(candidate_MD), compute_mode=exact)
    near_B1 = _wide(anchor_BD - positive_BD).norm(dim=1, keepdim=True)
    farther_BM = other_BM & (far_BM > near_B1)
    nearest_B = far_BM.masked_fill(~farther_BM, float("inf")).argmin(1)
    farthest_B = far_BM.masked_fill(~other_BM, -1.0).argmax(1)
    return torch.where(farther_BM.any(1), nearest_B, farthest_B)


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """That of each example ``[...]``, from logits ``[..., C]`` and class indices ``[...]``."""
    return F.cross_entropy(_wide(logits).flatten(0, -2), label.flatten(), reduction="none").view(label.shape)


def binary_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """That of each example ``[...]``, the mean over classes, from logits and zeros and ones, both ``[..., C]``."""
    return F.binary_cross_entropy_with_logits(_wide(logits), label, reduction="none").mean(-1)


def labelled_cross_entropy(logits_BK: Tensor, label_B: Tensor) -> Tensor:
    """Cross-entropy, mean over the examples whose label is not -1; 0 if there are none."""
    loss = F.cross_entropy(_wide(logits_BK), label_B, ignore_index=-1, reduction="sum")
    return loss / (label_B >= 0).sum().clamp_min(1)


def _off(z_BD: Tensor) -> Tensor:
    """Sum of the squared covariances of different dimensions, divided by the number of dimensions."""
    centred_BD = z_BD - z_BD.mean(0)
    covariance_DD = centred_BD.T @ centred_BD / (len(z_BD) - 1)
    squares = covariance_DD.square().sum() - covariance_DD.diagonal().square().sum()
    return squares / z_BD.shape[1]


def _distances(z_BD: Tensor) -> Tensor:
    """Euclidean distances ``[B, B]``. The distance of equal points, such as silent windows, has no gradient."""
    square_BB = (_wide(z_BD)[:, None] - _wide(z_BD)).square().sum(2)
    return square_BB.clamp_min(1e-20).sqrt()  # the gradient of sqrt(0) would be infinite


def _means(z_BD: Tensor, label_B: Tensor, clusters: int) -> Tensor:
    """Means ``[K, D]`` of the rows of each label; zero for a label without rows."""
    z_BD = _wide(z_BD)
    total_KD = z_BD.new_zeros(clusters, z_BD.shape[1]).index_add(0, label_B, z_BD)
    count_K = z_BD.new_zeros(clusters).index_add(0, label_B, z_BD.new_ones(len(z_BD)))
    return total_KD / count_K.clamp_min(1)[:, None]


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
