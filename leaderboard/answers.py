"""What the records of an entry answered for the clips of a task, and which recordings these were cut from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.ledger.plan import Plan, Row
from benchmark.store.columns import matrix, numbers, read_columns, texts, values
from benchmark.store.store import Store
from registry import metrics
from registry.errors import Damaged
from registry.metrics import Judge
from registry.targets import Target

Repeat = tuple[int, int]  # seed, and draw of the training clips


@dataclass(frozen=True)
class Predictions:
    """What one record predicted for the N clips of a fold, in the order of their ids.

    Args:
        clip_N: ids.
        label: as the target's ``array`` has it.
        predicted_N: what the target predicted.
        score_NC: where they are wanted, else None.
        source_N: the recording that each clip was cut from; None in older records.
        seen_N: whether the pretraining corpus holds the clip; None in older records.
    """

    clip_N: NDArray[np.str_]
    label: NDArray[Any]
    predicted_N: NDArray[Any]
    score_NC: NDArray[Any] | None = None
    source_N: NDArray[np.str_] | None = None
    seen_N: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Answers(metrics.Answers):
    """What an entry predicted for the N clips of a fold, in each of P repeats of its training.

    Args:
        judge: says what they are worth.
        clip_N: ids.
        seed_P: the seed of each repeat.
        seen_N: whether the pretraining corpus holds the clip; None where the records do not tell.
    """

    judge: Judge
    clip_N: NDArray[np.str_]
    seed_P: NDArray[np.int64]
    seen_N: NDArray[np.bool_] | None = None

    def observed(self) -> dict[str, float]:
        """Each metric as it is, the mean over repeats."""
        found = self.judge.figures(self.label, self.predicted_PN, self.score_PNC)
        return {metric: float(figure_P.mean()) for metric, figure_P in found.items()}

    def among(self, kept_N: NDArray[np.bool_]) -> "Answers":
        """The same of some of the clips."""
        return replace(
            self,
            clip_N=self.clip_N[kept_N],
            label=self.label[kept_N],
            predicted_PN=self.predicted_PN[:, kept_N],
            score_PNC=None if self.score_PNC is None else self.score_PNC[:, kept_N],
            recording_N=_numbered(self.recording_N[kept_N]),
            seen_N=None if self.seen_N is None else self.seen_N[kept_N],
        )


def gather(records: Mapping[Repeat, Mapping[int, Predictions]], judge: Judge) -> dict[int, Answers]:
    """The answers of all repeats, by fold. A fold counts when every repeat has it, or means would not compare."""
    gathered: dict[int, list[tuple[Repeat, Predictions]]] = defaultdict(list)
    for repeat, of_folds in records.items():
        for fold, own in of_folds.items():
            gathered[fold].append((repeat, own))
    return {fold: _stack(own, judge) for fold, own in sorted(gathered.items()) if len(own) == len(records)}


def _stack(repeats: Sequence[tuple[Repeat, Predictions]], judge: Judge) -> Answers:
    first = repeats[0][1]
    scores = [own.score_NC for _, own in repeats if own.score_NC is not None]
    return Answers(
        judge=judge,
        clip_N=first.clip_N,
        label=first.label,
        predicted_PN=np.stack([own.predicted_N for _, own in repeats]),
        score_PNC=np.stack(scores) if scores else None,
        seed_P=np.array([seed for (seed, _), _ in repeats]),
        recording_N=_numbered(first.clip_N if first.source_N is None else first.source_N),
        seen_N=first.seen_N,
    )


def _numbered(names_N: NDArray[Any]) -> NDArray[np.int64]:
    return np.unique(names_N, return_inverse=True)[1].astype(np.int64)


def predictions(
    store: Store, key: str, epochs: Mapping[int, int] | None, target: Target, classes: int, *, scores: bool = False
) -> dict[int, Predictions]:
    """For each fold of a record, what was predicted for its clips after its epoch; at the end where none is given.

    Args:
        store: holds the record.
        key: of the record.
        epochs: by fold.
        target: of the task.
        classes: of the task, how many.
        scores: whether they are wanted.
    """
    folder = store.find("evaluate", key)
    wanted = ["fold", "clip", "label", "predicted", "source", "seen", *(["scores"] if scores else [])]
    table = read_columns(folder / "predictions.parquet", wanted)
    score_NC = matrix(table, "scores") if scores else None
    labels = target.array(values(table, "label"), classes)
    sources = texts(table, "source") if "source" in table.column_names else None
    seen = np.array(table.column("seen").to_pylist(), bool) if "seen" in table.column_names else None
    fold_N, clip_N = numbers(table, "fold"), texts(table, "clip")
    at_end = fold_N, clip_N, numbers(table, "predicted")
    of_M, clip_M, predicted_M = at_end if epochs is None else _after(folder / "epochs.parquet", epochs)
    found = {}
    for fold in np.unique(of_M):
        own_N, own_M = np.flatnonzero(fold_N == fold), np.flatnonzero(of_M == fold)
        own_N, own_M = own_N[np.argsort(clip_N[own_N])], own_M[np.argsort(clip_M[own_M])]
        found[int(fold)] = Predictions(
            clip_N=clip_N[own_N],
            label=labels[own_N],
            predicted_N=predicted_M[own_M],
            score_NC=None if score_NC is None else score_NC[own_N],
            source_N=None if sources is None else sources[own_N],
            seen_N=None if seen is None else seen[own_N],
        )
    return found


def _after(path: Path, epochs: Mapping[int, int]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Fold, clip and prediction of every clip after the epoch of its fold."""
    table = read_columns(path, ["fold", "epoch", "clip", "predicted"])
    fold_M, epoch_M = numbers(table, "fold"), numbers(table, "epoch")
    chosen_M = np.zeros(len(fold_M), bool)
    for fold, epoch in epochs.items():
        chosen_M |= (fold_M == fold) & (epoch_M == epoch)
    return fold_M[chosen_M], texts(table, "clip")[chosen_M], numbers(table, "predicted")[chosen_M]


def with_recordings(found: Mapping[int, Predictions], plan: Plan, store: Store, row: Row) -> dict[int, Predictions]:
    """Predictions with the recordings that an older record does not name: by the clips' names, or by the pack.

    Where neither tells, they stay as they are.
    """
    if all(own.source_N is not None for own in found.values()):
        return dict(found)
    pack = plan.pack_of(row)
    source_of = pack.config.task.component.source_of
    packed: dict[str, str] = {}
    try:
        with store.opened("pack", pack.key, "clips.parquet", large=False) as listing:
            table = read_columns(listing, ["id", "source"])
            packed = dict(zip(texts(table, "id").tolist(), texts(table, "source").tolist(), strict=True))
    except Damaged:  # or not there; the store remembers what is damaged
        pass
    completed = {}
    for fold, own in found.items():
        told = [packed.get(clip) or source_of(clip) for clip in own.clip_N.tolist()]
        completed[fold] = replace(own, source_N=np.array(told)) if all(told) else own
    return completed
