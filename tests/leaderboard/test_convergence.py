"""Curves by epoch."""

import pytest
from sklearn.metrics import auc

from leaderboard.convergence import Curve, convergence
from registry.targets.number import ERROR
from registry.targets.one_label import ACCURACY

FOLDS = {1: [0.2, 0.4, 0.5, 0.5], 2: [0.4, 0.6, 0.7, 0.5]}


def test_a_curve_has_mean_and_deviation_over_folds() -> None:
    curve = Curve.over_folds([1, 2, 3, 4], FOLDS)
    assert curve.mean == pytest.approx([0.3, 0.5, 0.6, 0.5])
    assert curve.deviation == pytest.approx([0.2 / 2**0.5] * 3 + [0])
    assert Curve.over_folds([1], {1: [0.5]}).deviation is None


def test_the_area_is_that_of_steps_one_epoch_wide() -> None:
    curve = Curve.over_folds([1, 2, 3, 4], FOLDS)
    steps = auc([0, 1, 1, 2, 2, 3, 3, 4], [0.3, 0.3, 0.5, 0.5, 0.6, 0.6, 0.5, 0.5])
    assert curve.area == pytest.approx(steps / 4)


def test_the_mark_is_nine_tenths_of_the_best_from_scratch() -> None:
    scratch = Curve([5, 10, 15], [0.1, 0.5, 0.4], None)
    found = convergence(Curve([5, 10, 15], [0.3, 0.45, 0.6], None), "scratch", scratch, ACCURACY)
    assert found.mark == pytest.approx(0.45)
    assert found.epochs_to_mark == 10
    assert convergence(Curve([5, 10], [0.3, 0.4], None), "scratch", scratch, ACCURACY).epochs_to_mark is None
    assert convergence(scratch, "", None, ACCURACY).mark is None


def test_the_mark_of_errors_is_the_best_from_scratch_divided_by_nine_tenths() -> None:
    scratch = Curve([5, 10, 15], [9.0, 4.5, 5.0], None)
    found = convergence(Curve([5, 10, 15], [8.0, 5.0, 4.0], None), "scratch", scratch, ERROR)
    assert found.mark == pytest.approx(5.0)
    assert found.epochs_to_mark == 10
