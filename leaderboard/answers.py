"""What an entry's records predicted for the clips of a task, and which recordings the clips were cut from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.jobs.agreement import labels_of
from benchmark.ledger.plan import Plan, Row
from benchmark.store.columns import flags, matrix, numbers, read_columns, texts
from benchmark.store.integrity import reading
from benchmark.store.store import Store
from registry.errors import Damaged, Mistake
from registry.metrics import Answers, Judge
from registry.targets import Target

Repeat = tuple[int, int]  # seed, and draw of the training clips


@dataclass(frozen=True)
class Predictions:
    """What one record predicted for the N clips of a fold, in the order of their ids.

    Args:
        clip_N: ids.
        label: the labels, in the form that the target's ``array`` gives.
        predicted_N: the predictions, in the target's form.
        score_NC: the scores; None where nobody asked for them.
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
class FoldAnswers(Answers):
    """What an entry predicted for the N clips of a fold, in each of P repeats of its training.

    Args:
        judge: computes the metrics of the answers.
        clip_N: ids.
        seed_P: the seed of each repeat.
        seen_N: whether the pretraining corpus holds the clip; None where the records do not tell.
    """

    judge: Judge
    clip_N: NDArray[np.str_]
    seed_P: NDArray[np.int64]
    seen_N: NDArray[np.bool_] | None = None

    def observed(self) -> dict[str, float]:
        """Each metric on the recordings as they are, the mean over repeats."""
        figures = self.judge.figures(self.label, self.predicted_PN, self.score_PNC)
        return {metric: float(figure_P.mean()) for metric, figure_P in figures.items()}

    def among(self, kept_N: NDArray[np.bool_]) -> "FoldAnswers":
        """The answers for some of the clips."""
        return replace(
            self,
            clip_N=self.clip_N[kept_N],
            label=self.label[kept_N],
            predicted_PN=self.predicted_PN[:, kept_N],
            score_PNC=None if self.score_PNC is None else self.score_PNC[:, kept_N],
            recording_N=_numbered(self.recording_N[kept_N]),
            seen_N=None if self.seen_N is None else self.seen_N[kept_N],
        )


def gather(records: Mapping[Repeat, Mapping[int, Predictions]], judge: Judge) -> dict[int, FoldAnswers]:
    """The answers of all repeats, by fold. A fold counts when every repeat has it, or means would not compare."""
    gathered: dict[int, list[tuple[Repeat, Predictions]]] = defaultdict(list)
    for repeat, of_folds in records.items():
        for fold, of_fold in of_folds.items():
            gathered[fold].append((repeat, of_fold))
    return {fold: _stack(repeats, judge) for fold, repeats in sorted(gathered.items()) if len(repeats) == len(records)}


def _stack(repeats: Sequence[tuple[Repeat, Predictions]], judge: Judge) -> FoldAnswers:
    first = repeats[0][1]
    for _, other in repeats[1:]:
        if not (np.array_equal(first.clip_N, other.clip_N) and np.array_equal(first.label, other.label)):
            what = "the seeds and draws of one cell were tested on different clips, or clips with different labels"
            raise Mistake(what, fix="run the suite again in another folder: --runs DIR")
    scores = [predicted.score_NC for _, predicted in repeats if predicted.score_NC is not None]
    return FoldAnswers(
        judge=judge,
        clip_N=first.clip_N,
        label=first.label,
        predicted_PN=np.stack([predicted.predicted_N for _, predicted in repeats]),
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
    """What a record predicted for the clips of each fold.

    Args:
        store: holds the record.
        key: of the record.
        epochs: by fold, the epoch after which the clips were predicted; None for the predictions at the end.
        target: of the task.
        classes: how many the task has.
        scores: whether to read the scores, too.

    Raises:
        Damaged: if the files are not predictions of this task.
    """
    folder = store.find("evaluate", key)
    with reading("evaluate", folder, "predictions.parquet"):
        return _by_fold(folder, epochs, target, classes, scores=scores)


def _by_fold(
    folder: Path, epochs: Mapping[int, int] | None, target: Target, classes: int, *, scores: bool
) -> dict[int, Predictions]:
    wanted = ["fold", "clip", "label", "predicted", "source", "seen", *(["scores"] if scores else [])]
    path = folder / "predictions.parquet"
    table = read_columns(path, wanted)
    score_NC = matrix(table, "scores") if scores else None
    labels = labels_of(table, target, classes, path)
    sources = texts(table, "source") if "source" in table.column_names else None
    seen = flags(table, "seen") if "seen" in table.column_names else None
    fold_N, clip_N = numbers(table, "fold"), texts(table, "clip")
    at_end = fold_N, clip_N, numbers(table, "predicted")
    fold_M, clip_M, predicted_M = at_end if epochs is None else _after(folder / "epochs.parquet", epochs)
    by_fold = {}
    for fold in np.unique(fold_M):
        at_N, at_M = np.flatnonzero(fold_N == fold), np.flatnonzero(fold_M == fold)
        at_N, at_M = at_N[np.argsort(clip_N[at_N])], at_M[np.argsort(clip_M[at_M])]
        by_fold[int(fold)] = Predictions(
            clip_N=clip_N[at_N],
            label=labels[at_N],
            predicted_N=predicted_M[at_M],
            score_NC=None if score_NC is None else score_NC[at_N],
            source_N=None if sources is None else sources[at_N],
            seen_N=None if seen is None else seen[at_N],
        )
    return by_fold


def _after(path: Path, epochs: Mapping[int, int]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Fold, clip and prediction of every clip after the epoch of its fold."""
    table = read_columns(path, ["fold", "epoch", "clip", "predicted"])
    fold_M, epoch_M = numbers(table, "fold"), numbers(table, "epoch")
    chosen_M = np.zeros(len(fold_M), bool)
    for fold, epoch in epochs.items():
        chosen_M |= (fold_M == fold) & (epoch_M == epoch)
    return fold_M[chosen_M], texts(table, "clip")[chosen_M], numbers(table, "predicted")[chosen_M]


def with_recordings(by_fold: Mapping[int, Predictions], plan: Plan, store: Store, row: Row) -> dict[int, Predictions]:
    """Predictions by fold, with the recordings that an older record does not name: the pack or the clips' names do.

    Where neither names the recordings of a fold's clips, the fold's predictions stay as they are.
    """
    if all(of_fold.source_N is not None for of_fold in by_fold.values()):
        return dict(by_fold)
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
    for fold, of_fold in by_fold.items():
        sources = [packed.get(clip) or source_of(clip) for clip in of_fold.clip_N.tolist()]
        completed[fold] = replace(of_fold, source_N=np.array(sources)) if all(sources) else of_fold
    return completed
