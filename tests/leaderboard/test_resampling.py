"""Draws of recordings and seeds, and what follows from them, against scipy and closed forms."""

import numpy as np
import pytest
from scipy import stats

from leaderboard.answers import FoldAnswers
from leaderboard.resampling import DRAWS, FEWEST, Estimate, draws_of, estimates
from registry.targets.several_labels import SeveralLabels
from tests.leaderboard._answers import answers

Folds = dict[int, FoldAnswers]


def estimate(folds: Folds) -> Estimate:
    return estimates({"a": folds})["a"]["accuracy"]


def difference(a: Folds, b: Folds) -> Estimate:
    found = estimates({"a": a, "b": b})
    return found["a"]["accuracy"].minus(found["b"]["accuracy"])


def right(rng: np.random.Generator, share: float, clips: int = 400) -> np.ndarray:
    return rng.random(clips) < share


def test_a_figure_is_the_mean_over_folds_whatever_their_sizes() -> None:
    assert estimate({1: answers([1, 1, 0]), 2: answers([1, 0])}).value == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_the_interval_is_scipys_where_every_clip_is_a_recording() -> None:
    own = right(np.random.default_rng(0), 0.7)
    found = estimate({1: answers(own)}).interval
    theirs = stats.bootstrap((own,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1))
    low, high = theirs.confidence_interval
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.006)


def test_a_recording_cut_into_clips_says_no_more_than_one_clip() -> None:
    own = right(np.random.default_rng(1), 0.7, 100)
    whole, cut = estimate({1: answers(own)}), answers(np.repeat(own, 7), np.repeat(np.arange(100), 7))
    assert estimate({1: cut}).deviation == pytest.approx(whole.deviation)
    assert estimate({1: answers(np.repeat(own, 7))}).deviation < 0.5 * whole.deviation  # by clip


def test_the_deviation_is_the_jackknifes_where_one_recording_holds_much() -> None:
    recording = np.concatenate([np.zeros(20, int), np.arange(1, 41)])
    own = right(np.random.default_rng(2), 0.5, 60) | (recording == 0)
    found = estimate({1: answers(own, recording)})
    without = np.array([own[recording != r].mean() for r in range(41)])
    assert found.between_recordings.variance == pytest.approx(40 / 41 * ((without - without.mean()) ** 2).sum())
    assert found.between_recordings.variance > np.var(found.recordings_D)


def test_p_is_that_of_a_t_test_where_clips_are_many() -> None:
    rng = np.random.default_rng(5)
    ease = rng.random(400)
    for gain in (0.015, 0.12):
        a, b = ease < 0.7 + gain + rng.normal(0, 0.05, 400), ease < 0.7 + rng.normal(0, 0.05, 400)
        found, expected = (
            difference({1: answers(a)}, {1: answers(b)}).p,
            stats.ttest_rel(a.astype(float), b.astype(float)).pvalue,
        )
        assert np.log10(found) == pytest.approx(np.log10(expected), rel=0.1)
        assert found == pytest.approx(difference({1: answers(b)}, {1: answers(a)}).p)


def test_p_never_says_more_than_so_many_recordings_can() -> None:
    assert difference({1: answers([1] * 5)}, {1: answers([0] * 5)}).p == 2**-4
    assert difference({1: answers([1] * 5)}, {1: answers([1] * 5)}).p == 1


def test_entries_do_not_change_each_others_draws() -> None:
    rng = np.random.default_rng(3)
    a, b = {1: answers(right(rng, 0.6))}, {1: answers(right(rng, 0.7))}
    together = estimates({"a": a, "b": b})
    assert (together["a"]["accuracy"].recordings_D == estimate(a).recordings_D).all()
    assert (difference(a, a).recordings_D == 0).all()


def test_draws_in_many_blocks_have_the_same_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    folds = {1: answers(right(np.random.default_rng(4), 0.6))}
    whole = estimate(folds).recordings_D
    monkeypatch.setattr("leaderboard.resampling.BLOCK", 400 * 3_001)
    pieces = estimate(folds).recordings_D
    assert len(pieces) == DRAWS
    assert pieces.std() == pytest.approx(whole.std(), rel=0.05)


def test_seeds_that_differ_widen_the_interval_and_equal_ones_do_not() -> None:
    own = right(np.random.default_rng(6), 0.6)
    one, same = estimate({1: answers(own)}), estimate({1: answers([own] * 3)})
    assert same.deviation == pytest.approx(one.deviation)
    shares = [0.5, 0.6, 0.7]
    apart = estimate({1: answers([right(np.random.default_rng(7 + i), share) for i, share in enumerate(shares)])})
    assert apart.between_seeds.deviation == pytest.approx(np.std(shares, ddof=1) / 3**0.5, rel=0.2)
    # Three seeds know their scatter with two degrees of freedom: nearly all of it is theirs, and 95 % reach 4.3 of it.
    assert 1.8 * 4.3 < (apart.interval.high - apart.interval.low) / apart.between_seeds.deviation < 2.2 * 4.3


def test_draws_of_training_clips_are_averaged_within_their_seed() -> None:
    rng = np.random.default_rng(8)
    repeats = [right(rng, 0.6) for _ in range(6)]
    found = estimate({1: answers(repeats, seeds=[0, 0, 0, 1, 1, 1])})
    assert found.seeds[0].freedom == 1
    assert found.value == pytest.approx(np.mean(repeats))


def test_the_smallest_difference_is_told_in_four_of_five_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.resampling.DRAWS", 500)
    rng = np.random.default_rng(9)
    trials = []
    for _ in range(50):
        ease = rng.random(400)
        b = ease < 0.7
        a = np.where(rng.random(400) < 0.1, ~b, b)
        trials.append(difference({1: answers(a)}, {1: answers(b)}))
    spread = np.median([trial.smallest(1) for trial in trials])
    told = [trial.p < 0.05 for trial in (_gained(rng, spread) for _ in range(300))]
    assert np.mean(told) == pytest.approx(0.8, abs=0.07)
    assert trials[0].smallest(406) > 1.4 * trials[0].smallest(1)


def _gained(rng: np.random.Generator, gain: float) -> Estimate:
    """Two entries that differ on a tenth of the clips, the first better by so much."""
    differs, up = rng.random(400) < 0.1, rng.random(400) < 0.5 + gain / 0.2
    b = rng.random(400) < 0.7
    a = np.where(differs, up, b)
    return difference({1: answers(a)}, {1: answers(np.where(differs, ~up, b))})


def test_ranking_many_clips_takes_fewer_draws() -> None:
    rng = np.random.default_rng(10)
    clips, classes = 2_000, 200
    label_NC = rng.random((clips, classes)) < 0.02
    score = (label_NC + rng.normal(size=(1, clips, classes))).astype(np.float32)
    names = np.array([f"{i:05}" for i in range(clips)])
    own = {
        1: FoldAnswers(
            label_NC, np.zeros((1, clips), int), score, np.arange(clips), SeveralLabels(), names, np.array([0])
        )
    }
    assert draws_of(own) == 5_000
    assert draws_of({1: own[1].among(np.arange(clips) < 100)}) == DRAWS
    assert draws_of(dict.fromkeys(range(10), own[1])) == FEWEST
    found = estimates({"a": own})["a"]["mAP"]
    assert found.interval.low < found.value < found.interval.high
