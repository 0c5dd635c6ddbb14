"""Which epoch counts. One run serves every rule, because a record holds the predictions after every epoch."""

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np

from benchmark.suite.rules import Rule
from registry.metrics import Metric

RULES: tuple[Rule, ...] = get_args(Rule)
MEANING: dict[str, str] = {
    "last": "figures after the last epoch.",
    "best-mean": "the epoch with the best mean over the test folds, which is optimistic: they choose and are measured"
    " (the rule of Lin 2022, it seems).",
    "inner": "for each fold, the epoch that is best on the other folds, each by the model that was tested on it: clips"
    " of the training folds choose.",
    "split1": "the epoch that is best on the first fold, for all folds (the rule of Wang 2021 for ESC-50); the first"
    " fold itself is optimistic.",
}


def selected_epochs(
    figures: Mapping[int, Sequence[float]], epochs: Sequence[int], rule: Rule, first: int, metric: Metric
) -> dict[int, int] | None:
    """The epoch whose predictions count, for every fold; the earliest where several are equal.

    ``inner`` chooses a fold's epoch without predictions on that fold's clips. The models that choose were trained on
    these clips, as under every rule.

    Args:
        figures: for each fold that is measured, the figure after each epoch.
        epochs: the epochs that were evaluated, the same for every fold.
        rule: one of ``RULES``.
        first: the fold that chooses under ``split1``.
        metric: of the figures.

    Returns:
        By fold; None where the rule cannot choose: without a fold, ``inner`` with one fold, ``split1`` without the
        first fold.
    """
    if not figures or (rule == "inner" and len(figures) < 2) or (rule == "split1" and first not in figures):
        return None
    if rule == "last":
        return dict.fromkeys(figures, epochs[-1])
    curve_FE = np.array(list(figures.values()))
    chooser_FE = {
        "best-mean": np.broadcast_to(curve_FE.mean(0), curve_FE.shape),
        "inner": curve_FE.sum(0) - curve_FE,
        "split1": np.broadcast_to(figures.get(first, curve_FE[0]), curve_FE.shape),
    }[rule]
    best_F = metric.merit(chooser_FE).argmax(1)
    return {fold: epochs[int(at)] for fold, at in zip(figures, best_F, strict=True)}
