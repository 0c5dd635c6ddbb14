"""Heads of all folds together against the same heads one at a time, and against plain torch."""

import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from registry import heads as registry_heads
from registry.heads import FoldHeads, train_heads
from registry.seeding import generator_for
from registry.targets.one_label import OneLabel

objective = OneLabel().objective


def problem() -> tuple[Tensor, Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(90, 7, generator=generator)
    label = torch.randint(4, (90,), generator=generator)
    # Folds of different size, so that batches differ in size too.
    rows = [torch.arange(0, 61), torch.arange(20, 90), torch.cat([torch.arange(0, 30), torch.arange(50, 90)])]
    return x, label, rows


def moments(x: Tensor, rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    return torch.stack([x[r].mean(0, keepdim=True) for r in rows]), torch.stack(
        [x[r].std(0, keepdim=True) for r in rows]
    )


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_heads_trained_together_equal_those_trained_alone(kind: str) -> None:
    x, label, rows = problem()
    shift, scale = moments(x, rows)
    seeds, options = [5, 6, 7], {"epochs": 8, "steps": 5, "learning_rate": 0.01, "weight_decay": 0.1}

    def train(folds: list[int]) -> FoldHeads:
        heads = FoldHeads(kind, 7, 4, [seeds[f] for f in folds])  # type: ignore[arg-type]
        rows_F = [rows[f] for f in folds]
        list(
            train_heads(
                heads, lambda e: x.__getitem__, label, torch.arange(90), objective([label[r] for r in rows_F]), rows_F,
                shift[folds], scale[folds],
                seeds=[seeds[f] for f in folds], **options,  # type: ignore[arg-type]
            )
        )  # fmt: skip
        return heads

    together = train([0, 1, 2])
    for fold in range(3):
        alone = train([fold])
        torch.testing.assert_close(together.one(fold, x), alone.one(0, x), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together(x.expand(3, -1, -1))[fold], alone.one(0, x), rtol=1e-4, atol=1e-5)


def test_a_linear_head_equals_torchs_own_layer_and_optimiser() -> None:
    x, label, rows = problem()
    shift, scale = moments(x, rows)
    heads = FoldHeads("linear", 7, 4, [3])
    layer = nn.Linear(7, 4)
    with torch.no_grad():
        layer.weight.copy_(heads.weights[0][0].T)
        layer.bias.copy_(heads.biases[0][0, 0])
    losses = [
        loss
        for _, (loss,) in train_heads(
            heads, lambda e: x.__getitem__, label, torch.arange(90), objective([label[rows[0]]]), rows[:1],
            shift[:1], scale[:1],
            epochs=6, steps=4, learning_rate=0.02, weight_decay=0.0, seeds=[3],
        )
    ]  # fmt: skip
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    for epoch in range(6):
        order = rows[0][torch.randperm(len(rows[0]), generator=generator_for(3, "rows", epoch))]
        total = 0.0
        for batch in order.tensor_split(4):
            loss = F.cross_entropy(layer((x[batch] - shift[0]) / scale[0]), label[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        assert losses[epoch] == pytest.approx(total / 4, rel=1e-4)
    torch.testing.assert_close(heads.one(0, x), layer(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("at_once", [7, 64, 2**16])
def test_weights_that_are_updated_piece_by_piece_are_those_of_torchs_adamw(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(registry_heads, "_UPDATED_AT_ONCE", at_once)
    ours, theirs = FoldHeads("mlp", 33, 10, [1, 2]), FoldHeads("mlp", 33, 10, [1, 2])
    groups = [{"params": list(theirs.weights), "weight_decay": 0.3}, {"params": list(theirs.biases), "weight_decay": 0}]
    adamw, optimizer = registry_heads._AdamW(ours, 0.01, 0.3), torch.optim.AdamW(groups, lr=0.01)
    for step in range(20):
        x_FBD = torch.randn(2, 16, 33, generator=torch.Generator().manual_seed(step))
        adamw.step(ours(x_FBD).square().mean())
        optimizer.zero_grad()
        theirs(x_FBD).square().mean().backward()
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_training_heads_does_not_load_torchs_compiler() -> None:
    code = (
        "import sys; from registry.heads import _AdamW, FoldHeads; heads = FoldHeads('linear', 3, 2, [0])\n"
        "_AdamW(heads, 0.1, 0.1).step(heads.weights[0].square().sum() + heads.biases[0].square().sum())\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_new_head_is_drawn_as_a_linear_layer_is() -> None:
    weight = FoldHeads("linear", 400, 50, [0]).weights[0]
    assert weight.abs().max() <= 400**-0.5
    assert weight.std().item() == pytest.approx(400**-0.5 / math.sqrt(3), rel=0.02)
