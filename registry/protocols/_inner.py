"""Validation inside the training folds."""

import torch
from torch import Tensor

from registry.errors import Mistake
from registry.protocols import Split

_GROUPS = 5


def inner_folds(split: Split, train: Tensor) -> list[Tensor]:
    """Splits the training clips into inner folds, which are held out in turn to choose a setting.

    Each official fold is an inner fold. If the training clips are from one official fold, an inner fold is a group of
    sources. Single clips are never drawn at random, because clips of one recording would then train and be tested.

    Args:
        split: of the task.
        train: positions of the training clips.

    Returns:
        The positions of each inner fold; none where few shots train and all of them come from one source.

    Raises:
        Mistake: if all training clips come from one source, and not because few shots train.
    """
    labels = split.labels
    folds = labels.fold_N[train].unique()
    if len(folds) > 1:
        return [train[labels.fold_N[train] == fold] for fold in folds]
    sources = labels.source_N[train].unique()
    if len(sources) < 2:
        if split.shots is not None:
            return []
        raise Mistake("one source alone makes up the training fold, so nothing can be held out", fix="name one k")
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    if not labels.target.by_class:
        return [
            train[torch.from_numpy(held_out)]
            for _, held_out in GroupKFold(min(_GROUPS, len(sources))).split(train, groups=labels.source_N[train])
        ]
    largest = int(
        torch.bincount(labels.label_N[train]).max()
    )  # scikit-learn refuses more folds than the largest class has clips
    splitter = StratifiedGroupKFold(max(min(_GROUPS, len(sources), largest), 2))
    inner = splitter.split(train, labels.label_N[train], labels.source_N[train])
    return [train[torch.from_numpy(held_out)] for _, held_out in inner]
