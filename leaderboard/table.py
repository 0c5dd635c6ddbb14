"""From records to the cells of a leaderboard."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.document import read_suite
from benchmark.plan import Plan, Row, plan_name
from benchmark.store import Store
from leaderboard.published import Published, anchored, reproduced
from leaderboard.statistics import Difference, paired_difference
from registry.errors import Mistake
from registry.lookup import nearest


@dataclass(frozen=True)
class Cell:
    """One entry under one protocol on one task.

    Args:
        metric: accuracy, or mAP (mean average precision) where clips may have several labels.
        mean: of the folds' figures (over seeds first); None where nothing is measured.
        deviation: standard deviation over folds.
        folds: how many are measured.
        of_folds: how many the suite asks for.
        official_folds: how many the data set has.
        seeds: how many are measured.
        selection: the rule that picked the epoch: last, best-mean (of which epoch), or inner (K).
        auc: macro area under the curve, where clips may have several labels.
        d_prime: its d'.
        k: the values that were chosen inside the training folds, where neighbours vote.
        published: the figure that stands beside it.
        comparable: whether their difference means something: the suite as it stands, every fold, the same selection.
        against_control: paired difference to the entry's control, or the suite's.
        seen: clips of the task that the encoder was pretrained on.
        labels_seen: whether it learned their labels.
        clips: test clips measured.
        skipped: recordings left out as unusable.
        missing: recordings that the data set names and that were not there.
        parameters: of the encoder, where its embeddings were evaluated.
        clips_per_second: embedded, front end included.
        device: that embedded them.
        steps_per_second: of the encoder's pretraining.
    """

    entry: str
    task: str
    protocol: str
    of_folds: int
    official_folds: int
    metric: str = "accuracy"
    mean: float | None = None
    deviation: float | None = None
    folds: int = 0
    seeds: int = 0
    selection: str = ""
    auc: float | None = None
    d_prime: float | None = None
    k: list[int] = field(default_factory=list)
    published: Published | None = None
    comparable: bool = False
    against_control: Difference | None = None
    seen: int = 0
    labels_seen: bool = False
    clips: int = 0
    skipped: int = 0
    missing: int = 0
    parameters: int | None = None
    clips_per_second: float | None = None
    device: str = ""
    steps_per_second: float | None = None

    @property
    def complete(self) -> bool:
        """Whether every fold that was asked for is measured."""
        return self.folds == self.of_folds


@dataclass
class Table:
    """A suite's leaderboard: its facts, and one cell for every entry, task and protocol it asks for."""

    name: str
    title: str
    facts: dict[str, Any]
    cells: list[Cell] = field(default_factory=list)

    def find(self, entry: str, task: str, protocol: str) -> Cell | None:
        """A cell, or None where the suite does not ask for it."""
        wanted = (entry, task, protocol)
        return next((c for c in self.cells if (c.entry, c.task, c.protocol) == wanted), None)


def make_table(plan: Plan, store: Store) -> Table:
    """Fills a suite's leaderboard from what is in the store."""
    facts = plan.facts
    table = Table(plan.name, facts["title"], facts)
    published = {(p.row, p.task, p.protocol): p for p in reproduced(facts["reproduces"])}
    rows: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in plan.rows:
        rows[row.entry, row.task, row.protocol].append(row)
    measured = {place: _Measured.read(own, plan, store, facts["selection"]) for place, own in rows.items()}
    for (entry, task, protocol), own in measured.items():
        beside = published.get((entry, _task_name(facts, task), protocol))
        of_folds, official = _folds(facts, task)
        control = measured.get((control_of(facts, entry), task, protocol))
        compared = own.correct and control and control is not own and control.same_clips(own)
        table.cells.append(
            Cell(
                entry=entry,
                task=task,
                protocol=protocol,
                of_folds=of_folds,
                official_folds=official,
                published=beside,
                comparable=beside is not None
                and facts["scale"] is None
                and len(own.scores) == official
                and own.selection in ("inner", beside.selection),
                against_control=paired_difference(own.correct, control.correct) if compared and control else None,
                **own.summary(),
            )
        )
    for figure in anchored(facts["anchors"]):
        for task in facts["tasks"] if figure.protocol in facts["protocols"] else ():
            if _task_name(facts, task) == figure.task:
                table.cells.append(Cell(figure.row, task, figure.protocol, *_folds(facts, task), published=figure))
    return table


def control_of(facts: dict[str, Any], entry: str) -> str:
    """The entry that another is compared with: its own choice, or the suite's; empty if there is none."""
    return facts.get("controls", {}).get(entry, facts["control"]) or ""


def _task_name(facts: dict[str, Any], column: str) -> str:
    """The registry's name of the task that stands in a column."""
    return str(facts.get("task_names", {}).get(column, column))


def _folds(facts: dict[str, Any], task: str) -> tuple[int, int]:
    """How many folds of a task the suite asks for, and how many there are; older plans asked for all."""
    asked = len(facts["tasks"][task])
    return asked, facts.get("official_folds", {}).get(task, asked)


def read_tables(runs: Path, suite: str | None, scale: str | None) -> list[Table]:
    """The leaderboards of a suite that was run on a store (at one scale, or at all), or of every suite.

    Raises:
        Mistake: if there is none.
    """
    store = Store(runs)
    names = store.plans()
    if suite is not None:
        known = names
        asked = _suite_name(Path(suite), scale) if suite.endswith((".yaml", ".yml")) else suite
        names = [n for n in known if n == plan_name(asked, scale) or (scale is None and n.split("@")[0] == asked)]
        if not names:
            raise Mistake(f"{plan_name(asked, scale)} was not run here", where=str(runs), fix=nearest(asked, known))
    if not names:
        raise Mistake(
            "no suite was run here", where=str(runs), fix="audiobench run SUITE, or name another folder: --runs DIR"
        )
    return [make_table(Plan.from_json(stored["plan"]), store) for n in names if (stored := store.load_plan(n))]


def _suite_name(path: Path, scale: str | None) -> str:
    document, _ = read_suite(path, scale)
    return str(document.data.get("name", path.stem))


@dataclass
class _Measured:
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

    @staticmethod
    def read(rows: Sequence[Row], plan: Plan, store: Store, selection: str) -> "_Measured":
        done = [row for row in rows if store.done(plan.jobs[row.key])]
        measured = _Measured(seeds=len({row.seed for row in done}))
        if not done:
            return measured
        results = {row.key: store.result("evaluate", row.key) for row in done}
        folds = {(row.seed, int(f)): facts for row in done for f, facts in results[row.key]["folds"].items()}
        epoch, measured.selection = _selected_epoch(list(folds.values()), selection)
        measured.metric = next(iter(results.values())).get("metric", "accuracy")
        if measured.metric == "accuracy":
            measured.correct = _by_fold([_correct(store, row.key, epoch) for row in done], measured.seeds)
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

    def same_clips(self, other: "_Measured") -> bool:
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


def _selected_epoch(folds: Sequence[dict[str, Any]], selection: str) -> tuple[int | None, str]:
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


def _correct(store: Store, key: str, epoch: int | None) -> dict[int, NDArray[np.float64]]:
    """For each fold of a record, whether each of its clips was right, in the order of clip ids."""
    folder = store.find("evaluate", key)
    last = _columns(folder / "predictions.parquet", ["fold", "clip", "label", "predicted"])
    label = dict(zip(last["clip"], last["label"], strict=True))
    if epoch is not None:
        chosen = _columns(folder / "epochs.parquet", ["fold", "epoch", "clip", "predicted"])
        last = {
            name: [v for v, e in zip(column, chosen["epoch"], strict=True) if e == epoch]
            for name, column in chosen.items()
        }
        last["label"] = [label[clip] for clip in last["clip"]]
    right: dict[int, dict[str, float]] = defaultdict(dict)
    for fold, clip, truth, predicted in zip(last["fold"], last["clip"], last["label"], last["predicted"], strict=True):
        right[fold][clip] = float(truth == predicted)
    return {fold: np.array([own[clip] for clip in sorted(own)]) for fold, own in right.items()}


def _columns(path: Path, names: list[str]) -> dict[str, list[Any]]:
    from pyarrow.parquet import ParquetFile  # its read_table would load pandas, which takes a second

    columns: dict[str, list[Any]] = ParquetFile(path).read(columns=names).to_pydict()
    return columns
