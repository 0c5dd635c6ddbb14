"""Losses against other libraries' (the extra ``peers``; neither is ever a dependency)."""

from typing import Any

import pytest
import torch
from torch import Tensor

from registry import losses
from registry.methods import unit

A, B = (torch.randn(12, 6, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
LABELS = torch.arange(12)


@pytest.fixture(scope="module")
def lightly() -> Any:
    return pytest.importorskip("lightly.loss", reason="lightly is not installed (pip install audiobench[peers])")


@pytest.fixture(scope="module")
def metric() -> Any:
    reason = "pytorch-metric-learning is not installed (pip install audiobench[peers])"
    return pytest.importorskip("pytorch_metric_learning.losses", reason=reason)


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_nt_xent(lightly: Any, metric: Any) -> None:
    ours = losses.nt_xent(unit(A), unit(B), 0.3)
    close(ours, lightly.NTXentLoss(temperature=0.3)(A, B))
    close(ours, metric.NTXentLoss(temperature=0.3)(torch.cat([A, B]), LABELS.repeat(2)))


def test_info_nce_is_moco_with_lightlys_queue(lightly: Any) -> None:
    theirs = lightly.NTXentLoss(temperature=0.3, memory_bank_size=(20, 6))
    theirs(A, B)  # fills the bank, which it draws itself
    bank = theirs.memory_bank.bank.clone()
    queue = bank.T if bank.shape[0] == 6 else bank
    close(losses.info_nce(unit(A), unit(B), queue, 0.3), theirs(A, B))


def test_byol_barlow_twins_and_vicreg(lightly: Any) -> None:
    close(losses.regression(A, B), 2 + 2 * lightly.NegativeCosineSimilarity()(A, B))
    for spread in (1, 0.01):
        theirs = lightly.BarlowTwinsLoss(lambda_param=5e-3)(spread * A, spread * B)
        close(losses.barlow_twins(spread * A, spread * B, 5e-3), theirs)
    close(losses.vicreg(A, B, 25, 25, 1), lightly.VICRegLoss(lambda_param=25, mu_param=25, nu_param=1)(A, B))


def test_swapped_prediction_with_sinkhorns_assignments(lightly: Any) -> None:
    scores = [unit(z) @ unit(torch.randn(5, 6, generator=torch.Generator().manual_seed(2))).T for z in (A, B)]
    shares = [losses.sinkhorn(s, 0.05, 3) for s in scores]
    ours = (
        losses.swapped_prediction(shares[0], scores[1], 0.1) + losses.swapped_prediction(shares[1], scores[0], 0.1)
    ) / 2
    theirs = lightly.SwaVLoss(temperature=0.1, sinkhorn_iterations=3, sinkhorn_epsilon=0.05)(scores, [])
    close(ours, theirs.squeeze())


def test_metric_losses(metric: Any) -> None:
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.reducers import MeanReducer

    z, label = torch.cat([unit(A), unit(B)]), LABELS.repeat(2)
    smooth = losses.lifted_structure(z, label, 1.0, smooth=True)
    euclidean = LpDistance(normalize_embeddings=False)
    close(smooth, metric.LiftedStructureLoss(neg_margin=1, pos_margin=0, distance=euclidean)(z, label))
    pairs = torch.stack([A, B], 1).flatten(0, 1)  # normalised by the library
    close(losses.n_pair(unit(A), unit(B)), metric.NPairsLoss()(pairs, LABELS.repeat_interleave(2)))
    triplets = (LABELS, LABELS + 12, LABELS.roll(1))
    theirs = metric.TripletMarginLoss(
        margin=0.5, distance=LpDistance(normalize_embeddings=False, power=2), reducer=MeanReducer()
    )
    close(losses.triplet(unit(A), unit(B), unit(A).roll(1, 0), 0.5), theirs(z, label, triplets))
