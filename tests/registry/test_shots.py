"""Few labels: which clips are drawn, and protocols that must know no other."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from registry.errors import Mistake
from registry.protocols import Embeddings, Labels, Split
from registry.protocols.freeze import Freeze
from tests.registry.test_protocols import evaluate, make_embeddings, make_labels, subject
from tests.registry.test_several_labels import made


def table(labels: Labels, clips: torch.Tensor) -> pd.DataFrame:
    every = pd.DataFrame({"label": labels.label_N, "fold": labels.fold_N, "source": labels.source_N})
    return every.loc[clips.tolist()]


def uneven() -> Labels:
    """Four classes of 60, 30, 6 and 3 clips in 3 folds, from sources of 1 to 4 clips within a class and fold."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1, 2, 3], [60, 30, 6, 3])
    fold = np.concatenate([np.arange(size) % 3 + 1 for size in (60, 30, 6, 3)])
    known = pd.DataFrame({"label": label, "fold": fold, "part": rng.integers(0, 7, len(label)) ** 2 // 9})
    source = known.groupby(["label", "fold", "part"]).ngroup()
    order = rng.permutation(len(label))
    label_N, fold_N, source_N = (torch.tensor(np.asarray(x)[order]) for x in (label, fold, source))
    return Labels(label_N, fold_N, source_N, classes=4)


@pytest.mark.parametrize("shots", [1, 2, 5, 15])
def test_so_many_clips_of_each_class_train_and_a_class_with_fewer_gives_all(shots: int) -> None:
    for fold in (1, 2, 3):
        labels, whole = uneven(), Split(uneven())
        few = Split(labels, shots=shots)
        drawn, every = few.train(fold), whole.train(fold)
        assert drawn.tolist() == sorted(set(drawn.tolist()))
        assert set(drawn.tolist()) <= set(every.tolist())
        counts = table(labels, drawn).groupby("label").size()
        there = table(labels, every).groupby("label").size()
        assert counts.to_dict() == there.clip(upper=shots).to_dict()
        assert few.test(fold).tolist() == whole.test(fold).tolist()


def test_no_source_comes_a_second_time_before_every_other_has_come_once() -> None:
    labels = uneven()
    there = table(labels, Split(labels).train(1)).groupby(["label", "source"]).size()
    assert there.max() > 3
    for shots in (1, 2, 3, 5, 9, 14, 20, 30):
        for draw in range(2):
            drawn = table(labels, Split(labels, shots, draw).train(1))
            taken = drawn.groupby(["label", "source"]).size().reindex(there.index, fill_value=0)
            for _, own in taken.groupby("label"):
                not_empty = own[own < there[own.index]]  # sources that could have given more
                assert not_empty.empty or not_empty.min() >= own.max() - 1


def test_a_draw_of_few_is_part_of_the_same_draw_of_more() -> None:
    for draw in range(3):
        before: set[int] = set()
        for shots in (1, 2, 5, 20, 1000):
            drawn = set(Split(uneven(), shots, draw).train(2).tolist())
            assert before < drawn
            before = drawn
        assert before == set(Split(uneven()).train(2).tolist())


def test_draws_differ_by_draw_seed_and_fold_and_by_nothing_else() -> None:
    split = Split(uneven(), shots=2)
    first = split.train(1).tolist()
    assert Split(uneven(), shots=2).train(1).tolist() == first
    assert split.train(2).tolist() != first
    assert replace(split, draw=1).train(1).tolist() != first
    assert replace(split, seed=1).train(1).tolist() != first


def test_every_clip_is_as_likely_as_every_other() -> None:
    labels = uneven()
    count = torch.zeros(len(labels.label_N))
    for draw in range(400):
        count[Split(labels, 1, draw).train(1)] += 1
    for label, size in ((0, 40), (1, 20), (2, 4), (3, 2)):
        own = count[(labels.label_N == label) & (labels.fold_N != 1)]
        assert len(own) == size
        expected = 400 / size
        assert own.sub(expected).abs().max() < 4.5 * math.sqrt(expected)


def test_clips_of_several_labels_cannot_be_drawn_by_class() -> None:
    labels, embeddings = made()
    for name in ("knn", "freeze"):
        with pytest.raises(Mistake, match="this task has several labels a clip"):
            evaluate(name, subject(embeddings), Split(labels, shots=1), [1])


@pytest.mark.parametrize("name", ["knn", "freeze"])
@pytest.mark.parametrize("shots", [1, 4])
def test_clips_that_were_not_drawn_change_no_prediction(name: str, shots: int) -> None:
    few = Split(make_labels(), shots)
    embeddings = make_embeddings(few.labels)
    known = torch.isin(torch.arange(120), torch.cat([few.train(2), few.test(2)]))
    windows = torch.where(known[embeddings.clip_W].unsqueeze(1), embeddings.window_WD, 1e6)
    honest = evaluate(name, subject(embeddings), few, [2])[0]
    blind = evaluate(name, subject(Embeddings(windows, embeddings.clip_W)), few, [2])[0]
    assert np.array_equal(honest.scores, blind.scores)
    assert honest.chosen == blind.chosen
    other = evaluate(name, subject(embeddings), replace(few, draw=1), [2])[0]
    assert not np.array_equal(honest.scores, other.scores)


def test_all_clips_as_shots_are_the_whole_training_folds() -> None:
    labels = make_labels()
    embeddings = make_embeddings(labels)
    for name, settings in (("knn", {"k": [1, 3, 9]}), ("freeze", {"epochs": 2})):
        given: Any = settings
        whole = evaluate(name, subject(embeddings), labels, [1, 2], **given)
        drawn = evaluate(name, subject(embeddings), Split(labels, 1000), [1, 2], **given)
        assert all(np.array_equal(a.scores, b.scores) for a, b in zip(whole, drawn, strict=True))


def test_one_shot_is_the_nearest_neighbour_whatever_k_is_named() -> None:
    labels = make_labels()
    few, embeddings = Split(labels, shots=1), make_embeddings(labels)
    vectors = torch.nn.functional.normalize(embeddings.mean(120)).numpy()
    for weights in ("exp", "uniform"):
        for outcome in evaluate("knn", subject(embeddings), few, [1, 2, 3, 4], k=[5, 10, 200], weights=weights):
            train = few.train(outcome.fold).numpy()
            theirs = KNeighborsClassifier(1, metric="cosine").fit(vectors[train], labels.label_N.numpy()[train])
            assert np.array_equal(outcome.predicted[0], theirs.predict(vectors[outcome.clips]))
            assert outcome.chosen == {"k": 1}


def test_k_is_chosen_among_those_that_a_class_can_fill() -> None:
    labels = make_labels(clips=400)
    embeddings = make_embeddings(labels, spread=4)
    chosen = {
        shots: {o.chosen["k"] for o in evaluate("knn", subject(embeddings), Split(labels, shots), [1, 2, 3, 4])}
        for shots in (2, 10, 30)
    }
    assert chosen[2] == {2}  # every default is larger: one is left, and nothing to choose
    assert chosen[10] <= {5, 10}
    assert chosen[30] <= {5, 10, 20, 30}


def test_few_clips_of_any_folds_and_sources_can_be_evaluated() -> None:
    for i in range(60):
        rng = np.random.default_rng(i)
        clips, folds = int(rng.integers(6, 25)), int(rng.integers(2, 5))
        labels = Labels(
            torch.arange(clips) % 2,
            torch.from_numpy(rng.permutation(np.arange(clips) % folds)),
            torch.from_numpy(rng.integers(0, rng.integers(1, 5), clips)),
            2,
        )
        few = Split(labels, shots=int(rng.integers(1, 5)))
        outcomes = evaluate("knn", subject(make_embeddings(labels)), few, list(range(folds)), k=[1, 2, 3, 10])
        assert all(o.chosen["k"] <= min(4, len(few.train(o.fold))) for o in outcomes)
        for outcome in evaluate("freeze", subject(make_embeddings(labels, 1)), few, list(range(folds)), epochs=1):
            assert np.isfinite(outcome.scores).all()


def test_few_shots_are_trained_for_as_many_steps_as_all_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = make_labels(clips=400)
    embeddings = make_embeddings(labels, windows=1, spread=0.2)
    taken = []
    grad = torch.autograd.grad

    def counted(*of: Any) -> Any:
        taken.append(1)
        return grad(*of)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    accuracy = {}
    for shots in (None, 60, 7, 2):
        taken.clear()
        few = Split(labels, shots)
        outcome = evaluate("freeze", subject(embeddings), few, [1], epochs=2, batch_size=10, learning_rate=0.03)[0]
        assert len(taken) == 2 * 30
        accuracy[shots] = (outcome.predicted[-1] == labels.label_N[outcome.clips].numpy()).mean()
    assert min(accuracy.values()) > 0.9, accuracy


def test_every_step_of_few_shots_has_clips_to_learn_from() -> None:
    labels = make_labels(clips=400)
    on = subject(make_embeddings(labels, windows=1))
    still = Freeze(Freeze.Config(epochs=1, batch_size=10, learning_rate=1e-9))
    loss = {}
    told: list[str] = []
    for shots in (None, 60, 7, 2):
        still.evaluate(on, Split(labels, shots), [1], 0, lambda status, *others: told.append(status))
        loss[shots] = float(told[-1].rpartition(" ")[2])
    assert loss == pytest.approx(dict.fromkeys(loss, loss[None]), rel=0.3)  # a step without any would add none
