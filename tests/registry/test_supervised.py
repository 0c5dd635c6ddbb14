"""Supervised pretraining: what it learns from, and that it learns."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from registry.errors import Mistake
from registry.lookup import METHODS
from registry.methods import Corpus
from registry.methods.supervised import Supervised
from registry.targets.several_labels import SeveralLabels
from tests.registry.test_methods import Linear, corpus, method, views, waves


def build(known: Corpus) -> Supervised:
    made = Supervised(METHODS.choose("supervised").settings, Linear(), views(), known)
    return made


def test_one_label_a_clip_gives_cross_entropy() -> None:
    trained = build(corpus(20))
    index = torch.tensor([3, 7, 8])
    wave = waves(3, 1, 0)
    logits = trained.head(trained.encoder.embed(trained.views(wave[:, 0])))
    torch.testing.assert_close(trained(wave, index)[0], F.cross_entropy(logits, torch.tensor([3, 3, 0])))


def test_several_labels_a_clip_give_binary_cross_entropy() -> None:
    several = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 1]])
    known = dataclasses.replace(corpus(3), label_N=several, classes=3, target=SeveralLabels())
    trained = build(known)
    wave, index = waves(2, 1, 0), torch.tensor([2, 0])
    p = trained.head(trained.encoder.embed(trained.views(wave[:, 0]))).sigmoid()
    y = several[index]
    by_hand = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    torch.testing.assert_close(trained(wave, index)[0], by_hand)


def test_labels_are_no_part_of_a_checkpoint() -> None:
    assert not [name for name in method("supervised", Linear()).state_dict() if "label" in name]


def test_a_corpus_without_labels_is_a_mistake() -> None:
    with pytest.raises(Mistake, match="the corpus has no labels"):
        build(dataclasses.replace(corpus(4), classes=0))
