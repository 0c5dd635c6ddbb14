"""Optimisers against their definitions, and the recipes that use them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from registry.lookup import METHODS
from registry.optimizers import make_optimizer, set_learning_rate
from registry.training import Training

RATES = (0.5, 0.5, 2.0, 0.1)  # of four steps: while a rate changes it tells whether momentum holds it


def test_lars_steps_as_by_hand() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    training = Training.model_validate(
        {"epochs": 1, "batch_size": 1, "optimizer": "lars", "learning_rate": 0.5, "weight_decay": 0.0}
    )
    optimizer = make_optimizer(layer, training)
    velocity, slow = torch.zeros_like(weight), torch.zeros_like(bias)
    for step in range(3):
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        layer(x).square().sum().backward()
        assert layer.weight.grad is not None
        assert layer.bias.grad is not None
        trust = 0.001 * weight.norm() / layer.weight.grad.norm()
        velocity = 0.9 * velocity + trust * layer.weight.grad
        slow = 0.9 * slow + layer.bias.grad
        weight, bias = weight - 0.5 * velocity, bias - 0.5 * slow  # the bias is not adapted
        optimizer.step()
        torch.testing.assert_close(layer.weight.detach(), weight)
        torch.testing.assert_close(layer.bias.detach(), bias)


def budget(**settings: Any) -> Training:
    return Training.model_validate({"epochs": 1, "batch_size": 1, "learning_rate": 0.5, **settings})


def net() -> nn.Module:
    """A layer, and a norm whose weights are ones and whose biases are zeros; float64."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)).double()


def stepped(training: Training, rule: Callable[..., tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    """A net's parameters after four steps by an optimiser, and by ``rule(weight, gradient, velocity, rate)``."""
    module = net()
    optimizer = make_optimizer(module, training)
    weights = [p.detach().clone() for p in module.parameters()]
    velocities = [torch.zeros_like(w) for w in weights]
    for step, rate in enumerate(RATES):
        x = torch.randn(5, 3, generator=torch.Generator().manual_seed(step)).double()
        optimizer.zero_grad()
        module(x).square().sum().backward()
        set_learning_rate(optimizer, rate)
        for i, p in enumerate(module.parameters()):
            assert p.grad is not None
            weights[i], velocities[i] = rule(weights[i], p.grad, velocities[i], rate)
        optimizer.step()
    return [p.detach() for p in module.parameters()], weights


def test_larc_is_apexs() -> None:
    def apex(w: Tensor, g: Tensor, v: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """``apex.parallel.LARC`` without clipping round SGD: of 1-D weights too, unless a norm is zero."""
        if w.norm() != 0 and g.norm() != 0:
            g = (g + 0.1 * w) * 0.001 * w.norm() / (g.norm() + 0.1 * w.norm() + 1e-8)
        v = 0.9 * v + g
        return w - rate * v, v

    for got, expected in zip(*stepped(budget(optimizer="larc", weight_decay=0.1), apex), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=0)


def test_larc_adapts_without_decay_too() -> None:
    def undecayed(w: Tensor, g: Tensor, v: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        v = 0.9 * v + (g * 0.001 * w.norm() / (g.norm() + 1e-8) if w.norm() != 0 else g)
        return w - rate * v, v

    for got, expected in zip(*stepped(budget(optimizer="larc"), undecayed), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("decay_norms", [False, True])  # which lars does not ask
@pytest.mark.parametrize("decay", [1e-6, 0.1])
def test_barlow_twins_lars_gives_biases_and_norms_a_rate_of_their_own(decay: float, decay_norms: bool) -> None:
    def barlow(w: Tensor, g: Tensor, v: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """As the source has it: rates of 0.2 and 0.0048 times a common one; 1-D weights neither decay nor adapt."""
        if w.ndim > 1:
            g = g + decay * w
            g = g * 0.001 * w.norm() / g.norm()
        v = 0.9 * v + g
        return w - (rate / 0.2) * (0.2 if w.ndim > 1 else 0.0048) * v, v

    training = budget(optimizer="lars", weight_decay=decay, norm_rate=0.024, decay_norms=decay_norms)
    # Of weights ours adds the norms of gradient and decay, which differs from the norm of the sum by at most the decay.
    for got, expected in zip(*stepped(training, barlow), strict=True):
        torch.testing.assert_close(got, expected, rtol=decay / 10 if got.ndim > 1 else 1e-6, atol=0)


@pytest.mark.parametrize("decay_norms", [False, True])
def test_biases_and_norms_decay_by_sgd_where_that_is_asked_for(decay_norms: bool) -> None:
    def sgd(w: Tensor, g: Tensor, v: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        v = 0.9 * v + g + (0.1 * w if decay_norms or w.ndim > 1 else 0)
        return w - rate * v, v

    training = budget(optimizer="sgd", weight_decay=0.1, decay_norms=decay_norms)
    for got, expected in zip(*stepped(training, sgd), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "lars", "larc"])
def test_the_rates_of_both_groups_keep_their_proportion(optimizer: str) -> None:
    made: Optimizer = make_optimizer(net(), budget(optimizer=optimizer, norm_rate=0.25))
    for rate in (0.5, 0.01):
        set_learning_rate(made, rate)
        assert [group["lr"] for group in made.param_groups] == [rate, rate / 4]
    assert [[p.ndim for p in group["params"]] for group in made.param_groups] == [[2, 2], [1, 1, 1, 1]]


def test_recipes_are_the_sources() -> None:
    def rates(name: str, *epochs: float) -> list[float]:
        recipe = Training.model_validate(METHODS.find(name).recipe)
        return [recipe.learning_rate_at(epoch) for epoch in epochs]

    for name in ("swav", "deepcluster-v2"):
        assert rates(name, 0, 10, 400) == pytest.approx([0.3, 4.8, 0.0048])
        assert METHODS.find(name).recipe["optimizer"] == "larc"
    twins = Training.model_validate(METHODS.find("barlow-twins").recipe)
    assert (twins.optimizer, twins.weight_decay) == ("lars", 1e-6)
    assert rates("barlow-twins", 0, 10, 1000) == pytest.approx([0, 0.2 * 2048 / 256, 1e-3 * 0.2 * 2048 / 256])
    assert twins.learning_rate * twins.norm_rate == pytest.approx(0.0048 * 2048 / 256)
    for name in ("moco", "npid", "cld", "deepcluster"):
        assert METHODS.find(name).recipe["decay_norms"] is True
    for name in ("simclr", "vicreg"):
        assert (METHODS.find(name).recipe["optimizer"], rates(name, 0)) == ("lars", [0])


@dataclass(frozen=True)
class StandIn:
    """A parameter that says where it is."""

    device: torch.device
    ndim: int = 2
    requires_grad: bool = True


class StandIns(nn.Module):
    """A module of such parameters."""

    def __init__(self, *places: str) -> None:
        super().__init__()
        self.places = places

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        return (StandIn(torch.device(place)) for place in self.places)


@pytest.mark.parametrize(("name", "made"), [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW")])
def test_a_step_is_one_kernel_where_all_is_on_a_gpu(name: str, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fused: list[object] = []
    monkeypatch.setattr(torch.optim, made, lambda groups, **settings: fused.append(settings["fused"]))
    for places in (("cuda", "cuda:1"), ("cuda", "cpu"), ("cpu", "cpu")):
        make_optimizer(StandIns(*places), budget(optimizer=name))
    assert fused == [True, None, None]
