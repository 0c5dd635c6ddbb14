"""Tasks whose clips have several labels: losses, rankings and protocols, against plain definitions."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from scipy.integrate import quad
from scipy.stats import norm

from registry.losses import binary_cross_entropy, cross_entropy
from registry.protocols import Embeddings, Labels, Split
from registry.protocols._inner import inner_folds
from registry.targets.several_labels import SeveralLabels
from tests.registry.test_protocols import evaluate, subject

SEVERAL = SeveralLabels()


def made(clips: int = 160, folds: int = 4, classes: int = 5) -> tuple[Labels, Embeddings]:
    """Clips with any number of labels, and two noisy windows each that hold the sum of their classes' directions."""
    generator = torch.Generator().manual_seed(3)
    label_NC = (torch.rand(clips, classes, generator=generator) < 0.3).float()
    labels = Labels(label_NC, torch.arange(clips) % folds + 1, torch.arange(clips) // 2, classes, SEVERAL)
    direction_CD = torch.randn(classes, 8, generator=generator)
    window_WD = (label_NC @ direction_CD).repeat_interleave(2, 0)
    window_WD = window_WD + 0.3 * torch.randn(window_WD.shape, generator=generator)
    return labels, Embeddings(window_WD, torch.arange(clips).repeat_interleave(2))


def test_one_label_gives_cross_entropy_and_several_a_binary_one_for_every_class() -> None:
    logits = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0))
    index = torch.arange(21).view(3, 7) % 4
    one = cross_entropy(logits, index)
    assert torch.allclose(one, -logits.log_softmax(-1).gather(-1, index.unsqueeze(-1)).squeeze(-1))
    several = F.one_hot(index, 4).float()
    several[..., 0] = 1
    expected = -(several * logits.sigmoid().log() + (1 - several) * (-logits).sigmoid().log()).mean(-1)
    assert torch.allclose(binary_cross_entropy(logits, several), expected, atol=1e-6)
    assert binary_cross_entropy(logits, several).shape == (3, 7)


def test_a_ranking_by_hand() -> None:
    # Class 0: clips in the order 1 0 1 0, precision 1 at the first and 2/3 at the second; class 1: the right order;
    # class 2 has every clip and class 3 none: neither can be ranked.
    label = np.array([[1, 1, 1, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 0]], bool)
    score = np.array([[4, 4, 0, 0], [3, 3, 0, 0], [2, 2, 0, 0], [1, 1, 0, 0]], np.float32)
    found = SEVERAL.figures(label, score.argmax(1)[None], score[None])
    assert found["mAP"] == pytest.approx([((1 + 2 / 3) / 2 + 1) / 2])
    assert found["AUC"] == pytest.approx([(3 / 4 + 1) / 2])
    assert SEVERAL.figure(label, score) == found["mAP"][0]
    assert SEVERAL.undefined(label) == ""
    assert SEVERAL.undefined(label[:, 2:]).startswith("no class")
    assert np.isnan(SEVERAL.figure(label[:, 2:], score[:, 2:]))


def test_d_prime_is_the_distance_of_two_normal_distributions_with_that_area() -> None:
    label = np.array([[1], [0], [1], [0], [0]], bool)
    score = np.array([[5], [4], [3], [2], [1]], np.float32)
    found = SEVERAL.figures(label, np.zeros((1, 5), int), score[None])
    area, _ = quad(lambda x: norm.pdf(x, found["d'"][0]) * norm.cdf(x), -10, 12)
    assert area == pytest.approx(found["AUC"][0], abs=1e-6)


def test_neighbours_vote_for_each_of_their_labels() -> None:
    labels, embeddings = made()
    outcome = evaluate("knn", subject(embeddings), labels, [2], k=[7])[0]
    unit = F.normalize(embeddings.mean(160), dim=1).double()
    split = Split(labels)
    train, test = split.train(2), split.test(2)
    for row, clip in zip(outcome.scores, test, strict=True):
        similarity = unit[train] @ unit[clip]
        nearest = similarity.argsort(descending=True)[:7]
        weight = ((similarity[nearest] - 1) / 0.07).exp()
        expected = (weight.unsqueeze(1) * labels.label_N[train][nearest]).sum(0)
        assert np.allclose(row, expected.numpy(), rtol=1e-3)


def test_k_is_that_of_the_best_average_precision_inside() -> None:
    labels, embeddings = made()
    outcome = evaluate("knn", subject(embeddings), labels, [1], k=[1, 5, 30])[0]
    inside = {}
    train = Split(labels).train(1)
    part = Labels(labels.label_N[train], labels.fold_N[train], labels.source_N[train], labels.classes, SEVERAL)
    kept = Embeddings(embeddings.mean(160)[train], torch.arange(len(train)))
    for k in (1, 5, 30):
        outcomes = evaluate("knn", subject(kept), part, [2, 3, 4], k=[k])
        inside[k] = np.mean([SEVERAL.figure(part.label_N[o.clips].numpy(), o.scores) for o in outcomes])
    assert outcome.chosen["k"] == max(inside, key=lambda k: inside[k])


@pytest.mark.parametrize("name", ["freeze", "knn"])
def test_several_labels_are_learned_from_the_training_folds_alone(name: str) -> None:
    labels, embeddings = made()
    settings = {"epochs": 60, "learning_rate": 0.05} if name == "freeze" else {"k": [5, 10]}
    outcomes = evaluate(name, subject(embeddings), labels, [1, 3], **settings)
    for outcome in outcomes:
        assert outcome.epochs == []
        assert outcome.predicted.shape == (1, len(outcome.clips))
        assert SEVERAL.figure(labels.label_N[outcome.clips].numpy(), outcome.scores) > 0.85
    turned = labels.label_N.clone()
    test = Split(labels).test(3)
    turned[test] = 1 - turned[test]
    other = Labels(turned, labels.fold_N, labels.source_N, labels.classes, SEVERAL)
    again = evaluate(name, subject(embeddings), other, [1, 3], **settings)
    assert np.array_equal(again[1].scores, outcomes[1].scores)


def test_one_training_fold_is_held_out_by_sources() -> None:
    labels, _ = made(folds=1)
    parts = inner_folds(Split(labels), torch.arange(160))
    assert sorted(torch.cat(parts).tolist()) == list(range(160))
    sources = [set(labels.source_N[part].tolist()) for part in parts]
    assert not set.intersection(*sources)
    assert sum(map(len, sources)) == 80
