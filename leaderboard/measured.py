"""What the records of a leaderboard's cell hold: figures by fold, and the predictions behind them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.plan import Plan, Row
from benchmark.rules import Rule
from benchmark.store import Store
from leaderboard.convergence import Curve
from leaderboard.selection import selected_epochs
from registry.lookup import recall


@dataclass
class Measured:
    """What the records of one cell hold, over its folds and seeds."""

    metric: str = "accuracy"
    scores: dict[int, float] = field(default_factory=dict)  # by fold; the mean over seeds and draws
    correct: dict[int, NDArray[np.float64]] = field(default_factory=dict)  # a fold's clips, where they have one label
    auc: float | None = None
    d_prime: float | None = None
    clips: int = 0
    seeds: int = 0
    draws: int = 0  # of the training clips, where it learned from a few of each class
    selection: str = ""
    by_epoch: dict[int, list[float]] = field(default_factory=dict)  # accuracy of each fold after each epoch
    curve: Curve | None = None
    k: list[int] = field(default_factory=list)
    seen: int = 0
    labels_seen: bool = False
    steps_per_second: float | None = None
    skipped: int = 0
    missing: int = 0
    embedding: list[dict[str, Any]] = field(default_factory=list)  # what its records say of the embeddings
    epochs: dict[int, int] | None = None  # whose predictions count, by fold; None for those that a protocol ends with
    keys: list[str] = field(default_factory=list)  # of the records
    classes: list[str] = field(default_factory=list)

    @staticmethod
    def read(rows: Sequence[Row], plan: Plan, store: Store, rule: Rule) -> "Measured":
        done = [row for row in rows if store.done(plan.jobs[row.key])]
        repeats = {(row.seed, row.draw) for row in done}
        measured = Measured(seeds=len({row.seed for row in done}), draws=len({row.draw for row in done}))
        if not done:
            return measured
        results = {row.key: store.result("evaluate", row.key) for row in done}
        folds = [{int(fold): facts for fold, facts in results[row.key]["folds"].items()} for row in done]
        measured.keys = [row.key for row in done]
        measured.classes = list(results[done[0].key]["classes"]) or _known_classes(plan, done[0])
        measured.metric = next(iter(results.values()))["metric"]
        if measured.metric != "accuracy":
            measured.selection = "last"
            measured._take_rankings(folds, len(repeats))
        elif measured._select(folds, len(repeats), rule, plan.facts["tasks"][rows[0].task][0]):
            measured.correct = _by_fold([_correct(store, row.key, measured.epochs) for row in done], len(repeats))
            measured.scores = {fold: float(right_N.mean()) for fold, right_N in measured.correct.items()}
            measured.clips = sum(map(len, measured.correct.values()))
        measured.k = sorted({facts["k"] for of_row in folds for facts in of_row.values() if "k" in facts})
        measured.seen = max(result["clips_seen_in_pretraining"] for result in results.values())
        measured.labels_seen = any(result["labels_seen_in_pretraining"] for result in results.values())
        rates = [result["steps_per_second"] for result in results.values() if "steps_per_second" in result]
        measured.steps_per_second = float(np.mean(rates)) if rates else None
        measured.skipped = max(result["skipped"] for result in results.values())
        measured.missing = max(result["missing"] for result in results.values())
        measured.embedding = [result["embedding"] for result in results.values() if result["embedding"]]
        return measured

    def _select(self, folds: Sequence[dict[int, dict[str, Any]]], repeats: int, rule: Rule, first: int) -> bool:
        """Takes the curve and the epochs that count; False where the rule cannot choose."""
        facts = next(facts for of_row in folds for facts in of_row.values())
        if not facts["epochs"]:
            self.selection = "inner" if "k" in facts else "last"
            return True
        self.selection = rule
        accuracy = _by_fold([{f: own["accuracy_by_epoch"] for f, own in of_row.items()} for of_row in folds], repeats)
        self.by_epoch = {fold: own.tolist() for fold, own in accuracy.items()}
        self.curve = Curve.over_folds(facts["epochs"], accuracy) if accuracy else None
        if rule != "last":
            self.epochs = selected_epochs(accuracy, facts["epochs"], rule, first)
        return rule == "last" or self.epochs is not None

    def _take_rankings(self, folds: Sequence[dict[int, dict[str, Any]]], repeats: int) -> None:
        found = {
            name: _by_fold([{fold: facts[name] for fold, facts in of_row.items()} for of_row in folds], repeats)
            for name in ("mAP", "auc", "d_prime", "clips")
        }
        self.scores = {fold: float(figure) for fold, figure in found["mAP"].items()}
        self.auc, self.d_prime = (float(np.mean(list(found[name].values()))) for name in ("auc", "d_prime"))
        self.clips = int(sum(found["clips"].values()))

    def mean_under(self, rule: Rule, first: int) -> float | None:
        """The accuracy over folds under a rule of selection; None without epochs, or where the rule cannot choose."""
        if not self.curve:
            return None
        at = {epoch: i for i, epoch in enumerate(self.curve.epochs)}
        chosen = selected_epochs(self.by_epoch, self.curve.epochs, rule, first)
        return float(np.mean([self.by_epoch[fold][at[epoch]] for fold, epoch in chosen.items()])) if chosen else None

    def pairs(self, store: Store) -> dict[int, NDArray[np.int64]]:
        """By fold, ``[n, 2]``: the label and the prediction of every clip, of every seed and draw."""
        found: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
        for key in self.keys:
            for fold, own in predictions(store, key, self.epochs).items():
                found[fold].append(np.stack([own.label_N, own.predicted_N], 1))
        return {fold: np.concatenate(parts) for fold, parts in found.items()}

    def summary(self) -> dict[str, Any]:
        if not self.scores:
            return {"selection": self.selection} if self.by_epoch else {}  # folds are there, and the rule cannot choose
        figures = list(self.scores.values())
        return {
            "metric": self.metric,
            "mean": float(np.mean(figures)),
            "deviation": float(np.std(figures, ddof=1)) if len(figures) > 1 else None,
            "auc": self.auc,
            "d_prime": self.d_prime,
            "folds": len(figures),
            "seeds": self.seeds,
            "draws": self.draws,
            "selection": self.selection,
            "k": self.k,
            "seen": self.seen,
            "labels_seen": self.labels_seen,
            "steps_per_second": self.steps_per_second,
            "clips": self.clips,
            "skipped": self.skipped,
            "missing": self.missing,
            **self._embedding(),
        }

    def _embedding(self) -> dict[str, Any]:
        if not self.embedding:
            return {}
        return {
            "parameters": self.embedding[0]["parameters"],
            "clips_per_second": float(np.mean([facts["clips_per_second"] for facts in self.embedding])),
            "device": ", ".join(dict.fromkeys(facts["device"] for facts in self.embedding)),
        }


def _known_classes(plan: Plan, row: Row) -> list[str]:
    """The classes that the registry knows of a task without its data; older records do not name them."""
    component, settings = recall("tasks", plan.jobs[plan.jobs[row.key].needs["pack"]].config["task"])
    return list(component(settings).classes)


def _by_fold(figures: Sequence[dict[int, Any]], repeats: int) -> dict[int, Any]:
    """The mean of each fold's figures over repeats. A fold counts when each has it, or means would not compare."""
    gathered: dict[int, list[Any]] = defaultdict(list)
    for of_fold in figures:
        for fold, value in of_fold.items():
            gathered[fold].append(value)
    return {fold: np.mean(values, 0) for fold, values in sorted(gathered.items()) if len(values) == repeats}


@dataclass(frozen=True)
class Predictions:
    """What was predicted for the clips of a fold.

    Args:
        clip_N: ids, in order.
        label_N: class indices.
        predicted_N: class indices.
    """

    clip_N: NDArray[np.str_]
    label_N: NDArray[np.int64]
    predicted_N: NDArray[np.int64]


def predictions(store: Store, key: str, epochs: Mapping[int, int] | None) -> dict[int, Predictions]:
    """For each fold of a record, what was predicted for its clips after its epoch; at the end where none is given."""
    folder = store.find("evaluate", key)
    fold_N, clip_N, label_N, last_N = _columns(folder / "predictions.parquet", "fold", "clip", "label", "predicted")
    if epochs is None:
        of_M, clip_M, predicted_M = fold_N, clip_N, last_N
    else:
        fold_M, epoch_M, *rest = _columns(folder / "epochs.parquet", "fold", "epoch", "clip", "predicted")
        chosen_M = np.zeros(len(fold_M), bool)
        for fold, epoch in epochs.items():
            chosen_M |= (fold_M == fold) & (epoch_M == epoch)
        of_M, clip_M, predicted_M = (column[chosen_M] for column in (fold_M, *rest))
    found = {}
    for fold in np.unique(of_M):
        with_label, with_guess = fold_N == fold, of_M == fold
        order, places = np.argsort(clip_N[with_label]), np.argsort(clip_M[with_guess])
        found[int(fold)] = Predictions(
            clip_N[with_label][order], label_N[with_label][order], predicted_M[with_guess][places]
        )
    return found


def _correct(store: Store, key: str, epochs: Mapping[int, int] | None) -> dict[int, NDArray[np.float64]]:
    """For each fold of a record, whether each of its clips was right, in the order of clip ids."""
    return {
        fold: (own.label_N == own.predicted_N).astype(np.float64)
        for fold, own in predictions(store, key, epochs).items()
    }


def _columns(path: Path, *names: str) -> list[NDArray[Any]]:
    from pyarrow.parquet import ParquetFile  # its read_table would load pandas, which takes a second

    table = ParquetFile(path).read(columns=list(names))
    return [np.array(table.column(name).to_pylist()) for name in names]  # its to_numpy would load pandas too
