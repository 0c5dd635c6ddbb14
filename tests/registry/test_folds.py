"""Folds drawn by a seed are those that scikit-learn draws."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

from registry.tasks._folds import even, stratified, stratified_in_groups


def drawn(splitter: KFold, *data: list[str]) -> NDArray[np.int64]:
    fold_N = np.full(len(data[0]), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of labels with fewer clips than folds
        for fold, (_, held_out) in enumerate(splitter.split(data[0], *data[1:])):
            fold_N[held_out] = fold
    return fold_N


@pytest.mark.parametrize("seed", range(12))
def test_folds_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, folds, classes = int(rng.integers(30, 300)), int(rng.integers(2, 8)), int(rng.integers(1, 9))
    shares = rng.dirichlet(np.ones(classes))
    labels = [f"label {i}" for i in rng.choice(classes, count, p=shares)]
    groups = [f"recording {i}" for i in rng.integers(0, int(rng.integers(folds, count)) + folds, count)]
    splitters = (
        kind(folds, shuffle=True, random_state=seed) for kind in (KFold, StratifiedKFold, StratifiedGroupKFold)
    )
    of_all, of_labels, of_groups = splitters
    assert np.array_equal(even(count, folds, seed), drawn(of_all, labels))
    assert np.array_equal(stratified(labels, folds, seed), drawn(of_labels, labels, labels))
    assert np.array_equal(stratified_in_groups(labels, groups, folds, seed), drawn(of_groups, labels, labels, groups))
