"""What an entry's records predicted for the clips of a task, and which recordings the clips were cut from."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from pyarrow import Table

_LISTING = ("fold", "clip", "label", "source", "seen")  # the columns that list clips

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

    def lists_what(self, other: "Predictions") -> bool:
        """Whether both are of the same clips with the same labels; of one file, or of equal files."""
        if self.clip_N is other.clip_N and self.label is other.label:
            return True
        return np.array_equal(self.clip_N, other.clip_N) and np.array_equal(self.label, other.label)


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

    def chief(self) -> float:
        """The chief metric on the recordings as they are, the mean over repeats."""
        return float(self.judge.chief_figure(self.label, self.predicted_PN, self.score_PNC).mean())

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
        if not first.lists_what(other):
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


@dataclass(frozen=True)
class _Listing:
    """The N clips of a fold as a file lists them.

    Args:
        row_N: their rows, in the order of the clips' ids.
        clips: the clips; nothing is predicted of them.
    """

    row_N: NDArray[np.int64]
    clips: Predictions


Listings = dict[str, dict[int, _Listing]]  # by a digest of the columns that list clips, by fold


def predictions(
    store: Store,
    key: str,
    epochs: Mapping[int, int] | None,
    target: Target,
    classes: int,
    *,
    scores: bool = False,
    known: Listings | None = None,
) -> dict[int, Predictions]:
    """What a record predicted for the clips of each fold.

    Args:
        store: holds the record.
        key: of the record.
        epochs: by fold, the epoch after which the clips were predicted; None for the predictions at the end.
        target: of the task.
        classes: how many the task has.
        scores: whether to read the scores, too.
        known: listings of other records of the target, which share their arrays; a new one is added.

    Raises:
        Damaged: if the files are not predictions of this task.
    """
    folder = store.find("evaluate", key)
    with reading("evaluate", folder, "predictions.parquet"):
        return _by_fold(store, key, epochs, target, classes, {} if known is None else known, scores=scores)


def _by_fold(
    store: Store,
    key: str,
    epochs: Mapping[int, int] | None,
    target: Target,
    classes: int,
    known: Listings,
    *,
    scores: bool,
) -> dict[int, Predictions]:
    folder = store.find("evaluate", key)
    path, wanted = folder / "predictions.parquet", ["predicted", *(["scores"] if scores else [])]
    digest = store.note("evaluate", key)
    if digest in known:
        table = read_columns(path, wanted, known=True)
    else:
        table = read_columns(path, [*wanted, *_LISTING])
        digest = _digest(table, (type(target), classes))
        if digest not in known:
            known[digest] = _listings(table, target, classes, path)
        store.add_note("evaluate", key, digest)
    score_NC = matrix(table, "scores") if scores else None
    predicted_N = numbers(table, "predicted")
    after = None if epochs is None else _after(folder / "epochs.parquet", epochs)
    by_fold = {}
    for fold, listing in known[digest].items():
        predicted = predicted_N[listing.row_N] if after is None else after.get(fold)
        if predicted is not None:
            score = None if score_NC is None else score_NC[listing.row_N]
            of = listing.clips
            by_fold[fold] = Predictions(of.clip_N, of.label, predicted, score, of.source_N, of.seen_N)
    return by_fold


def _digest(table: "Table", of: object) -> str:
    """A digest of the columns that list clips, as they lie in memory."""
    digest = hashlib.blake2b(repr(of).encode(), digest_size=16)
    for name in _LISTING:
        for chunk in table.column(name).chunks if name in table.column_names else ():
            digest.update(f"{name} {len(chunk)} {chunk.type}".encode())
            words = chunk.dictionary.buffers() if hasattr(chunk, "dictionary") else []
            for buffer in filter(None, (*chunk.buffers(), *words)):
                digest.update(buffer)
    return digest.hexdigest()


def _listings(table: "Table", target: Target, classes: int, path: Path) -> dict[int, _Listing]:
    """The clips of every fold of a file."""
    labels = labels_of(table, target, classes, path)
    sources = texts(table, "source") if "source" in table.column_names else None
    seen = flags(table, "seen") if "seen" in table.column_names else None
    fold_N, clip_N = numbers(table, "fold"), texts(table, "clip")
    by_fold = {}
    for fold in np.unique(fold_N).tolist():
        at_N = np.flatnonzero(fold_N == fold)
        at_N = at_N[np.argsort(clip_N[at_N])]
        source_N = None if sources is None else sources[at_N]
        seen_N = None if seen is None else seen[at_N]
        clips = Predictions(clip_N[at_N], labels[at_N], np.empty(0), source_N=source_N, seen_N=seen_N)
        by_fold[fold] = _Listing(at_N, clips)
    return by_fold


def _after(path: Path, epochs: Mapping[int, int]) -> dict[int, NDArray[Any]]:
    """By fold, the prediction of every clip after the fold's epoch, in the order of the clips' ids."""
    table = read_columns(path, ["fold", "epoch", "clip", "predicted"])
    fold_M, epoch_M = numbers(table, "fold"), numbers(table, "epoch")
    clip_M, predicted_M = texts(table, "clip"), numbers(table, "predicted")
    by_fold = {}
    for fold, epoch in epochs.items():
        at_N = np.flatnonzero((fold_M == fold) & (epoch_M == epoch))
        if len(at_N):
            by_fold[fold] = predicted_M[at_N[np.argsort(clip_M[at_N])]]
    return by_fold


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
