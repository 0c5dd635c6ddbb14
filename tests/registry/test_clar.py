"""CLAR: which labels it learns from, what they add to the contrast, and what trains."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from registry import losses
from registry.errors import Mistake
from registry.lookup import METHODS
from registry.methods import Corpus, unit
from registry.targets.several_labels import SeveralLabels
from tests.registry.test_methods import Linear, corpus, method, views, waves

SMALL = {"dim": 16, "hidden": 24}


def on(known: Corpus, **settings: Any) -> Any:
    choice = METHODS.choose({"name": "clar", **SMALL, **settings})
    return METHODS.find("clar")(choice.settings, Linear(norm=True), views(), known)


def test_defaults_are_the_sources() -> None:
    settings, recipe = METHODS.choose("clar").settings, METHODS.find("clar").recipe
    assert (settings.temperature, settings.dim, settings.hidden, settings.labelled) == (0.5, 128, 512, 0)
    assert (recipe["batch_size"], recipe["learning_rate"], recipe["weight_decay"]) == (256, 1.0, 1e-6)
    sizes = [m.out_features for m in method("clar", Linear(512)).head if isinstance(m, nn.Linear)]
    assert sizes == [512, 512, 128]
    with_labels = method("clar", Linear(512), labelled=0.1)
    assert [m.out_features for m in with_labels.head if isinstance(m, nn.Linear)] == [512, 128]
    assert [type(m) for m in with_labels.classifier] == [nn.BatchNorm1d, nn.ReLU, nn.Linear]


def test_without_labels_it_is_nt_xent_of_two_augmentations_of_one_window() -> None:
    clar = on(corpus(20)).eval()
    wave = waves(6, 1, 0)
    z = unit(clar.head(clar.encoder.embed(clar.views(wave[:, 0]))))
    torch.testing.assert_close(clar(wave, torch.arange(6))[0], losses.nt_xent(z, z, 0.5))


@pytest.mark.parametrize("labelled", [0.0, 0.5])
def test_gradients_reach_all_that_trains(labelled: float) -> None:
    torch.manual_seed(0)
    clar = on(corpus(20), labelled=labelled)
    loss, _ = clar(waves(8, 1, 0), torch.arange(8))
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in clar.parameters())
    settings = METHODS.choose({"name": "clar", "labelled": labelled}).settings
    assert (clar.classifier is not None) == clar.uses_labels(settings) == (labelled > 0)


def test_a_share_of_every_class_is_labelled_and_the_same_in_every_run() -> None:
    known = corpus(203, classes=4)
    chosen = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        chosen.append(on(known, labelled=0.3).label_N)
    label_N = chosen[0]
    assert torch.equal(chosen[0], chosen[1])
    assert set(label_N.tolist()) == {-1, 0, 1, 2, 3}
    assert torch.equal(label_N[label_N >= 0], known.label_N[label_N >= 0])
    for label in range(4):
        clips = (known.label_N == label).sum().item()
        assert (label_N == label).sum().item() == round(0.3 * clips)
    assert torch.equal(on(known, labelled=1.0).label_N, known.label_N)
    few = on(known, labelled=0.001).label_N
    assert sorted(few[few >= 0].tolist()) == [0, 1, 2, 3]


def test_the_labels_add_the_cross_entropy_of_either_view() -> None:
    torch.manual_seed(0)
    known = corpus(20)
    clar = on(known, labelled=0.5).eval()
    wave, index = waves(8, 1, 0), torch.tensor([3, 1, 4, 15, 9, 2, 6, 5])
    z = clar.head(clar.encoder.embed(clar.views(wave[:, 0])))
    log_probability = F.log_softmax(clar.classifier(z).double(), 1)
    rows = [i for i, clip in enumerate(index.tolist()) if clar.label_N[clip] >= 0]
    assert 0 < len(rows) < 8
    entropy = -sum(log_probability[i, known.label_N[index[i]]].item() for i in rows) / len(rows)
    expected = losses.nt_xent(unit(z), unit(z), 0.5).item() + 2 * entropy
    assert clar(wave, index)[0].item() == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_labels_adds_nothing() -> None:
    clar = on(corpus(20), labelled=0.2).eval()
    index = (clar.label_N < 0).nonzero().flatten()[:6]
    wave = waves(6, 1, 0)
    loss, _ = clar(wave, index)
    z = unit(clar.head(clar.encoder.embed(clar.views(wave[:, 0]))))
    torch.testing.assert_close(loss, losses.nt_xent(z, z, 0.5))
    loss.backward()
    assert not clar.classifier[2].weight.grad.any()


def test_the_loss_does_not_depend_on_the_order_of_the_batch() -> None:
    clar = on(corpus(20), labelled=0.5)
    wave, order = waves(8, 1, 0), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(clar(wave, torch.arange(8))[0], clar(wave[order], order)[0])


def test_labels_are_asked_for_only_where_there_is_one_a_clip() -> None:
    known = corpus(20)
    several = replace(known, label_N=F.one_hot(known.label_N, 4).float(), target=SeveralLabels())
    none = replace(known, classes=0)
    for wrong, lack in ((several, "several labels"), (none, "no labels")):
        with pytest.raises(Mistake, match=lack):
            on(wrong, labelled=0.5)
        on(wrong)


def test_labelled_cross_entropy_by_hand() -> None:
    torch.manual_seed(0)
    logits: Tensor = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([2, -1, 0, -1, 1])
    by_hand = 0.0
    for row, target in ((0, 2), (2, 0), (4, 1)):
        scores = logits[row].tolist()
        by_hand += math.log(sum(math.exp(s) for s in scores)) - scores[target]
    assert losses.labelled_cross_entropy(logits, label).item() == pytest.approx(by_hand / 3)
    assert losses.labelled_cross_entropy(logits, torch.full((5,), -1)) == 0
    assert torch.autograd.gradcheck(lambda x: losses.labelled_cross_entropy(x, label), (logits,))
