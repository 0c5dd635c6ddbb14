"""Losses against shared test vectors and against slow float64 forms."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from registry import losses
from registry.losses import info_nce, npid_nce, nt_xent
from tests.conftest import SHARED


@pytest.fixture(scope="module")
def golden() -> dict[str, object]:
    path = SHARED / "reference" / "golden.json"
    if not path.is_file():
        pytest.skip(f"no test vectors at {path}")
    loaded: dict[str, object] = json.loads(path.read_text())
    return loaded


def rows(count: int, dim: int, seed: int) -> Tensor:
    drawn = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=1)


@pytest.mark.parametrize("temperature", [0.07, 0.2])
def test_info_nce_equals_the_test_vectors(golden: dict[str, object], temperature: float) -> None:
    za, zb, queue = (torch.tensor(golden[k], dtype=torch.float64) for k in ("za", "zb", "queue"))
    assert info_nce(za, zb, queue, temperature).item() == pytest.approx(
        golden[f"moco_infonce_tau{temperature}"], rel=1e-5
    )


def test_info_nce_equals_its_definition() -> None:
    query, key, queue = rows(5, 8, 0), rows(5, 8, 1), rows(11, 8, 2)
    total = 0.0
    for q, k in zip(query, key, strict=True):
        positive = math.exp(float(q @ k) / 0.1)
        total -= math.log(positive / (positive + sum(math.exp(float(q @ n) / 0.1) for n in queue)))
    assert info_nce(query, key, queue, 0.1).item() == pytest.approx(total / 5, rel=1e-5)


def test_npid_nce_equals_its_definition() -> None:
    probability = torch.rand(4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 50
    instances, noise = 50, 6 / 50
    total = 0.0
    for p0, *others in probability.tolist():
        total -= math.log(p0 / (p0 + noise + 1e-7)) + sum(math.log(noise / (p + noise + 1e-7)) for p in others)
    assert npid_nce(probability, instances).item() == pytest.approx(total / 4, rel=1e-9)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_nt_xent_equals_the_test_vectors_and_its_definition(golden: dict[str, object], temperature: float) -> None:
    za, zb = (torch.tensor(golden[k], dtype=torch.float64) for k in ("za", "zb"))
    ours = nt_xent(za, zb, temperature).item()
    assert ours == pytest.approx(golden[f"nt_xent_mean_tau{temperature}"], rel=1e-9)
    z = torch.cat([za, zb]).numpy()
    total = 0.0
    for i in range(8):
        terms = [math.exp(float(z[i] @ z[k]) / temperature) for k in range(8) if k != i]
        total -= math.log(math.exp(float(z[i] @ z[(i + 4) % 8]) / temperature) / sum(terms))
    assert ours == pytest.approx(total / 8, rel=1e-9)


VECTORS: list[tuple[str, Callable[[dict[str, Tensor]], Tensor]]] = [
    ("cola_cosine_tau0.2", lambda g: losses.cola(g["za"], g["zb"], None, 0.2)),
    ("cola_bilinear_identityW (no temperature)", lambda g: losses.cola(g["za"], g["zb"], torch.eye(3).double(), 1.0)),
    ("npair_mc (similarity=dot, no temp)", lambda g: losses.n_pair(g["za"], g["zb"])),
    ("lifted_hard_margin1 (L2 distance)", lambda g: losses.lifted_structure(g["both"], g["label"], 1.0, smooth=False)),
    ("lifted_smooth_margin1 (L2 distance)", lambda g: losses.lifted_structure(g["both"], g["label"], 1.0, smooth=True)),
    (
        "swav_loss_one_direction (q from za, p from zb, tau .1)",
        lambda g: losses.swapped_prediction(
            losses.sinkhorn(g["za"] @ g["prototypes"].T, 0.05, 3), g["zb"] @ g["prototypes"].T, 0.1
        ),
    ),
]


@pytest.fixture
def vectors(golden: dict[str, object]) -> dict[str, Tensor]:
    golden_views = {k: torch.tensor(golden[k], dtype=torch.float64) for k in ("za", "zb")}
    prototypes = torch.tensor(golden["swav_prototypes"], dtype=torch.float64)
    return golden_views | {
        "both": torch.cat([golden_views["za"], golden_views["zb"]]),
        "label": torch.arange(4).repeat(2),
        "prototypes": prototypes,
    }


@pytest.mark.parametrize(("name", "loss"), VECTORS)
def test_losses_equal_the_test_vectors(
    golden: dict[str, object], vectors: dict[str, Tensor], name: str, loss: Callable[[dict[str, Tensor]], Tensor]
) -> None:
    assert loss(vectors).item() == pytest.approx(golden[name], rel=1e-9)


def test_triplets_equal_the_test_vectors(golden: dict[str, Any], vectors: dict[str, Tensor]) -> None:
    za, zb = vectors["za"], vectors["zb"]
    expected = golden["triplet_sqL2_margin0.1 all (a=za[i],p=zb[i],n=zb[(i+1)%4])"]
    for i in range(4):
        one = losses.triplet(za[i : i + 1], zb[i : i + 1], zb[(i + 1) % 4][None], 0.1)
        assert one.item() == pytest.approx(expected[i], rel=1e-9, abs=1e-12)
    assert losses.triplet(za, zb, zb.roll(-1, 0), 0.1).item() == pytest.approx(np.mean(expected), rel=1e-9)


def test_sinkhorn_equals_the_test_vectors_and_balances(golden: dict[str, Any], vectors: dict[str, Tensor]) -> None:
    score = vectors["za"] @ vectors["prototypes"].T
    ours = losses.sinkhorn(score, 0.05, 3)
    np.testing.assert_allclose(ours, golden["swav_Q_from_za (rows sum to 1)"], rtol=1e-9)
    drawn = rows(60, 8, 0) @ rows(5, 8, 1).T
    balanced = losses.sinkhorn(drawn, 0.5, 200)
    torch.testing.assert_close(balanced.sum(1), torch.ones(60, dtype=torch.float64))
    torch.testing.assert_close(balanced.sum(0), torch.full((5,), 12.0, dtype=torch.float64))


def test_nce_of_equal_densities_is_that_of_a_coin() -> None:
    data, noise = torch.randn(7, dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64)
    # Where the model gives what the noise has, h = 1 / (1 + K) everywhere.
    expected = -math.log(1 / 4) - 3 * math.log(3 / 4)
    assert losses.nce(data, noise, data, noise).item() == pytest.approx(expected, rel=1e-9)
    total = 0.0
    for x, ys in zip(data.tolist(), noise.tolist(), strict=True):
        h = [math.exp(u) / (math.exp(u) + 3 * math.exp(-1.0)) for u in (x, *ys)]
        total -= math.log(h[0]) + sum(math.log(1 - one) for one in h[1:])
    flat = torch.full_like(data, -1.0), torch.full_like(noise, -1.0)
    assert losses.nce(data, noise, *flat).item() == pytest.approx(total / 7, rel=1e-9)


def test_pairs_contrast_by_distance_and_margin() -> None:
    a = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    b = torch.tensor([[3.0, 4.0], [0.0, 0.6], [0.0, 5.0]])
    same = torch.tensor([True, False, False])
    assert losses.contrastive(a, b, same, 1.0).item() == pytest.approx((25 + 0.4**2 + 0) / 2 / 3)


@pytest.mark.parametrize("deviation", [1.0, 0.1, 0.03, 0.01])
def test_barlow_twins_equals_its_definition(deviation: float) -> None:
    a, b = (deviation * torch.randn(9, 4, dtype=torch.float64) for _ in range(2))
    x, y = ((z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt() for z in (a, b))
    total = 0.0
    for i in range(4):
        for j in range(4):
            correlation = float((x[:, i] * y[:, j]).mean())
            total += (1 - correlation) ** 2 if i == j else 0.01 * correlation**2
    assert losses.barlow_twins(a, b, 0.01).item() == pytest.approx(total, rel=1e-9)


def test_barlow_twins_is_small_where_the_views_agree() -> None:
    a = torch.randn(9, 4, dtype=torch.float64)
    assert losses.barlow_twins(a, 3 * a + 1, 0.0).item() == pytest.approx(0, abs=1e-8)


def test_vicreg_equals_its_definition() -> None:
    a, b = (torch.randn(9, 4, dtype=torch.float64) / 2 for _ in range(2))
    expected = 25 * float((a - b).square().mean())
    for z in (a, b):
        covariance = np.cov(z.numpy(), rowvar=False)
        expected += 25 * float(np.maximum(0, 1 - np.sqrt(np.diag(covariance) + 1e-4)).mean()) / 2
        expected += float((covariance**2).sum() - (np.diag(covariance) ** 2).sum()) / 4
    assert losses.vicreg(a, b, 25.0, 25.0, 1.0).item() == pytest.approx(expected, rel=1e-9)


def test_regression_runs_from_0_to_4() -> None:
    a = rows(5, 3, 0)
    assert losses.regression(a, 2 * a).item() == pytest.approx(0, abs=1e-12)
    assert losses.regression(a, -a).item() == pytest.approx(4)


LABEL = torch.tensor([0, 1, 2, 0, 1, 2])
DIFFERENTIABLE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "info_nce": lambda a, b: info_nce(a, b, rows(7, 4, 9), 0.5),
    "nt_xent": lambda a, b: nt_xent(a, b, 0.5),
    "npid_nce": lambda a, b: npid_nce(a.square() + 0.1, 20) + 0 * b.sum(),
    "nce": lambda a, b: losses.nce(a[:, 0], a[:, 1:], b[:, 0], b[:, 1:]),
    "contrastive": lambda a, b: losses.contrastive(a, b, LABEL > 0, 2.0),
    "triplet": lambda a, b: losses.triplet(a, b, b.roll(1, 0), 1.0),
    "lifted hard": lambda a, b: losses.lifted_structure(a + 0 * b, LABEL, 1.0, smooth=False),
    "lifted smooth": lambda a, b: losses.lifted_structure(a + 0 * b, LABEL, 1.0, smooth=True),
    "n_pair": losses.n_pair,
    "cola": lambda a, b: losses.cola(a, b, rows(4, 4, 3), 1.0),
    "swav": lambda a, b: losses.swapped_prediction(a.softmax(1), b, 0.5),
    "regression": losses.regression,
    "barlow": lambda a, b: losses.barlow_twins(a, b, 0.1),
    "vicreg": lambda a, b: losses.vicreg(a, b, 25.0, 25.0, 1.0),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    a, b = rows(6, 4, 1).requires_grad_(), rows(6, 4, 2).requires_grad_()
    assert torch.autograd.gradcheck(DIFFERENTIABLE[name], (a, b))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_windows_that_are_alike_have_gradients_that_are_numbers(name: str) -> None:
    """Silence is embedded as one point, whichever clip it is cut from."""
    point = rows(1, 4, 1).expand(6, 4)
    for a, b in ((point, point), (torch.cat([point[:3], rows(3, 4, 2)]), point)):
        a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
        loss = DIFFERENTIABLE[name](a, b)
        loss.backward()
        assert loss.isfinite()
        assert all(x.grad is None or x.grad.isfinite().all() for x in (a, b))


@pytest.mark.parametrize("name", sorted(set(DIFFERENTIABLE) - {"info_nce", "contrastive", "triplet", "cola"}))
def test_the_order_of_the_batch_does_not_matter(name: str) -> None:
    a, b = rows(6, 4, 1), rows(6, 4, 2)
    order = torch.tensor([1, 2, 0, 4, 5, 3])  # keeps equal labels equal
    torch.testing.assert_close(DIFFERENTIABLE[name](a[order], b[order]), DIFFERENTIABLE[name](a, b))


@pytest.mark.parametrize("name", ["nt_xent", "barlow", "vicreg", "regression"])
def test_the_views_may_change_places(name: str) -> None:
    a, b = rows(6, 4, 1), rows(6, 4, 2)
    torch.testing.assert_close(DIFFERENTIABLE[name](a, b), DIFFERENTIABLE[name](b, a))


@pytest.mark.parametrize("name", ["nt_xent", "n_pair", "lifted smooth", "barlow", "vicreg", "info_nce"])
def test_half_precision_is_widened(name: str) -> None:
    a, b = rows(6, 4, 1), rows(6, 4, 2)
    if name == "info_nce":
        low = info_nce(a.bfloat16(), b.bfloat16(), rows(7, 4, 9).bfloat16(), 0.5)
    else:
        low = DIFFERENTIABLE[name](a.bfloat16(), b.bfloat16())
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(DIFFERENTIABLE[name](a, b).item(), rel=0.05)


def test_npid_nce_and_its_constant_equal_the_test_vectors(golden: dict[str, object]) -> None:
    za, memory = (torch.tensor(golden[k], dtype=torch.float64) for k in ("za", "npid_memory"))
    index = torch.tensor(golden["npid_idx (col0 positive)"])
    score = (torch.einsum("bd,bkd->bk", za, memory[index]) / 0.07).exp()
    z = score.mean() * len(memory)
    assert z.item() == pytest.approx(golden["npid_Z (first batch: mean*n)"], rel=1e-9)
    assert npid_nce(score / z, len(memory)).item() == pytest.approx(golden["npid_nce_loss_T0.07"], rel=1e-9)
