"""How embeddings lie: known configurations, and scikit-learn's and scipy's figures."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from registry import geometry
from registry.methods import unit


def drawn(count: int, dim: int, seed: int = 0) -> torch.Tensor:
    return unit(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)))


def test_a_single_point_has_neither_deviation_nor_rank() -> None:
    point = drawn(1, 8).expand(16, -1)
    assert geometry.deviation(point) < 1e-6
    assert geometry.effective_rank(torch.zeros(16, 8)) == 0
    assert geometry.uniformity(point) == pytest.approx(0, abs=1e-6)


def test_points_all_round_have_deviation_one_and_full_rank() -> None:
    axes = torch.cat([torch.eye(8), -torch.eye(8)])
    assert geometry.deviation(axes) == pytest.approx(1)
    assert geometry.effective_rank(axes) == pytest.approx(8)


def test_two_clusters_have_rank_one() -> None:
    two = drawn(2, 8).repeat(10, 1)
    assert geometry.effective_rank(two) == pytest.approx(1)


def test_rank_is_the_exponential_of_the_entropy_of_singular_values() -> None:
    z = drawn(40, 6)
    values = np.linalg.svd(z.double().numpy() - z.double().numpy().mean(0), compute_uv=False)
    share = values / values.sum()
    assert geometry.effective_rank(z) == pytest.approx(math.exp(-(share * np.log(share)).sum()))


def test_uniformity_and_alignment_follow_their_definitions() -> None:
    a, b = drawn(20, 6), drawn(20, 6, seed=1)
    expected = math.log(np.exp(-2 * pdist(a.double().numpy(), "sqeuclidean")).mean())
    assert geometry.uniformity(a) == pytest.approx(expected, rel=1e-5)
    assert geometry.alignment(a, b) == pytest.approx((2 - 2 * (a * b).sum(1)).mean().item(), rel=1e-5)
    assert geometry.alignment(a, a) == 0
