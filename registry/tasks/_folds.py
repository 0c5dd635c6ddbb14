"""Folds drawn by a seed: those that scikit-learn's splitters draw, whose import takes longer than most commands.

They are part of what names a task's clips, so a later release that draws others must not change them either.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def even(count: int, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each of N items, from 0 on, as ``KFold`` draws it: folds are of equal size, or one larger."""
    order_N = np.arange(count)
    np.random.RandomState(seed).shuffle(order_N)
    fold_N = np.empty(count, np.int64)
    fold_N[order_N] = np.sort(np.arange(count) % folds)
    return fold_N


def stratified(labels: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each of N clips, from 0 on, as ``StratifiedKFold`` draws it: each has its share of every label."""
    rng = np.random.RandomState(seed)
    label_N = _by_appearance(labels)
    of_label_FK = [np.bincount(np.sort(label_N)[fold::folds], minlength=label_N.max() + 1) for fold in range(folds)]
    fold_N = np.empty(len(labels), np.int64)
    for label, of_label_F in enumerate(np.transpose(of_label_FK)):
        drawn = np.arange(folds).repeat(of_label_F)
        rng.shuffle(drawn)
        fold_N[label_N == label] = drawn
    return fold_N


def stratified_in_groups(labels: Sequence[str], groups: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each of N clips, from 0 on, as ``StratifiedGroupKFold`` draws it: no group is in two folds.

    Groups come one by one, those of the least even labels first (of equal ones, as the seed shuffles them). Each goes
    where the shares of labels then differ least between folds; of equal folds to the one with the fewest clips.
    """
    label_N, group_N = (np.unique(names, return_inverse=True)[1] for names in (labels, groups))
    of_group_GK = np.zeros((group_N.max() + 1, label_N.max() + 1))
    np.add.at(of_group_GK, (group_N, label_N), 1)
    shuffled_G = np.arange(len(of_group_GK))
    np.random.RandomState(seed).shuffle(shuffled_G)
    in_order_G = shuffled_G[np.argsort(-np.std(of_group_GK[shuffled_G], axis=1), kind="stable")]
    of_fold_FK, total_K = np.zeros((folds, of_group_GK.shape[1])), np.bincount(label_N)
    fold_G = np.empty(len(of_group_GK), np.int64)
    for group in in_order_G:
        fold_G[group] = _best(of_fold_FK, of_group_GK[group], total_K)
        of_fold_FK[fold_G[group]] += of_group_GK[group]
    return fold_G[group_N]


def _best(of_fold_FK: NDArray[np.float64], of_group_K: NDArray[np.float64], total_K: NDArray[np.int64]) -> int:
    best, least, fewest = 0, np.inf, np.inf
    for fold, of_fold_K in enumerate(of_fold_FK):
        with_group_FK = of_fold_FK.copy()
        with_group_FK[fold] += of_group_K
        unevenness, clips = float(np.mean(np.std(with_group_FK / total_K, axis=0))), float(of_fold_K.sum())
        if unevenness < least or (np.isclose(unevenness, least) and clips < fewest):
            best, least, fewest = fold, unevenness, clips
    return best


def _by_appearance(labels: Sequence[str]) -> NDArray[np.int64]:
    """Labels as numbers: 0 is the first that appears."""
    _, first_K, label_N = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first_K))[label_N]
