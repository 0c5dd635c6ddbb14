"""The target that is a number: its metrics against scikit-learn's, and protocols on it against plain forms."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.neighbors import KNeighborsRegressor

from registry.errors import Mistake
from registry.lookup import METHODS
from registry.metrics import Answers
from registry.protocols import Embeddings, Labels, Split
from registry.protocols._inner import inner_folds
from registry.targets.number import Number
from tests.registry.test_methods import Linear, corpus, views, waves
from tests.registry.test_protocols import evaluate, make_labels, subject, tones

NUMBER = Number()
ERROR, R2 = (metric.name for metric in Number.metrics)


def numbered(clips: int = 160, folds: int = 4, offset: float = 300.0) -> tuple[Labels, Embeddings]:
    """Clips with a number around an offset, which a noisy direction of their two windows' embeddings tells."""
    generator = torch.Generator().manual_seed(3)
    number_N = offset + 20 * torch.randn(clips, generator=generator, dtype=torch.float64)
    labels = Labels(number_N, torch.arange(clips) % folds + 1, torch.arange(clips) // 2, 0, NUMBER)
    direction_D = torch.randn(8, generator=generator)
    window_WD = ((number_N - offset) / 20).float().repeat_interleave(2)[:, None] * direction_D
    window_WD = window_WD + 0.3 * torch.randn(window_WD.shape, generator=generator)
    return labels, Embeddings(window_WD, torch.arange(clips).repeat_interleave(2))


@pytest.mark.parametrize("offset", [0.0, 1.7e9])
def test_figures_under_counts_are_scikit_learns(offset: float) -> None:
    rng = np.random.default_rng(0)
    number_N = offset + rng.normal(size=60)
    answers = Answers(number_N, number_N + rng.normal(size=(2, 60)), None, rng.permutation(np.arange(60) % 12))
    count_DR = rng.integers(4, size=(6, 12)).astype(np.float32)
    found = NUMBER.under(answers)(count_DR)
    for d, count_R in enumerate(count_DR):
        weight_N = count_R[answers.recording_N]
        for p, predicted_N in enumerate(answers.predicted_PN):
            error = mean_absolute_error(number_N, predicted_N, sample_weight=weight_N)
            assert found[ERROR][p, d] == pytest.approx(error)
            assert found[R2][p, d] == pytest.approx(r2_score(number_N, predicted_N, sample_weight=weight_N), abs=1e-6)


def test_r2_of_equal_numbers_is_not_defined_and_their_error_is() -> None:
    found = NUMBER.figures(np.full(5, 0.1), np.arange(5.0)[None])
    assert np.isnan(found[R2]).all()
    assert found[ERROR] == pytest.approx([np.abs(np.arange(5) - 0.1).mean()])
    recording_N = np.array([0, 0, 1])  # a draw of the first recording alone has equal numbers
    drawn = NUMBER.under(Answers(np.array([7.1, 7.1, 9.0]), np.zeros((1, 3)), None, recording_N))
    assert np.isnan(drawn(np.array([[2, 0]], np.float32))[R2]).all()


def test_heads_learn_standardised_numbers_and_scores_are_in_their_units() -> None:
    training = [torch.tensor([1.0, 3.0, 8.0], dtype=torch.float64), torch.tensor([5.0, 5.0], dtype=torch.float64)]
    objective = NUMBER.objective(training)
    label_FB = torch.tensor([[3.0, 8.0], [5.0, 6.0]], dtype=torch.float64)
    output_FB1 = torch.tensor([[[0.5], [1.0]], [[0.0], [2.0]]])
    deviation = np.std([1, 3, 8])
    expected = [[(0.5 - (3 - 4) / deviation) ** 2, (1 - (8 - 4) / deviation) ** 2], [0, (2 - 1) ** 2]]
    assert objective.loss(output_FB1, label_FB).numpy() == pytest.approx(np.array(expected), rel=1e-6)
    assert objective.scores(0, torch.tensor([[2.0]])).item() == pytest.approx(4 + 2 * deviation)
    assert objective.scores(1, torch.tensor([[2.0]])).item() == 7.0  # equal numbers are left unscaled


@pytest.mark.parametrize("weights", ["uniform", "exp"])
@pytest.mark.parametrize("k", [1, 7])
def test_neighbours_give_their_weighted_mean(weights: str, k: int) -> None:
    labels, embeddings = numbered()
    vectors = F.normalize(embeddings.mean(160)).numpy()
    for outcome in evaluate("knn", subject(embeddings), labels, [1, 2], k=[k], weights=weights):
        train = Split(labels).train(outcome.fold).numpy()
        theirs = KNeighborsRegressor(
            k, metric="cosine", weights="uniform" if weights == "uniform" else lambda d: np.exp(-d / 0.07)
        ).fit(vectors[train], labels.label_N.numpy()[train])
        assert outcome.predicted[0] == pytest.approx(theirs.predict(vectors[outcome.clips]), rel=1e-4)


def test_weights_too_small_for_a_number_count_equally() -> None:
    nearest, weight = torch.tensor([[0, 1]]), torch.zeros(1, 2)
    assert NUMBER.vote(torch.tensor([2.0, 4.0], dtype=torch.float64), nearest, weight, 0).tolist() == [[3.0]]


def test_k_is_that_of_the_smallest_error_inside() -> None:
    labels, embeddings = numbered()
    outcome = evaluate("knn", subject(embeddings), labels, [1], k=[1, 5, 40])[0]
    train = Split(labels).train(1)
    part = Labels(labels.label_N[train], labels.fold_N[train], labels.source_N[train], 0, NUMBER)
    kept = Embeddings(embeddings.mean(160)[train], torch.arange(len(train)))
    inside = {}
    for k in (1, 5, 40):
        outcomes = evaluate("knn", subject(kept), part, [2, 3, 4], k=[k])
        inside[k] = np.mean([NUMBER.figure(part.label_N[o.clips].numpy(), o.scores) for o in outcomes])
    assert outcome.chosen["k"] == min(inside, key=lambda k: inside[k])
    assert len(set(inside.values())) == 3


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("freeze", {"epochs": 40, "learning_rate": 0.05}),
        ("freeze", {"epochs": 40, "learning_rate": 0.01, "head": "mlp"}),
        ("knn", {"k": [5, 10]}),
    ],
)
def test_numbers_are_learned_from_the_training_folds_alone(name: str, settings: dict[str, Any]) -> None:
    labels, embeddings = numbered()
    outcomes = evaluate(name, subject(embeddings), labels, [1, 3], **settings)
    for outcome in outcomes:
        tested = labels.label_N[outcome.clips].numpy()
        assert outcome.predicted.shape == (max(len(outcome.epochs), 1), 40)
        assert np.array_equal(outcome.predicted[-1], outcome.scores[:, 0])
        share = NUMBER.figure(tested, outcome.scores) / np.abs(tested - labels.label_N.numpy().mean()).mean()
        assert share < 0.7
    assert outcomes[0].epochs == (list(range(1, 41)) if name == "freeze" else [])
    changed = labels.label_N.clone()
    changed[Split(labels).test(3)] += 100
    again = evaluate(name, subject(embeddings), replace(labels, label_N=changed), [1, 3], **settings)
    assert np.array_equal(again[1].scores, outcomes[1].scores)


def test_the_unit_of_numbers_changes_no_more_than_the_unit_of_predictions() -> None:
    labels, embeddings = numbered()
    small = replace(labels, label_N=(labels.label_N - 300) * 1e-9)
    for name in ("freeze", "knn"):
        plain, nano = (evaluate(name, subject(embeddings), own, [1])[0] for own in (labels, small))
        assert nano.chosen == plain.chosen
        assert nano.scores == pytest.approx((plain.scores - 300) * 1e-9, rel=1e-3, abs=1e-11)


def test_finetune_and_crops_learn_the_pitch_of_tones() -> None:
    classes = make_labels(clips=80, classes=4)
    recordings, model = tones(classes)
    labels = replace(classes, label_N=classes.label_N.double() * 100 + 300, classes=0, target=NUMBER)
    windows, owner = recordings.windows(torch.arange(80), 4000)
    embeddings = Embeddings(model.encoder().embed(model.plain_views(windows)).detach(), owner)
    tuned: dict[str, Any] = {"epochs": 8, "batch_size": 8, "learning_rate": 0.02}
    crops: dict[str, Any] = {"epochs": 60, "learning_rate": 0.05, "augment": True}
    for name, settings in (("finetune", tuned), ("freeze", crops)):
        outcome = evaluate(name, subject(embeddings, model, recordings), labels, [1], **settings)[0]
        assert NUMBER.figure(labels.label_N[outcome.clips].numpy(), outcome.scores) < 40  # of their mean it is 100
        assert len(outcome.epochs) == settings["epochs"]


def test_numbers_have_no_classes_to_draw_or_stratify_by() -> None:
    labels, embeddings = numbered(folds=1)
    with pytest.raises(Mistake, match="class by class, and this task has a number a clip"):
        evaluate("knn", subject(embeddings), Split(labels, shots=1), [1])
    parts = inner_folds(Split(labels), torch.arange(160))
    assert sorted(torch.cat(parts).tolist()) == list(range(160))
    assert sum(len(set(labels.source_N[part].tolist())) for part in parts) == 80


def test_an_encoder_learns_numbers_and_methods_of_classes_refuse_them() -> None:
    known = replace(corpus(8), label_N=100 + 10 * torch.arange(8.0, dtype=torch.float64), classes=0, target=NUMBER)
    trained: Any = METHODS.build("supervised", Linear(), views(), known)
    wave, index = waves(3, 1, 0), torch.tensor([1, 6, 2])
    output_B = trained.head(trained.encoder.embed(trained.views(wave[:, 0])))[:, 0]
    standardised_B = ((known.label_N - known.label_N.mean()) / known.label_N.std(correction=0))[index].float()
    torch.testing.assert_close(trained(wave, index)[0], F.mse_loss(output_B, standardised_B))
    with pytest.raises(Mistake, match="the corpus has a number a clip, and the method learns from one label a clip"):
        METHODS.build({"name": "clar", "labelled": 1.0}, Linear(), views(), known)
    METHODS.build("clar", Linear(), views(), known)  # without labels there is nothing to refuse


def test_figures_are_written_with_three_digits_and_the_lower_error_is_the_better() -> None:
    error, r2 = Number.metrics
    assert error.write(12.345, 0.5) == ["12.3", "0.5"]
    assert error.write(0.00123456) == ["0.00123"]
    assert error.write(12345.6, -3.2, sign="+") == ["+12346", "-3"]
    assert r2.write(-0.25) == ["-0.250"]
    assert error.best([3.0, 1.0, 2.0, 1.0]) == 1
    assert error.best([3e-12, 1e-12]) == 1
    assert r2.best([0.1, 0.3, 0.3 + 1e-12]) == 1
