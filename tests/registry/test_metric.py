"""Metric learning by pairs, triplets and batches, and the triplets of Jansen 2018."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import halfnorm, kstest
from torch import Tensor

from registry import losses
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.lookup import METHODS
from registry.methods import Corpus, unit
from registry.methods.triplet import add_noise, mix_in, translate
from registry.targets.several_labels import SeveralLabels
from tests.registry.test_contrast import raw_views
from tests.registry.test_losses import rows
from tests.registry.test_methods import Linear, corpus, method, views, waves

BY_LABEL = ("contrastive", "triplet", "lifted-structure", "lifted-structure-smooth")
AMONG_OTHERS = ("n-pair", "nce", "info-nce", "nt-xent")


def metric(known: Corpus, encoder: Encoder | None = None, **settings: Any) -> Any:
    choice = METHODS.choose({"name": "metric", "dim": 8, **settings})
    return METHODS.find("metric")(choice.settings, encoder or Linear(), views(), known)


def projected(trained: Any, wave_BVT: Tensor) -> list[Tensor]:
    return [trained.head(trained.encoder.embed(trained.views(wave))).detach().double() for wave in wave_BVT.unbind(1)]


def twins(clips: int) -> Tensor:
    """The same window twice of clips that differ."""
    return waves(clips, 1, 0).expand(-1, 2, -1) * torch.linspace(0.2, 1, clips)[:, None, None]


def test_margins_and_sizes() -> None:
    margins = {
        loss: METHODS.choose({"name": "metric", "loss": loss}).settings.margin for loss in BY_LABEL + AMONG_OTHERS
    }
    assert margins == {loss: 0.1 if loss == "triplet" else 1.0 for loss in margins}
    assert METHODS.choose({"name": "metric", "loss": "triplet", "margin": 0.3}).settings.margin == 0.3
    jansen = METHODS.choose("triplet").settings
    assert (jansen.margin, jansen.dim) == (0.1, 128)
    assert jansen.positives == ["noise", "translation", "mixing", "proximity"]


@pytest.mark.parametrize("loss", BY_LABEL + AMONG_OTHERS)
def test_gradients_reach_all_that_trains(loss: str) -> None:
    torch.manual_seed(0)
    trained = metric(corpus(20), Linear(norm=True), loss=loss)
    got, _ = trained(waves(8, 2, 0), torch.arange(8))
    got.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained.parameters())
    assert trained.encoder.map[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("loss", BY_LABEL + AMONG_OTHERS)
def test_two_windows_of_a_clip_are_positives(loss: str) -> None:
    """With the windows of other clips in their place, the loss is higher."""
    torch.manual_seed(0)
    trained = metric(corpus(20), Linear(norm=True), loss=loss)
    wave = twins(8)
    torch.manual_seed(1)
    together, _ = trained(wave, torch.arange(8))
    torch.manual_seed(1)
    apart, _ = trained(torch.stack([wave[:, 0], wave[:, 1].roll(1, 0)], 1), torch.arange(8))
    assert together < apart


@pytest.mark.parametrize("loss", ["lifted-structure", "lifted-structure-smooth", *AMONG_OTHERS])
def test_the_order_of_the_batch_does_not_matter(loss: str) -> None:
    trained = metric(corpus(20), loss=loss)
    wave, order = waves(8, 2, 0), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(trained(wave, torch.arange(8))[0], trained(wave[order], order)[0])


def test_pairs_and_triplets_of_two_clips_by_hand() -> None:
    """Of two clips with equal windows every draw is the same: positives coincide, negatives are one distance away."""
    wave = twins(2)
    pairs, triplets = (metric(corpus(20), loss=loss, margin=1.9) for loss in ("contrastive", "triplet"))
    triplets.load_state_dict(pairs.state_dict())
    z = unit(projected(pairs, wave)[0])
    distance = float((z[0] - z[1]).norm())
    assert pairs(wave, torch.arange(2))[0].item() == pytest.approx((1.9 - distance) ** 2 / 2 / 2, rel=1e-4)
    assert triplets(wave, torch.arange(2))[0].item() == pytest.approx(max(0, 1.9 - distance**2), rel=1e-4)


@pytest.mark.parametrize("loss", ["contrastive", "triplet"])
def test_clips_of_one_class_attract_with_labels_and_repel_without(loss: str) -> None:
    wave = waves(1, 1, 0).expand(8, 2, -1)  # all alike
    blind, taught = (metric(corpus(20, classes=1), loss=loss, labels=labels) for labels in (False, True))
    margin = blind.config.margin
    assert blind(wave, torch.arange(8))[0].item() == pytest.approx(
        margin**2 / 4 if loss == "contrastive" else margin, rel=1e-4
    )
    if loss == "contrastive":
        assert taught(wave, torch.arange(8))[0].item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("loss", BY_LABEL)
def test_labels_tell_which_clips_are_alike(loss: str) -> None:
    """The loss is lower where the labels say which clips sound the same than where they do not."""
    wave = twins(4).repeat(2, 1, 1)  # clip i sounds as clip i + 4 does: as their labels say
    trained = metric(corpus(20), loss=loss, labels=True)
    torch.manual_seed(0)
    right, _ = trained(wave, torch.arange(8))
    torch.manual_seed(0)
    wrong, _ = trained(wave, torch.tensor([0, 1, 2, 3, 5, 6, 7, 4]))
    assert right < wrong


@pytest.mark.parametrize("labels", [False, True])
def test_lifted_structure_takes_all_pairs_of_the_batch(labels: bool) -> None:
    trained = metric(corpus(20), loss="lifted-structure-smooth", labels=labels)
    wave, index = waves(8, 2, 0), torch.arange(3, 11)
    z = unit(torch.cat(projected(trained, wave)))
    whose = index % 4 if labels else index
    expected = losses.lifted_structure(z, whose.repeat(2), 1.0, smooth=True)
    assert trained(wave, index)[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_losses_among_others_equal_their_definitions() -> None:
    wave = waves(5, 2, 0)
    for loss in ("n-pair", "info-nce", "nce"):
        trained = metric(corpus(20), loss=loss, temperature=0.2)
        a, b = (z.numpy() for z in projected(trained, wave))
        if loss != "n-pair":
            a, b = (z / np.linalg.norm(z, axis=1, keepdims=True) / math.sqrt(0.2) for z in (a, b))
        total = 0.0
        for i in range(5):
            score = [float(a[i] @ b[j]) for j in range(5)]
            if loss == "nce":  # odds of a partner against K even noise samples of 1 / K each are its density
                odds = [math.exp(s - 1 / 0.2) for s in score]
                total -= sum(math.log(odd / (1 + odd) if i == j else 1 / (1 + odd)) for j, odd in enumerate(odds))
            else:
                total += math.log(sum(map(math.exp, score))) - score[i]
        if loss == "n-pair":
            total += 0.25 * 0.002 * float((a**2).sum() + (b**2).sum())
        assert trained(wave, torch.arange(5))[0].item() == pytest.approx(total / 5, rel=1e-4)


def test_labels_that_cannot_be_used_are_mistakes() -> None:
    with pytest.raises(ValidationError, match="nt-xent has one positive a window; labels go with contrastive, triplet"):
        METHODS.choose({"name": "metric", "loss": "nt-xent", "labels": True})
    known = corpus(20)
    with pytest.raises(Mistake, match="no labels"):
        metric(Corpus(known.recordings, known.label_N, 0), labels=True)
    with pytest.raises(Mistake, match="several labels a clip"):
        metric(Corpus(known.recordings, torch.ones(20, 4), 4, SeveralLabels()), labels=True)
    component = METHODS.find("metric")
    assert [component.uses_labels(metric(known, labels=labels).config) for labels in (True, False)] == [True, False]
    assert "label_N" not in metric(known, labels=True).state_dict()


def test_semi_hard_negatives_by_hand() -> None:
    anchor, positive = torch.zeros(3, 1), torch.tensor([[1.0], [1.0], [5.0]])
    candidates = torch.tensor([[0.5], [2.0], [-1.5], [4.0]])
    other = torch.tensor([[True, True, True, True], [True, True, False, True], [True, True, True, False]])
    # The nearest beyond 1; without that one, the next; with none beyond 5, the farthest that is allowed.
    assert losses.semi_hard(anchor, positive, candidates, other).tolist() == [2, 1, 1]


def test_semi_hard_negatives_equal_a_search() -> None:
    anchor, positive, candidates = rows(20, 4, 0), rows(20, 4, 1), rows(40, 4, 2)
    other = ~torch.eye(20, dtype=torch.bool).repeat(1, 2)
    got = losses.semi_hard(anchor, positive, candidates, other)
    for i in range(20):
        near = float((anchor[i] - positive[i]).norm())
        far = {j: float((anchor[i] - candidates[j]).norm()) for j in range(40) if other[i, j]}
        beyond = {j: d for j, d in far.items() if d > near}
        assert int(got[i]) == (min(beyond, key=lambda j: beyond[j]) if beyond else max(far, key=lambda j: far[j]))


def test_noise_multiplies_every_energy_by_one_and_half_a_normal_draw() -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 1, 32, 40)
    factor = (add_noise(x) - x).double().exp().flatten() - 1
    assert kstest(factor.numpy(), halfnorm(scale=0.5).cdf).pvalue > 0.01


def test_translation_turns_frames_round_and_cuts_bins_off() -> None:
    torch.manual_seed(0)
    x = torch.full((600, 1, 32, 12), -7.0)
    x[:, 0, 16, 3] = 1.0  # a click in the middle
    x[:, 0, 2, 4] = 0.0  # one that shifts down cut off, in the frame after
    moved = translate(x)
    top = moved.flatten(1).argmax(1)
    bins, frames = top // 12 - 16, top % 12
    assert set(bins.tolist()) == set(range(-10, 11))
    assert set(frames.tolist()) == set(range(12))
    second = (moved == 0.0).flatten(1)
    assert torch.equal(second.any(1), bins >= -2)
    kept = second.any(1)
    assert torch.equal(second[kept].int().argmax(1) % 12, (frames[kept] + 1) % 12)
    assert ((moved == -7.0).sum((1, 2, 3)) == 32 * 12 - 1 - kept.int()).all()


def test_mixing_adds_a_quarter_of_the_energy_in_the_shape_of_the_next_clip() -> None:
    x = torch.randn(4, 1, 8, 5, dtype=torch.float64) * 3
    energy, added = x.exp(), mix_in(x).exp() - x.exp()
    torch.testing.assert_close(added.sum((1, 2, 3)), 0.25 * energy.sum((1, 2, 3)))
    share = energy.roll(1, 0) / energy.roll(1, 0).sum((1, 2, 3), keepdim=True)
    torch.testing.assert_close(added / added.sum((1, 2, 3), keepdim=True), share)


@pytest.mark.parametrize("positives", [["noise"], ["translation"], ["mixing"], ["proximity"], ["noise", "mixing"]])
def test_triplets_of_each_kind_train(positives: list[str]) -> None:
    torch.manual_seed(0)
    trained = method("triplet", Linear(norm=True), positives=positives, margin=1.0)
    loss, _ = trained(waves(8, 2, 0), torch.arange(8))
    loss.backward()
    assert all(p.grad is not None for p in trained.parameters())
    assert trained.encoder.map[0].weight.grad.abs().sum() > 0


def test_kinds_are_averaged_and_proximity_is_the_other_window() -> None:
    encoder, wave = Linear(), twins(2)
    kinds = (["mixing"], ["proximity"], ["mixing", "proximity"])
    each = [method("triplet", encoder, positives=kind, margin=1.9) for kind in kinds]
    for one in each:
        one.load_state_dict(each[0].state_dict())
    mixing, proximity, both = (one(wave, torch.arange(2))[0].item() for one in each)
    assert both == pytest.approx((mixing + proximity) / 2, rel=1e-6)
    z = unit(projected(each[0], wave)[0])
    assert proximity == pytest.approx(1.9 - float((z[0] - z[1]).square().sum()), rel=1e-4)


def test_only_spectrograms_can_be_changed() -> None:
    component = METHODS.find("triplet")
    for positives, refused in ((["proximity"], False), (["proximity", "noise"], True)):
        settings = METHODS.choose({"name": "triplet", "positives": positives}).settings
        if refused:
            with pytest.raises(Mistake, match="the front end gives a waveform"):
                component(settings, Linear(), raw_views(), corpus(4))
        else:
            component(settings, Linear(), raw_views(), corpus(4))
