"""What the records of a leaderboard's cell hold: figures by fold, and the predictions behind them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.plan import Plan, Row
from benchmark.store import Store


@dataclass
class Measured:
    """What the records of one cell hold, over its folds and seeds."""

    metric: str = "accuracy"
    scores: dict[int, float] = field(default_factory=dict)  # by fold; the mean over seeds
    correct: dict[int, NDArray[np.float64]] = field(default_factory=dict)  # a fold's clips, where they have one label
    auc: float | None = None
    d_prime: float | None = None
    clips: int = 0
    seeds: int = 0
    selection: str = ""
    k: list[int] = field(default_factory=list)
    seen: int = 0
    labels_seen: bool = False
    steps_per_second: float | None = None
    skipped: int = 0
    missing: int = 0
    embedding: list[dict[str, Any]] = field(default_factory=list)  # what its records say of the embeddings
    epoch: int | None = None  # whose predictions count; None for those that a protocol ends with
    keys: dict[int, str] = field(default_factory=dict)  # of each fold's record, of the first seed

    @staticmethod
    def read(rows: Sequence[Row], plan: Plan, store: Store, selection: str) -> "Measured":
        done = [row for row in rows if store.done(plan.jobs[row.key])]
        measured = Measured(seeds=len({row.seed for row in done}))
        if not done:
            return measured
        results = {row.key: store.result("evaluate", row.key) for row in done}
        folds = {(row.seed, int(f)): facts for row in done for f, facts in results[row.key]["folds"].items()}
        measured.epoch, measured.selection = selected_epoch(list(folds.values()), selection)
        measured.keys = {int(f): row.key for row in reversed(done) for f in results[row.key]["folds"]}
        measured.metric = next(iter(results.values())).get("metric", "accuracy")
        if measured.metric == "accuracy":
            measured.correct = _by_fold([_correct(store, row.key, measured.epoch) for row in done], measured.seeds)
            measured.scores = {fold: float(right_N.mean()) for fold, right_N in measured.correct.items()}
            measured.clips = sum(map(len, measured.correct.values()))
        else:
            measured._rank(folds)
        measured.k = sorted({facts["k"] for facts in folds.values() if "k" in facts})
        measured.seen = max(result["clips_seen_in_pretraining"] for result in results.values())
        measured.labels_seen = any(result.get("labels_seen_in_pretraining") for result in results.values())
        rates = [result["steps_per_second"] for result in results.values() if "steps_per_second" in result]
        measured.steps_per_second = float(np.mean(rates)) if rates else None
        measured.skipped = max(result["skipped"] for result in results.values())
        measured.missing = max(result.get("missing", 0) for result in results.values())
        measured.embedding = [result["embedding"] for result in results.values() if result.get("embedding")]
        return measured

    def _rank(self, folds: dict[tuple[int, int], dict[str, Any]]) -> None:
        """Takes the ranking figures of every seed's folds."""
        found = {
            name: _by_fold([{fold: facts[name]} for (_, fold), facts in folds.items()], self.seeds)
            for name in ("mAP", "auc", "d_prime", "clips")
        }
        self.scores = {fold: float(figure) for fold, figure in found["mAP"].items()}
        self.auc, self.d_prime = (float(np.mean(list(found[name].values()))) for name in ("auc", "d_prime"))
        self.clips = int(sum(found["clips"].values()))

    def same_clips(self, other: "Measured") -> bool:
        return self.correct.keys() == other.correct.keys()

    def summary(self) -> dict[str, Any]:
        if not self.scores:
            return {}
        figures = list(self.scores.values())
        return {
            "metric": self.metric,
            "mean": float(np.mean(figures)),
            "deviation": float(np.std(figures, ddof=1)) if len(figures) > 1 else None,
            "auc": self.auc,
            "d_prime": self.d_prime,
            "folds": len(figures),
            "seeds": self.seeds,
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


def selected_epoch(folds: Sequence[dict[str, Any]], selection: str) -> tuple[int | None, str]:
    """The epoch whose predictions count (None: those a protocol ends with), and the rule in words."""
    if not folds[0]["epochs"]:
        return None, "inner" if "k" in folds[0] else "last"
    if selection == "last":
        return None, "last"
    mean_by_epoch = np.mean([fold["accuracy_by_epoch"] for fold in folds], 0)
    return folds[0]["epochs"][int(np.argmax(mean_by_epoch))], "best-mean"


def _by_fold(figures: Sequence[dict[int, Any]], seeds: int) -> dict[int, Any]:
    """The mean of each fold's figures over seeds. A fold counts when every seed has it, or means would not compare."""
    gathered: dict[int, list[Any]] = defaultdict(list)
    for of_fold in figures:
        for fold, value in of_fold.items():
            gathered[fold].append(value)
    return {fold: np.mean(values, 0) for fold, values in sorted(gathered.items()) if len(values) == seeds}


def predictions(store: Store, key: str, epoch: int | None) -> dict[int, dict[str, tuple[int, int]]]:
    """For each fold of a record, the label and the prediction of each clip, after an epoch or at the end."""
    folder = store.find("evaluate", key)
    last = _columns(folder / "predictions.parquet", ["fold", "clip", "label", "predicted"])
    label = dict(zip(last["clip"], last["label"], strict=True))
    chosen: Iterable[tuple[int, str, int]] = zip(last["fold"], last["clip"], last["predicted"], strict=True)
    if epoch is not None:
        curve = _columns(folder / "epochs.parquet", ["fold", "epoch", "clip", "predicted"])
        every = zip(curve["fold"], curve["epoch"], curve["clip"], curve["predicted"], strict=True)
        chosen = ((fold, clip, predicted) for fold, of_epoch, clip, predicted in every if of_epoch == epoch)
    found: dict[int, dict[str, tuple[int, int]]] = defaultdict(dict)
    for fold, clip, predicted in chosen:
        found[fold][clip] = label[clip], predicted
    return found


def _correct(store: Store, key: str, epoch: int | None) -> dict[int, NDArray[np.float64]]:
    """For each fold of a record, whether each of its clips was right, in the order of clip ids."""
    return {
        fold: np.array([float(label == predicted) for _, (label, predicted) in sorted(own.items())])
        for fold, own in predictions(store, key, epoch).items()
    }


def _columns(path: Path, names: list[str]) -> dict[str, list[Any]]:
    from pyarrow.parquet import ParquetFile  # its read_table would load pandas, which takes a second

    columns: dict[str, list[Any]] = ParquetFile(path).read(columns=names).to_pydict()
    return columns
