"""Gradient caching: the same gradients from chunks, with less kept in memory."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from registry.frontends import make_frontend
from registry.lookup import ENCODERS, FRONTENDS, METHODS
from registry.views import Views
from tests.registry.test_methods import corpus, waves


def simclr(norm: str) -> Any:
    """SimCLR on raw audio, with group norm as Wang 2021 has it, or batch norm."""
    torch.manual_seed(0)
    if norm == "group":
        encoder = ENCODERS.find("conv320")(ENCODERS.choose({"name": "conv320", "width": 8}).settings, 1, 0)
    else:
        encoder = ENCODERS.find("resnet18-1d")(ENCODERS.choose({"name": "resnet18-1d", "width": 4}).settings, 1, 0)
    views = Views(make_frontend(FRONTENDS.choose("waveform")))
    choice = METHODS.choose({"name": "multiformat", "dim": 8})
    return METHODS.find("multiformat")(choice.settings, encoder, views, corpus(8))


def gradients(method: Any, wave: Tensor) -> tuple[Tensor, dict[str, Tensor], int]:
    """Loss, gradients, and bytes of activations kept for the backward pass."""
    kept = 0

    def pack(x: Tensor) -> Tensor:
        nonlocal kept
        kept += x.numel() * x.element_size()
        return x

    method.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss, _ = method(wave, torch.arange(len(wave)))
    loss.backward()
    return loss.detach(), {n: p.grad.clone() for n, p in method.named_parameters()}, kept


def test_gradients_are_those_of_the_whole_batch() -> None:
    method, wave = simclr("group"), waves(8, 2, 0)
    loss, direct, kept = gradients(method, wave)
    method.chunk = 2
    loss_again, cached, kept_again = gradients(method, wave)
    assert loss_again == pytest.approx(loss.item(), rel=1e-5)
    for name, gradient in direct.items():
        assert (cached[name] - gradient).norm() < 1e-5 * gradient.norm(), name
    assert kept_again < 0.2 * kept


def test_running_statistics_count_a_chunk_once() -> None:
    """Two chunks move them as two batches do, although each is computed twice."""
    cached, plain = simclr("batch"), simclr("batch")
    wave = waves(8, 2, 0)
    cached.chunk = 4
    gradients(cached, wave)
    with torch.no_grad():
        for v in (0, 1):
            for half in wave[:, v].split(4):
                plain.encoder.embed(plain.views(half))
    for (name, a), b in zip(cached.encoder.named_buffers(), plain.encoder.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)
    assert {m.momentum for m in cached.modules() if isinstance(m, nn.BatchNorm1d)} == {0.1}


def test_dropout_draws_the_same_twice() -> None:
    """The second computation of a chunk meets the dropout of the first: gradients fit the loss that was reported."""
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5))
    encoder.embed = encoder.forward  # type: ignore[assignment]
    method = simclr("group")
    method.chunk = 2
    x = torch.randn(6, 4)
    out = method.embed(x, encoder)
    out.sum().backward()
    weight = encoder[0].weight.grad
    dropped = (out.detach() != 0).float() * 2
    torch.testing.assert_close(weight, dropped.T @ x)
