"""CPC: what its loss compares, that its context is causal, and what trains."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import make_frontend
from registry.lookup import ENCODERS, FRONTENDS, METHODS
from registry.losses import cpc
from registry.methods.cpc import Cpc
from registry.settings import Settings
from registry.views import Views
from tests.registry.test_methods import corpus, method, waves


class Framewise(Encoder):
    """Maps every frame linearly, by itself: nothing but the context mixes times."""

    def __init__(self, dim: int = 6) -> None:
        super().__init__(Settings(), 1, 32)
        self.embedding_dim = dim
        self.map = nn.Linear(32, dim)

    def forward(self, x_BCFN: Tensor) -> Tensor:
        out: Tensor = self.map(x_BCFN.squeeze(1).transpose(1, 2))
        return out


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow(prediction: Tensor, frames: Tensor, within: bool, across: bool) -> float:
    """The definition, a prediction at a time: negatives are listed by clip and place."""
    prediction, frames = prediction.detach(), frames.detach()
    clips, count = prediction.shape[:2]
    length = frames.shape[1]
    total = 0.0
    for b in range(clips):
        for n in range(count):
            m = n + length - count
            others = [(b, j) for j in range(length) if j != m] if within else []
            others += [(c, m) for c in range(clips) if c != b] if across else []
            rest = sum(math.exp(float(prediction[b, n] @ frames[c, j])) for c, j in others)
            score = math.exp(float(prediction[b, n] @ frames[b, m]))
            total -= math.log(score / (score + rest))
    return total / (clips * count)


@pytest.mark.parametrize(("within", "across"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("ahead", [1, 3])
def test_cpc_loss_equals_its_definition(within: bool, across: bool, ahead: int) -> None:
    prediction, frames = drawn(3, 7 - ahead, 4, seed=0), drawn(3, 7, 4, seed=1)
    got = cpc(prediction, frames, within=within, across=across)
    assert got.item() == pytest.approx(slow(prediction, frames, within, across), rel=1e-10)


def test_cpc_loss_of_equal_scores_is_the_logarithm_of_their_number() -> None:
    nothing = torch.zeros(4, 5, 3)
    for within, across, scores in ((True, False, 8), (False, True, 4), (True, True, 11)):
        loss = cpc(nothing, torch.randn(4, 8, 3), within=within, across=across)
        assert loss.item() == pytest.approx(math.log(scores), rel=1e-6)


@pytest.mark.parametrize(("within", "across"), [(True, False), (False, True), (True, True)])
def test_cpc_gradients_are_right(within: bool, across: bool) -> None:
    prediction, frames = drawn(3, 2, 4, seed=0).requires_grad_(), drawn(3, 4, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda p, z: cpc(p, z, within=within, across=across), (prediction, frames))


def test_cpc_computes_half_precision_in_single() -> None:
    prediction, frames = drawn(2, 3, 4, seed=0).bfloat16(), drawn(2, 5, 4, seed=1).bfloat16()
    assert cpc(prediction, frames, within=True, across=True).dtype == torch.float32


def test_defaults_are_the_sources() -> None:
    config = Cpc.Config()
    assert (config.steps, config.context, config.negatives) == (12, 256, "both")
    assert (Cpc.recipe["optimizer"], Cpc.recipe["learning_rate"], Cpc.recipe["batch_size"]) == ("adam", 2e-4, 64)


@pytest.mark.parametrize("negatives", ["within", "across", "both"])
def test_a_step_ahead_is_predicted_from_the_context_by_its_own_matrix(negatives: str) -> None:
    torch.manual_seed(0)
    trained = method("cpc", Framewise(), steps=3, context=5, negatives=negatives)
    wave = waves(4, 1, 0)
    loss, _ = trained(wave, torch.arange(4))
    frames = trained.encoder(trained.views(wave[:, 0]))
    context = trained.context(frames)[0].double()
    frames = frames.double()
    count = frames.shape[1]
    total = 0.0
    for k in (1, 2, 3):
        weight = trained.steps[k - 1].weight.double()
        total += slow(context[:, : count - k] @ weight.T, frames, negatives != "across", negatives != "within") / 3
    assert loss.item() == pytest.approx(total, rel=1e-5)


def test_the_context_does_not_hear_what_comes() -> None:
    torch.manual_seed(0)
    trained = method("cpc", Framewise(), steps=2, context=5)
    x = trained.views(waves(2, 1, 0)[:, 0])
    changed = x.clone()
    changed[..., 10:] += torch.randn_like(changed[..., 10:])
    before, after = (trained.context(trained.encoder(y))[0] for y in (x, changed))
    assert torch.equal(before[:, :10], after[:, :10])
    assert not torch.isclose(before[:, 10:], after[:, 10:]).all(2).any()


def test_cpc_loss_does_not_depend_on_the_order_of_the_batch() -> None:
    wave, order = waves(8, 1, 0), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    trained = method("cpc", Framewise(), steps=2)
    loss, _ = trained(wave, torch.arange(8))
    torch.testing.assert_close(trained(wave[order], order)[0], loss)


def raw(**settings: Any) -> Any:
    encoder = ENCODERS.find("conv320")(ENCODERS.choose({"name": "conv320", "width": 8}).settings, 1, 0)
    choice = METHODS.choose({"name": "cpc", **settings})
    views = Views(make_frontend(FRONTENDS.choose("waveform")))
    return METHODS.find("cpc")(choice.settings, encoder, views, corpus(8))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_gradients_reach_the_encoder_the_context_and_every_step(precision: torch.dtype) -> None:
    torch.manual_seed(0)
    trained = raw(steps=4)
    with torch.autocast("cpu", precision, enabled=precision == torch.bfloat16):
        loss, _ = trained(waves(4, 1, 0), torch.arange(4))
    loss.backward()
    assert loss.isfinite()
    assert loss.dtype == torch.float32
    for name, p in trained.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().sum() > 0, name


def test_cpc_learns_what_can_be_told_ahead_and_nothing_of_noise() -> None:
    """Of tones, whose frames stay as they are, the next are told; frames of white noise stay near chance."""
    losses = {}
    time = torch.arange(4000) / 16000
    pitch = torch.linspace(300, 6000, 8).unsqueeze(1)
    for name, wave in {"tones": torch.sin(2 * torch.pi * pitch * time) / 4, "noise": waves(8, 1, 3)[:, 0]}.items():
        torch.manual_seed(0)
        trained = method("cpc", Framewise(8), steps=2, context=16, negatives="across")
        optimizer = torch.optim.Adam(trained.parameters(), 1e-2)
        for step in range(40):
            given = wave if name == "tones" else waves(8, 1, step)[:, 0]
            loss, _ = trained(given.unsqueeze(1), torch.arange(8))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses[name] = loss.item()
    assert losses["tones"] < 0.2
    assert losses["noise"] > 0.8 * math.log(8)


def test_cpc_refuses_windows_of_too_few_frames() -> None:
    with pytest.raises(Mistake, match="a window gives 10 frames, and 12 steps ahead need at least 13"):
        raw()(waves(4, 1, 0)[..., :3835], torch.arange(4))


def test_cpc_refuses_gradient_caching() -> None:
    trained = raw(steps=2)
    trained.chunk = 2
    with pytest.raises(Mistake, match="trains on frames"):
        trained(waves(4, 1, 0), torch.arange(4))
