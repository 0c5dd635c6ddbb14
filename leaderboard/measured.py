"""The records of one cell of a leaderboard: figures by fold, and the predictions that they were computed from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.jobs.evaluate import Embedding, EvaluateJob, Fold, model_of
from benchmark.ledger.plan import Plan, Row
from benchmark.store.store import Store
from benchmark.suite.rules import Rule
from leaderboard.answers import FoldAnswers, Listings, Predictions, Repeat, gather, predictions, with_recordings
from leaderboard.convergence import Curve
from leaderboard.selection import selected_epochs
from registry.errors import Mistake
from registry.metrics import Judge
from registry.targets import Target, find_judge, find_target
from registry.targets.one_label import OneLabel


@dataclass
class Measured:
    """The records of one cell, over its folds and seeds."""

    target: Target = field(default_factory=OneLabel)
    judge: Judge = field(default_factory=OneLabel)
    answers: dict[int, FoldAnswers] = field(default_factory=dict)  # by fold
    scores: dict[int, float] = field(default_factory=dict)  # by fold; the mean over seeds and draws
    clips: int = 0
    seeds: int = 0
    draws: int = 0  # of the training clips, where the entry learned from a few clips of each class
    selection: str = ""
    by_epoch: dict[int, list[float]] = field(default_factory=dict)  # the chief metric of each fold after each epoch
    curve: Curve | None = None
    k: list[int] = field(default_factory=list)
    by_recording: bool = True  # whether it is known which recording each clip was cut from
    seen: int = 0
    labels_seen: bool = False
    unseen: dict[int, FoldAnswers] | None = (
        None  # without the clips that the pretraining corpus holds; None if not known
    )
    steps_per_second: float | None = None
    skipped: int = 0
    missing: int = 0
    whole: bool = False  # whether clips were embedded in one piece, and not in windows
    embedding: list[Embedding] = field(default_factory=list)  # what the records say of the embeddings
    epochs: dict[int, int] | None = None  # by fold, the epoch whose predictions count; None for those at the end
    keys: list[str] = field(default_factory=list)  # of the records
    classes: list[str] = field(default_factory=list)
    data_hash: str = ""  # of the pack's samples

    @staticmethod
    def read(rows: Sequence[Row], plan: Plan, store: Store, rule: Rule, known: Listings) -> "Measured":
        """Reads the records of a cell's rows; those of unfinished jobs are left out.

        Args:
            rows: of the cell.
            plan: of the suite.
            store: of the records.
            rule: selects epochs.
            known: the clips that the records of other cells list; new ones are added.
        """
        done = [row for row in rows if store.done(plan.jobs[row.key])]
        repeats = {(row.seed, row.draw) for row in done}
        measured = Measured(seeds=len({row.seed for row in done}), draws=len({row.draw for row in done}))
        if not done:
            return measured
        results = [store.result(EvaluateJob, row.key) for row in done]
        measured.whole = model_of(plan.evaluation(done[0]), plan.jobs)[0].window_samples == "whole"
        if len({(result.target, result.judge, result.metric) for result in results}) > 1:
            what = f"records of one cell have figures by different metrics: {rows[0].entry}, {rows[0].protocol}"
            raise Mistake(what, where=rows[0].task, fix="run the suite again in another folder: --runs DIR")
        folds = [result.folds for result in results]
        measured.keys = [row.key for row in done]
        measured.target, measured.judge = find_target(results[0].target), find_judge(results[0].judge)
        measured.classes, measured.data_hash = list(results[0].classes), results[0].data_hash
        if not measured.classes and not measured.target.outputs(0):  # older records do not name them
            measured.classes = list(plan.pack_of(done[0]).config.task.build().classes)
        chosen = measured._select(folds, len(repeats), rule, plan.facts.tasks[rows[0].task].folds[0])
        measured.seen = max(result.clips_seen_in_pretraining for result in results)
        measured.labels_seen = any(result.labels_seen_in_pretraining for result in results)
        if chosen:
            measured._take_answers(done, plan, store, known)
        measured.k = sorted({fold.k for of_row in folds for fold in of_row.values() if fold.k is not None})
        rates = [result.steps_per_second for result in results if result.steps_per_second is not None]
        measured.steps_per_second = float(np.mean(rates)) if rates else None
        measured.skipped = max(result.skipped for result in results)
        measured.missing = max(result.missing for result in results)
        measured.embedding = [result.embedding for result in results if result.embedding]
        return measured

    def _take_answers(self, done: Sequence[Row], plan: Plan, store: Store, known: Listings) -> None:
        """Reads the predictions of every fold that each repeat has, and computes the figures from them."""
        records: dict[Repeat, dict[int, Predictions]] = defaultdict(dict)
        for row in done:
            of_task = self.epochs, self.target, len(self.classes)
            by_fold = predictions(store, row.key, *of_task, scores=self.judge.uses_scores, known=known)
            records[row.seed, row.draw] |= with_recordings(by_fold, plan, store, row)
        self.answers = gather(records, self.judge)
        self.by_recording = all(
            of_fold.source_N is not None for by_fold in records.values() for of_fold in by_fold.values()
        )
        self.clips = sum(len(of_fold.clip_N) for of_fold in self.answers.values())
        self.scores = {fold: of_fold.chief() for fold, of_fold in self.answers.items()}
        asked = len(plan.facts.tasks[done[0].task].folds)
        self.unseen = self._without_seen(whole=len(self.answers) == asked)

    def _without_seen(self, *, whole: bool) -> dict[int, FoldAnswers] | None:
        """The answers for clips that the pretraining corpus does not hold; None where records give only a count."""
        unseen = {}
        for fold, of_fold in self.answers.items():
            if of_fold.seen_N is None:
                return {} if whole and self.seen >= self.clips else None
            if not of_fold.seen_N.all():
                unseen[fold] = of_fold.among(~of_fold.seen_N)
        return unseen

    def _select(self, folds: Sequence[Mapping[int, Fold]], repeats: int, rule: Rule, first: int) -> bool:
        """Sets the curve and the epochs that count; False where the rule cannot choose."""
        first_fold = next(fold for of_row in folds for fold in of_row.values())
        if self.judge.uses_scores:  # records hold the scores of the last epoch alone
            self.selection = "last"
            return True
        if not first_fold.epochs:
            self.selection = "last" if first_fold.k is None else "inner"
            return True
        self.selection = rule
        chief = self.judge.chief
        by_epoch = [{at: fold.by_epoch(chief.column) for at, fold in of_row.items()} for of_row in folds]
        figures = _by_fold(by_epoch, repeats)
        self.by_epoch = {fold: figure_E.tolist() for fold, figure_E in figures.items()}
        self.curve = Curve.over_folds(first_fold.epochs, figures) if figures else None
        if rule != "last":
            self.epochs = selected_epochs(figures, first_fold.epochs, rule, first, chief)
        return rule == "last" or self.epochs is not None

    def mean_under(self, rule: Rule, first: int) -> float | None:
        """The figure over folds under a rule of selection; None without epochs, or where the rule cannot choose."""
        if not self.curve:
            return None
        at = {epoch: i for i, epoch in enumerate(self.curve.epochs)}
        chosen = selected_epochs(self.by_epoch, self.curve.epochs, rule, first, self.judge.chief)
        return float(np.mean([self.by_epoch[fold][at[epoch]] for fold, epoch in chosen.items()])) if chosen else None

    def pairs(self) -> dict[int, NDArray[np.int64]]:
        """By fold, ``[n, 2]``: the class and the predicted class of every clip, of every seed and draw."""
        return {
            fold: np.stack([np.tile(of_fold.label, len(of_fold.seed_P)), of_fold.predicted_PN.ravel()], 1)
            for fold, of_fold in self.answers.items()
        }

    def summary(self) -> dict[str, Any]:
        """The fields of a ``Cell`` that follow from these records alone; without figures, at most the selection."""
        if not self.scores:
            return {"selection": self.selection} if self.by_epoch else {}  # there are folds, but the rule cannot choose
        figures = list(self.scores.values())
        return {
            "metric": self.judge.chief,
            "mean": float(np.mean(figures)),
            "deviation": float(np.std(figures, ddof=1)) if len(figures) > 1 else None,
            "folds": len(figures),
            "seeds": self.seeds,
            "draws": self.draws,
            "selection": self.selection,
            "k": self.k,
            "seen": self.seen,
            "labels_seen": self.labels_seen,
            "by_recording": self.by_recording,
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
            "parameters": self.embedding[0].parameters,
            "clips_per_second": float(np.mean([embedding.clips_per_second for embedding in self.embedding])),
            "devices": list(dict.fromkeys(embedding.device for embedding in self.embedding)),
        }


def _by_fold(figures: Sequence[dict[int, Any]], repeats: int) -> dict[int, Any]:
    """The mean of each fold's figures over repeats. A fold counts when each has it, or means would not compare."""
    gathered: dict[int, list[Any]] = defaultdict(list)
    for of_fold in figures:
        for fold, value in of_fold.items():
            gathered[fold].append(value)
    return {fold: np.mean(values, 0) for fold, values in sorted(gathered.items()) if len(values) == repeats}
