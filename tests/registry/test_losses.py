"""Losses against shared test vectors and against slow float64 forms."""

import json
import math

import pytest
import torch
from torch import Tensor

from registry.losses import info_nce, npid_nce
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


def test_gradients_are_those_of_finite_differences() -> None:
    queue = rows(6, 4, 3)
    key = rows(3, 4, 2)
    query = rows(3, 4, 1).requires_grad_()
    loss = info_nce(query, key, queue, 0.5)
    loss.backward()
    assert query.grad is not None
    step = 1e-3
    for i in range(3):
        for j in range(4):
            up, down = query.detach().clone(), query.detach().clone()
            up[i, j] += step
            down[i, j] -= step
            slope = (info_nce(up, key, queue, 0.5) - info_nce(down, key, queue, 0.5)) / (2 * step)
            assert query.grad[i, j].item() == pytest.approx(slope.item(), abs=2e-3)
    probability = (torch.rand(3, 5, dtype=torch.float64) + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: npid_nce(p, 20), probability)


def test_npid_nce_and_its_constant_equal_the_test_vectors(golden: dict[str, object]) -> None:
    za, memory = (torch.tensor(golden[k], dtype=torch.float64) for k in ("za", "npid_memory"))
    index = torch.tensor(golden["npid_idx (col0 positive)"])
    score = (torch.einsum("bd,bkd->bk", za, memory[index]) / 0.07).exp()
    z = score.mean() * len(memory)
    assert z.item() == pytest.approx(golden["npid_Z (first batch: mean*n)"], rel=1e-9)
    assert npid_nce(score / z, len(memory)).item() == pytest.approx(golden["npid_nce_loss_T0.07"], rel=1e-9)
