"""Validation inside the training folds."""

import torch
from torch import Tensor

from registry.errors import Mistake
from registry.protocols import Split

_GROUPS = 5


def inner_folds(split: Split, train: Tensor) -> list[Tensor]:
    """Parts of the training clips to hold out in turn: official folds, or groups of sources where one fold is left.

    Never random clips: clips cut from one recording would leak.

    Args:
        split: of the task.
        train: positions of the training clips.

    Returns:
        Positions, one tensor a part; of few shots none where they come from one source alone.

    Raises:
        Mistake: if the whole training folds come from one source alone.
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
    )  # scikit-learn refuses more parts than any class has clips
    splitter = StratifiedGroupKFold(max(min(_GROUPS, len(sources), largest), 2))
    parts = splitter.split(train, labels.label_N[train], labels.source_N[train])
    return [train[torch.from_numpy(held_out)] for _, held_out in parts]
