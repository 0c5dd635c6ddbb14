"""Metrics under counts of recordings, against scikit-learn's sample weights."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

from registry.metrics import Answers
from registry.targets.one_label import OneLabel
from registry.targets.several_labels import SeveralLabels

CLASSES, CLIPS, RECORDINGS = 5, 60, 12


@pytest.fixture
def single() -> Answers:
    """Two repeats; class 4 is guessed and never right, for no clip has it."""
    rng = np.random.default_rng(0)
    label_N = rng.integers(CLASSES - 1, size=CLIPS)
    guess_PN = np.where(rng.random((2, CLIPS)) < 0.6, label_N, rng.integers(CLASSES, size=(2, CLIPS)))
    recording_N = np.concatenate([np.arange(RECORDINGS), rng.integers(RECORDINGS, size=CLIPS - RECORDINGS)])
    return Answers(label_N, guess_PN, None, recording_N)


@pytest.fixture
def several(single: Answers) -> Answers:
    """The same clips with several labels each; one class that all have, and scores that often tie."""
    rng = np.random.default_rng(1)
    label_NC = rng.random((CLIPS, CLASSES)) < 0.3
    label_NC[:, 0] = True
    score_PNC = np.round(label_NC + rng.normal(size=(2, CLIPS, CLASSES)), 0).astype(np.float32)
    return replace(single, label=label_NC, score_PNC=score_PNC)


def counts() -> np.ndarray:
    """Draws of recordings; the second leaves some out."""
    drawn = np.random.default_rng(2).integers(4, size=(6, RECORDINGS)).astype(np.float32)
    drawn[1, :5] = 0
    return drawn


def test_accuracy_and_macro_f1_are_scikit_learns(single: Answers) -> None:
    found = OneLabel().under(single)(counts())
    for d, count_R in enumerate(counts()):
        weight_N = count_R[single.recording_N]
        there = np.unique(single.label[weight_N > 0])
        for p, guess_N in enumerate(single.predicted_PN):
            assert found["accuracy"][p, d] == pytest.approx(
                accuracy_score(single.label, guess_N, sample_weight=weight_N)
            )
            f1 = f1_score(single.label, guess_N, sample_weight=weight_N, average="macro", labels=there, zero_division=0)
            assert found["macro F1"][p, d] == pytest.approx(f1, abs=1e-6)


def test_ranking_is_scikit_learns_ties_included(several: Answers) -> None:
    assert several.score_PNC is not None
    found = SeveralLabels().under(several)(counts())
    for d, count_R in enumerate(counts()):
        weight_N = count_R[several.recording_N]
        for p, score_NC in enumerate(several.score_PNC):
            pairs = [(several.label[:, c], score_NC[:, c]) for c in range(1, CLASSES)]
            precision = np.mean([average_precision_score(*pair, sample_weight=weight_N) for pair in pairs])
            area = np.mean([roc_auc_score(*pair, sample_weight=weight_N) for pair in pairs])
            assert found["mAP"][p, d] == pytest.approx(precision)
            assert found["AUC"][p, d] == pytest.approx(area)


def test_what_is_observed_does_not_depend_on_recordings(single: Answers, several: Answers) -> None:
    for judge, answers in ((OneLabel(), single), (SeveralLabels(), several)):
        plain = judge.figures(answers.label, answers.predicted_PN, answers.score_PNC)
        found = judge.under(answers)(np.ones((1, RECORDINGS), np.float32))
        assert list(plain) == list(found) == [metric.name for metric in judge.metrics]
        for metric, figure_P in plain.items():
            assert found[metric][:, 0] == pytest.approx(figure_P, abs=1e-12)


def test_a_class_that_a_draw_lacks_is_left_out_of_its_mean(several: Answers) -> None:
    only = np.zeros((1, RECORDINGS), np.float32)
    only[0, several.recording_N[0]] = 1
    kept = several.recording_N == several.recording_N[0]
    ranked = [c for c in range(CLASSES) if 0 < several.label[kept, c].sum() < kept.sum()]
    found = SeveralLabels().under(several)(only)["mAP"]
    assert np.isfinite(found).all() == bool(ranked)
    assert np.isnan(SeveralLabels().under(several)(np.zeros((1, RECORDINGS), np.float32))["mAP"]).all()
