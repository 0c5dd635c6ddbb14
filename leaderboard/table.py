"""From records to the cells of a leaderboard."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.document import read_suite
from benchmark.plan import Plan, Row, plan_name
from benchmark.store import Store
from leaderboard.class_wise import ClassFigures, class_figures
from leaderboard.measured import Measured
from leaderboard.published import Published, anchored, reproduced
from leaderboard.statistics import Interval, accuracy, paired_difference
from leaderboard.verdict import hindrances, verdict
from registry.errors import Mistake
from registry.lookup import nearest


@dataclass(frozen=True)
class Cell:
    """One entry under one protocol on one task.

    Args:
        metric: accuracy, or mAP (mean average precision) where clips may have several labels.
        mean: of the folds' figures (over seeds first); None where nothing is measured.
        interval: of the mean, 95 %; None where clips may have several labels.
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
        hindrances: why their difference would mean nothing: another scale, fewer folds, another selection.
        verdict: reproduced, above, below or not comparable; empty where nothing is published, or there is no interval.
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
    interval: Interval | None = None
    deviation: float | None = None
    folds: int = 0
    seeds: int = 0
    selection: str = ""
    auc: float | None = None
    d_prime: float | None = None
    k: list[int] = field(default_factory=list)
    published: Published | None = None
    hindrances: list[str] = field(default_factory=list)
    verdict: str = ""
    against_control: Interval | None = None
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

    @property
    def comparable(self) -> bool:
        """Whether the difference from the published figure means something."""
        return self.published is not None and self.mean is not None and not self.hindrances


@dataclass
class Table:
    """A suite's leaderboard: its facts, one cell for every entry, task and protocol, and figures by class if asked."""

    name: str
    title: str
    facts: dict[str, Any]
    cells: list[Cell] = field(default_factory=list)
    classes: list[ClassFigures] = field(default_factory=list)

    def find(self, entry: str, task: str, protocol: str) -> Cell | None:
        """A cell, or None where the suite does not ask for it."""
        wanted = (entry, task, protocol)
        return next((c for c in self.cells if (c.entry, c.task, c.protocol) == wanted), None)


def make_table(plan: Plan, store: Store) -> Table:
    """Fills a suite's leaderboard from what is in the store."""
    facts = plan.facts
    table = Table(plan.name, facts["title"], facts)
    figures = reproduced(facts["reproduces"])
    published = {(p.row, p.task, p.protocol): p for p in figures}
    rows: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in plan.rows:
        rows[row.entry, row.task, row.protocol].append(row)
    measured = {place: Measured.read(own, plan, store, facts["selection"]) for place, own in rows.items()}
    for (entry, task, protocol), own in measured.items():
        beside = published.get((entry, _task_name(facts, task), protocol))
        of_folds, official = _folds(facts, task)
        control = measured.get((control_of(facts, entry), task, protocol))
        compared = own.correct and control and control is not own and control.same_clips(own)
        hindered = hindrances(facts, task, own, beside, official) if beside and own.scores else []
        interval = accuracy(own.correct) if own.correct else None
        table.cells.append(
            Cell(
                entry=entry,
                task=task,
                protocol=protocol,
                of_folds=of_folds,
                official_folds=official,
                published=beside,
                hindrances=hindered,
                verdict=verdict(interval, beside, bool(hindered)) if beside and own.scores else "",
                interval=interval,
                against_control=paired_difference(own.correct, control.correct) if compared and control else None,
                **own.summary(),
            )
        )
    others = [figure for figure in figures if figure.row not in facts["entries"]]
    for figure in [*others, *anchored(facts["anchors"])]:
        for task in facts["tasks"] if figure.protocol in facts["protocols"] else ():
            if _task_name(facts, task) == figure.task:
                table.cells.append(Cell(figure.row, task, figure.protocol, *_folds(facts, task), published=figure))
    if "class_wise" in facts:
        table.classes = class_figures(facts, measured, store)
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
