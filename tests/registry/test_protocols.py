"""The protocols on made embeddings and a made model: what they predict, and what they must not look at."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from registry.audio import Recordings
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends.logmel import LogMel
from registry.lookup import PROTOCOLS
from registry.protocols import Embeddings, Labels, Model, Outcome, Split, Subject
from registry.protocols._inner import inner_folds
from registry.settings import Settings
from registry.views import Views


def make_labels(clips: int = 120, folds: int = 4, classes: int = 5) -> Labels:
    generator = torch.Generator().manual_seed(1)
    return Labels(
        label_N=torch.randint(classes, (clips,), generator=generator),
        fold_N=torch.arange(clips) % folds + 1,
        source_N=torch.arange(clips) // 2,
        classes=classes,
    )


def make_embeddings(labels: Labels, windows: int = 3, spread: float = 2.0) -> Embeddings:
    generator = torch.Generator().manual_seed(2)
    centre = torch.randn(labels.classes, 6, generator=generator)
    clip = torch.arange(len(labels.label_N)).repeat_interleave(windows)
    noise = torch.randn(len(clip), 6, generator=generator)
    return Embeddings(centre[labels.label_N[clip]] + spread * noise, clip)


def subject(embeddings: Embeddings | None, model: Model | None = None, recordings: Recordings | None = None) -> Subject:
    empty = Recordings(np.empty(0, np.int16), np.zeros(1, np.int64), 16000)
    autocast: Callable[[], Any] = nullcontext
    return Subject(embeddings, recordings or empty, torch.device("cpu"), autocast, model)


def evaluate(
    name: str, on: Subject, known: Labels | Split, folds: list[int], seed: int = 0, **settings: Any
) -> list[Outcome]:
    split = known if isinstance(known, Split) else Split(known)
    choice = PROTOCOLS.choose({"name": name, **settings})
    outcomes: list[Outcome] = PROTOCOLS.find(name)(choice.settings).evaluate(on, split, folds, seed, lambda *told: None)
    return outcomes


def test_the_embedding_of_a_clip_is_the_mean_over_its_windows() -> None:
    embeddings = Embeddings(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 1]))
    assert embeddings.mean(2).tolist() == [[2.0], [5.0]]


@pytest.mark.parametrize("weights", ["uniform", "exp"])
@pytest.mark.parametrize("k", [1, 7, 20])
def test_knn_equals_scikit_learns(weights: str, k: int) -> None:
    labels = make_labels()
    embeddings = make_embeddings(labels)
    vectors = torch.nn.functional.normalize(embeddings.mean(len(labels.label_N))).numpy()
    for outcome in evaluate("knn", subject(embeddings), labels, [1, 2, 3, 4], k=[k], weights=weights):
        train = Split(labels).train(outcome.fold).numpy()
        theirs = KNeighborsClassifier(
            k, metric="cosine", weights="uniform" if weights == "uniform" else lambda d: np.exp((1 - d) / 0.07)
        ).fit(vectors[train], labels.label_N.numpy()[train])
        share = theirs.predict_proba(vectors[outcome.clips])
        ours = np.zeros_like(share)
        ours[:] = outcome.scores[:, theirs.classes_] / outcome.scores.sum(1, keepdims=True)
        np.testing.assert_allclose(ours, share, atol=1e-4)
        assert outcome.predicted.shape == (1, len(outcome.clips))


def test_k_is_the_best_of_cross_validation_over_the_training_folds() -> None:
    labels = make_labels()
    embeddings = make_embeddings(labels)
    vectors = torch.nn.functional.normalize(embeddings.mean(len(labels.label_N))).numpy()
    label, fold, candidates = labels.label_N.numpy(), labels.fold_N.numpy(), [1, 3, 9, 27]
    for outcome in evaluate(
        "knn", subject(embeddings), labels, [1, 2, 3, 4], k=candidates
    ):  # exp weights leave no ties
        means = []
        for k in candidates:
            hits = []
            for held_out in set(fold) - {outcome.fold}:
                bank = (fold != outcome.fold) & (fold != held_out)
                query = fold == held_out
                model = KNeighborsClassifier(k, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07))
                model.fit(vectors[bank], label[bank])
                hits.append(model.score(vectors[query], label[query]))
            means.append(np.mean(hits))
        assert outcome.chosen["k"] == candidates[int(np.argmax(means))]


@pytest.mark.parametrize("name", ["knn", "freeze"])
def test_labels_of_the_test_fold_change_no_prediction(name: str) -> None:
    labels = make_labels()
    wrong = labels.label_N.clone()
    wrong[labels.fold_N == 2] = (wrong[labels.fold_N == 2] + 1) % 5
    poisoned = Labels(wrong, labels.fold_N, labels.source_N, 5)
    embeddings = make_embeddings(labels)
    honest, blind = (evaluate(name, subject(embeddings), known, [2])[0] for known in (labels, poisoned))
    assert np.array_equal(honest.scores, blind.scores)
    assert honest.chosen == blind.chosen


def test_candidates_larger_than_the_bank_are_left_out_and_none_left_is_a_mistake() -> None:
    labels = make_labels(clips=24)
    embeddings = make_embeddings(labels)
    assert evaluate("knn", subject(embeddings), labels, [1], k=[3, 500])[0].chosen["k"] == 3
    with pytest.raises(Mistake, match="larger than the bank of 12 clips"):
        evaluate("knn", subject(embeddings), labels, [1], k=[100, 200])


def test_one_candidate_needs_no_choice() -> None:
    labels = make_labels(clips=24)
    lone = Labels(labels.label_N, labels.fold_N, torch.zeros(24, dtype=torch.long), labels.classes)
    assert evaluate("knn", subject(make_embeddings(lone)), lone, [1], k=[15])[0].chosen["k"] == 15
    with pytest.raises(Mistake, match="larger than the bank of 18 clips"):
        evaluate("knn", subject(make_embeddings(lone)), lone, [1], k=[100])


def test_inner_validation_holds_out_whole_folds_or_whole_sources() -> None:
    labels = make_labels()
    whole = Split(labels)
    parts = inner_folds(whole, whole.train(1))
    assert [set(labels.fold_N[part].tolist()) for part in parts] == [{2}, {3}, {4}]
    two = Labels(labels.label_N, (torch.arange(120) >= 60) + 1, labels.source_N, 5)
    train = Split(two).train(1)
    parts = inner_folds(Split(two), train)
    assert sorted(torch.cat(parts).tolist()) == train.tolist()
    sources = [set(two.source_N[part].tolist()) for part in parts]
    assert sum(map(len, sources)) == len(set.union(*sources))
    few = Split(Labels(torch.arange(12) % 4, torch.arange(12) // 6, torch.arange(12), 4))  # two clips a class train
    assert sorted(torch.cat(inner_folds(few, few.train(1))).tolist()) == few.train(1).tolist()


def test_freeze_learns_what_is_there_and_averages_logits_over_windows() -> None:
    labels = make_labels(clips=400)
    easy = evaluate("freeze", subject(make_embeddings(labels, spread=0.2)), labels, [1])[0]
    assert (easy.predicted[-1] == labels.label_N[easy.clips].numpy()).mean() > 0.97
    assert easy.epochs == list(range(1, 31))
    assert easy.predicted.shape == (30, 100)
    assert np.array_equal(easy.scores.argmax(1), easy.predicted[-1])


def test_freeze_does_not_depend_on_which_folds_are_run() -> None:
    labels = make_labels()
    embeddings = make_embeddings(labels)
    every = evaluate("freeze", subject(embeddings), labels, [1, 2, 3, 4], epochs=4)
    alone = evaluate("freeze", subject(embeddings), labels, [3], epochs=4)[0]
    np.testing.assert_allclose(every[2].scores, alone.scores, rtol=1e-4, atol=1e-5)


class Pitch(Encoder):
    """The mean spectrum, through a trainable layer."""

    def __init__(self) -> None:
        super().__init__(Settings(), 1, 32)
        self.embedding_dim = 32
        self.layer = nn.Linear(32, 32)

    def forward(self, x_BCFN: Tensor) -> Tensor:
        out: Tensor = self.layer(x_BCFN.mean((1, 3))).unsqueeze(1)
        return out


def tones(labels: Labels) -> tuple[Recordings, Model]:
    """Tones whose pitch is their class, 0.4 to 0.6 s."""
    rng = np.random.default_rng(0)
    clips = []
    for label in labels.label_N.tolist():
        time = np.arange(rng.integers(6400, 9600)) / 16000
        clips.append((8000 * np.sin(2 * np.pi * 300 * 2**label * time + rng.uniform(0, 6))).astype(np.int16))
    offsets = np.concatenate([[0], np.cumsum([len(c) for c in clips])])
    torch.manual_seed(0)
    state = Pitch().state_dict()

    def encoder() -> Encoder:
        fresh = Pitch()
        fresh.load_state_dict(state)
        return fresh

    views = Views(LogMel(LogMel.Config(n_mels=32)))
    return Recordings(np.concatenate(clips), offsets, 16000), Model(encoder, views, views, 4000)


def test_finetune_learns_tones_and_gives_the_same_figures_again() -> None:
    labels = make_labels(clips=80, classes=4)
    recordings, model = tones(labels)
    settings: dict[str, Any] = {"epochs": 4, "batch_size": 8, "learning_rate": 0.01}
    first, again = (
        evaluate("finetune", subject(None, model, recordings), labels, [1], **settings)[0] for _ in range(2)
    )
    assert np.array_equal(first.scores, again.scores)
    assert (first.predicted[-1] == labels.label_N[first.clips].numpy()).mean() > 0.9
    other = evaluate("finetune", subject(None, model, recordings), labels, [1], seed=1, **settings)[0]
    assert not np.array_equal(first.scores, other.scores)


def test_the_head_of_finetuning_is_drawn_by_seed_and_fold_even_if_the_encoder_seeds_its_own_weights() -> None:
    labels = make_labels(clips=80, classes=4)
    recordings, model = tones(labels)

    def encoder() -> Encoder:
        torch.manual_seed(0)
        return model.encoder()

    seeded = Model(encoder, model.views, model.plain_views, model.window_samples)
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 64, "learning_rate": 1e-9}  # what is left is the head
    first, other = (
        evaluate("finetune", subject(None, seeded, recordings), labels, [1], seed=seed, **settings)[0]
        for seed in (0, 1)
    )
    assert np.abs(first.scores - other.scores).max() > 0.01


def test_freeze_with_augmentation_embeds_fresh_crops_and_leaves_the_encoder_alone() -> None:
    labels = make_labels(clips=80, classes=4)
    recordings, model = tones(labels)
    made = []

    def encoder() -> Encoder:
        made.append(model.encoder())
        return made[-1]

    windows, owner = recordings.windows(torch.arange(80), 4000)
    embeddings = Embeddings(model.encoder().embed(model.plain_views(windows)).detach(), owner)
    watched = Model(encoder, model.views, model.plain_views, 4000)
    outcome = evaluate("freeze", subject(embeddings, watched, recordings), labels, [1], augment=True, epochs=20)[0]
    assert (outcome.predicted[-1] == labels.label_N[outcome.clips].numpy()).mean() > 0.9
    assert len(made) == 1
    assert not made[0].training
    assert all(torch.equal(a, b) for a, b in zip(made[0].parameters(), model.encoder().parameters(), strict=True))
