"""SimCLR, BYOL, Barlow Twins, VICReg, COLA and multi-format contrast: what they compare, and what trains."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from registry import losses
from registry.audio import Recordings
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import make_frontend
from registry.lookup import AUGMENTATIONS, ENCODERS, FRONTENDS, METHODS
from registry.methods import Corpus, unit
from registry.views import Views
from tests.registry.test_methods import Linear, corpus, method, views, waves

TWO_WINDOWS = ("simclr", "barlow-twins", "vicreg", "cola")
SMALL: dict[str, dict[str, Any]] = {
    "simclr": {"dim": 16},
    "byol": {"dim": 16, "hidden": 32},
    "barlow-twins": {"dim": 32},
    "vicreg": {"dim": 32},
    "cola": {"dim": 16},
    "multiformat": {"dim": 16},
}


def test_defaults_are_the_sources() -> None:
    simclr, byol, cola, multiformat = (
        METHODS.choose(name).settings for name in ("simclr", "byol", "cola", "multiformat")
    )
    assert (simclr.temperature, simclr.dim, simclr.layers) == (0.1, 128, 2)
    assert (byol.momentum, byol.dim, byol.hidden) == (0.99, 256, 4096)
    assert (cola.similarity, cola.dim, cola.temperature) == ("bilinear", 512, 0.2)
    assert (multiformat.temperature, multiformat.dim) == (0.1, 512)


@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_all_that_trains_and_nothing_else(name: str) -> None:
    torch.manual_seed(0)
    trained = method(name, Linear(norm=True), **SMALL[name])
    loss, _ = trained(waves(8, trained.windows, 0), torch.arange(8))
    loss.backward()
    assert loss.isfinite()
    for parameter_name, p in trained.named_parameters():
        assert (p.grad is not None) == (not parameter_name.startswith("target_")), parameter_name
    assert trained.encoder.map[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", TWO_WINDOWS)
def test_two_windows_of_a_clip_are_the_positives(name: str) -> None:
    """With the windows of other clips in their place, the loss is higher."""
    torch.manual_seed(0)
    settings = SMALL[name] | ({"similarity": "cosine"} if name == "cola" else {})
    trained = method(name, Linear(norm=True), **settings)
    wave = waves(8, 1, 0).expand(-1, 2, -1) * torch.linspace(0.2, 1, 8)[:, None, None]
    together, _ = trained(wave, torch.arange(8))
    apart, _ = trained(torch.stack([wave[:, 0], wave[:, 1].roll(1, 0)], 1), torch.arange(8))
    assert together < apart


def test_colas_bilinear_weights_begin_as_keras_draws_them() -> None:
    weight = method("cola", Linear()).weight_DD
    assert weight.std().item() == pytest.approx(0.05, rel=0.02)


LEVELS = (1.0, 0.1, 0.01, 0.0)


def of_levels() -> Corpus:
    """Noise of 28,800 samples a clip, each clip quieter than the one before, the last one silent."""
    loud = np.random.default_rng(0).integers(-9000, 9000, (len(LEVELS), 28800))
    samples = (loud * np.array(LEVELS)[:, None]).astype(np.int16)
    offsets = np.arange(len(LEVELS) + 1) * 28800
    return Corpus(Recordings(samples.flatten(), offsets, 16000), torch.zeros(len(LEVELS)).long(), 1)


def colas(encoder: Encoder, corpus: Corpus, **settings: Any) -> Any:
    choice = METHODS.choose({"name": "cola", "dim": 16, **settings})
    return METHODS.find("cola")(choice.settings, encoder, views(), corpus)


def test_colas_positives_have_the_noise_of_a_clip_of_unit_norm() -> None:
    torch.manual_seed(0)
    cola, heard = colas(Linear(), of_levels()), list[Tensor]()
    cola.views.register_forward_pre_hook(lambda module, given: heard.append(given[0]))
    order_B = torch.tensor([2, 0, 3, 1])
    wave_BT, _ = of_levels().recordings.windows(order_B, 28800)
    loss, _ = cola(torch.stack([wave_BT, wave_BT], 1), order_B)
    loss.backward()
    anchor_BT, noise_BT = heard[0], heard[1] - heard[0]
    assert torch.equal(anchor_BT, wave_BT)
    ratio_B = 10 * (wave_BT.square().mean(1) / noise_BT.square().mean(1)).log10()
    # The source's ratio for every clip of 28,800 samples: a power of 1 / 28,800 against one of 0.001 squared.
    torch.testing.assert_close(ratio_B[[0, 1, 3]], torch.full((3,), 15.4), rtol=0, atol=0.2)
    assert noise_BT[2].abs().max() == 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in cola.parameters())


@pytest.mark.parametrize("similarity", ["bilinear", "cosine"])
def test_colas_anchors_and_positives_are_one_batch_and_its_heads_are_the_sources(similarity: str) -> None:
    torch.manual_seed(0)
    cola = colas(Linear(norm=True), of_levels(), similarity=similarity)
    wave_BVT = torch.cat([waves(6, 1, seed) for seed in (0, 1)], 1)
    silent_B = torch.full((6,), 3)  # a clip whose noise is none
    loss, _ = cola(wave_BVT, silent_B)
    x = torch.cat([cola.views(wave_BT) for wave_BT in wave_BVT.unbind(1)]).double().mean((1, 3))
    cola.double()
    linear, z = cola.head[0], cola.encoder.map[0](x)
    z = linear((z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt())  # the statistics of both
    if similarity == "bilinear":
        spread = (z.var(1, correction=0, keepdim=True) + 1e-3).sqrt()
        a, p = torch.tanh((z - z.mean(1, keepdim=True)) / spread).chunk(2)
        scores = a @ cola.weight_DD @ p.T
    else:
        a, p = (z / z.norm(dim=1, keepdim=True)).chunk(2)
        scores = a @ p.T / 0.2
    expected = -(scores - scores.logsumexp(1, keepdim=True)).diagonal().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("frontend", [{"name": "logmel", "normalise": "none"}, {"name": "clar"}, {"name": "waveform"}])
def test_byols_views_are_standardised_together_channel_by_channel(frontend: dict[str, Any]) -> None:
    heard: list[Tensor] = []
    gain = AUGMENTATIONS.find("gain")(AUGMENTATIONS.choose("gain").settings)
    made = make_frontend(FRONTENDS.choose(frontend))
    for standardise in (False, True):
        torch.manual_seed(0)
        choice = METHODS.choose({"name": "byol", "standardise": standardise, **SMALL["byol"]})
        byol = METHODS.find("byol")(choice.settings, Linear(), Views(made, [gain]), corpus(20))
        heard.append(torch.stack(byol._two_views(waves(5, 1, 0)[:, 0])))
    plain, standard = (x.double().transpose(0, 2).flatten(1) for x in heard)  # a row a channel
    assert not torch.allclose(plain, standard, atol=0.1)
    expected = (plain - plain.mean(1, keepdim=True)) / plain.std(1, keepdim=True)
    torch.testing.assert_close(standard, expected, rtol=1e-4, atol=1e-4)


def test_byol_is_the_mean_of_both_directions_of_standardised_views() -> None:
    torch.manual_seed(0)
    byol = method("byol", Linear(norm=True), **SMALL["byol"])
    wave = waves(6, 1, 0)
    assert METHODS.choose("byol").settings.standardise
    a, b = byol._two_views(wave[:, 0])  # without augmentation two views are one
    assert torch.equal(a, b)
    target = byol.target_projector(byol.target_encoder.embed(a)).double()
    online = byol.predictor(byol.projector(byol.encoder.embed(a))).double()
    cosine = (target * online).sum(1) / target.norm(dim=1) / online.norm(dim=1)
    assert byol(wave, torch.arange(6))[0].item() == pytest.approx((2 - 2 * cosine).mean().item(), rel=1e-5)


def test_simclr_is_nt_xent_of_the_projections() -> None:
    simclr = method("simclr", Linear(), **SMALL["simclr"]).eval()
    wave = waves(6, 2, 0)
    a, b = (unit(simclr.head(simclr.encoder.embed(simclr.views(wave[:, v])))) for v in (0, 1))
    torch.testing.assert_close(simclr(wave, torch.arange(6))[0], losses.nt_xent(a, b, 0.1))
    three = method("simclr", Linear(12), layers=3)
    assert [m.out_features for m in three.head if isinstance(m, nn.Linear)] == [12, 12, 128]


def test_simclrs_memory_holds_past_keys_as_further_negatives() -> None:
    torch.manual_seed(0)
    encoder = Linear()
    simclr = method("simclr", encoder, dim=16, memory=6, momentum=0.9).eval()
    start = encoder.map[0].weight.detach().clone()
    drawn = simclr.memory_QD.clone()
    with torch.no_grad():
        encoder.map[0].weight.fill_(1.0)
    keys = []
    for step in range(2):
        wave = waves(4, 2, step)
        a, b = (unit(simclr.head(encoder.embed(simclr.views(wave[:, v])))) for v in (0, 1))
        expected = losses.nt_xent(a, b, 0.1, simclr.memory_QD.clone())
        torch.testing.assert_close(simclr(wave, torch.arange(4))[0], expected)
        keys.append(unit(simclr.key_head(simclr.key_encoder.embed(simclr.views(wave[:, 0])))))
    torch.testing.assert_close(simclr.key_encoder.map[0].weight, 0.81 * start + 0.19)
    torch.testing.assert_close(simclr.memory_QD, torch.cat([keys[1][2:], keys[0][2:], keys[1][:2]]))
    assert not torch.equal(simclr.memory_QD, drawn)


def test_further_negatives_stand_in_every_denominator() -> None:
    a, b, memory = (unit(torch.randn(n, 5, generator=torch.Generator().manual_seed(n))).double() for n in (3, 3, 4))
    z = torch.cat([a, b])
    total = 0.0
    for i in range(6):
        terms = [math.exp(z[i] @ z[j] / 0.3) for j in range(6) if j != i] + [math.exp(z[i] @ m / 0.3) for m in memory]
        total -= math.log(math.exp(z[i] @ z[(i + 3) % 6] / 0.3) / sum(terms))
    assert losses.nt_xent(a, b, 0.3, memory).item() == pytest.approx(total / 6)


def test_byols_target_follows_in_closed_form_and_only_after_a_step() -> None:
    encoder = Linear()
    byol = method("byol", encoder, momentum=0.9, **SMALL["byol"])
    start = encoder.map[0].weight.detach().clone()
    with torch.no_grad():
        encoder.map[0].weight.fill_(1.0)
    byol(waves(4, 1, 0), torch.arange(4))
    assert torch.equal(byol.target_encoder.map[0].weight, start)
    for _ in range(5):
        byol.after_step()
    torch.testing.assert_close(byol.target_encoder.map[0].weight, 0.9**5 * start + (1 - 0.9**5))


def multiformat_encoder(waveform: int = 32) -> Encoder:
    branches = {
        "waveform": {"frontend": "waveform", "encoder": {"name": "conv320", "width": waveform}},
        "logmel": {"frontend": {"name": "logmel", "hop_length": 320}, "encoder": {"name": "cnn10", "width": 4}},
    }
    choice = ENCODERS.choose({"name": "multiformat", "branches": branches})
    encoder: Encoder = ENCODERS.find("multiformat")(choice.settings, 1, 0)
    return encoder


def raw_views() -> Views:
    return Views(make_frontend(FRONTENDS.choose("waveform")))


def multiformat(encoder: Encoder, **settings: Any) -> Any:
    choice = METHODS.choose({"name": "multiformat", "dim": 16, **settings})
    return METHODS.find("multiformat")(choice.settings, encoder, raw_views(), corpus(20))


def test_multiformat_hears_the_first_window_raw_and_the_second_as_a_log_mel() -> None:
    torch.manual_seed(0)
    encoder = multiformat_encoder()
    trained = multiformat(encoder).eval()
    wave = waves(4, 2, 0).repeat(1, 1, 4)
    (raw_views_, raw), (mel_views, mel) = (encoder.branch(name) for name in ("waveform", "logmel"))
    a = unit(trained.projector(raw.embed(raw_views_(wave[:, 0]))))
    b = unit(trained.projector(mel.embed(mel_views(wave[:, 1]))))
    torch.testing.assert_close(trained(wave, torch.arange(4))[0], losses.nt_xent(a, b, 0.1))


def test_multiformat_augments_one_format() -> None:
    torch.manual_seed(0)
    wave = waves(4, 2, 0).repeat(1, 1, 4)
    encoder = multiformat_encoder()
    masked = multiformat(encoder, augment={"logmel": [{"name": "frequency-mask", "width": 64, "count": 4}]})
    seen: list[Tensor] = []
    encoder.branch("logmel")[1].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    masked(wave, torch.arange(4))
    assert not torch.allclose(seen[0], encoder.branch("logmel")[0](wave[:, 1]))
    with pytest.raises(Mistake, match="names no branch: 'mfcc'"):
        multiformat(encoder, augment={"mfcc": ["frequency-mask"]})


def test_multiformat_needs_two_branches_and_embeddings_of_one_size() -> None:
    one = {"waveform": {"frontend": "waveform", "encoder": {"name": "conv320", "width": 8}}}
    choice = ENCODERS.choose({"name": "multiformat", "branches": one})
    with pytest.raises(Mistake, match="has one branch"):
        multiformat(ENCODERS.find("multiformat")(choice.settings, 1, 0))
    with pytest.raises(Mistake, match=r"have .* values") as caught:
        multiformat(multiformat_encoder(waveform=8))
    assert "conv320" in caught.value.fix
