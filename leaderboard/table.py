"""Makes the cells of a leaderboard from records."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from benchmark.jobs import embed
from benchmark.jobs.evaluate import model_of
from benchmark.ledger.facts import SuiteFacts
from benchmark.ledger.plan import Plan, Row
from benchmark.store.store import Store
from benchmark.suite.rules import Rule
from leaderboard.answers import FoldAnswers, Listings
from leaderboard.class_wise import ClassFigures, class_figures
from leaderboard.comparison import Comparison, Comparisons, compare_task
from leaderboard.convergence import Convergence, convergence
from leaderboard.measured import Measured
from leaderboard.published import Published, anchored, of_harnesses, reproduced
from leaderboard.resampling import estimates
from leaderboard.statistics import Friedman, Interval, Rank, friedman
from leaderboard.verdict import hindrances, verdict
from registry.lookup import WEIGHTS, Choice
from registry.metrics import Metric
from registry.targets.one_label import ACCURACY

if TYPE_CHECKING:
    from registry.encoders import Encoder

Place = tuple[str, str, str]  # entry, task, protocol


@dataclass(frozen=True)
class Figure:
    """A figure by a further metric.

    Args:
        metric: the further metric.
        interval: the figure with its 95 % interval.
        against_control: the comparison with the entry's control, or the suite's.
    """

    metric: Metric
    interval: Interval
    against_control: Comparison | None


@dataclass(frozen=True)
class Cell:
    """One entry under one protocol on one task.

    Args:
        metric: the chief metric of the cell's judge; accuracy where nothing is measured.
        mean: of the folds' figures (over seeds first); None where nothing is measured.
        interval: the mean's 95 % interval.
        deviation: standard deviation over folds.
        folds: the number of measured folds.
        of_folds: the number of folds that the suite asks for.
        official_folds: the number of folds that the data set has.
        seeds: the number of measured seeds.
        draws: the number of draws of the training clips, where the entry learned from a few clips of each class.
        selection: the rule that picked the epoch, one of ``leaderboard.selection.RULES``; inner where K was picked.
        rank: among the entries of the column that have every fold; several ranks where differences are within noise.
        convergence: how fast the entry learned, where every epoch was evaluated.
        others: figures by the judge's further metrics, by name; metrics that are not defined are left out.
        deviations: standard deviations of the figure, by recordings and by seeds.
        k: the values of K that were chosen inside the training folds, where neighbours vote.
        published: the published figure beside the measured one.
        hindrances: why the two cannot be compared: another scale, fewer folds, another selection.
        verdict: reproduced, above, below or not comparable; empty where nothing is published, or there is no interval.
        against_control: the comparison with the entry's control, or the suite's.
        seen: the number of the task's clips that the encoder was pretrained on.
        unseen: the figure without these clips; None where no clip is left, or the records do not say which clips.
        labels_seen: whether pretraining learned the labels of these clips.
        by_recording: whether intervals rest on recordings; False where records do not name the recordings of clips.
        clips: the number of test clips.
        skipped: the number of recordings that were left out as unusable.
        missing: the number of recordings that the data set names and that were not there.
        parameters: of the encoder, where its embeddings were evaluated.
        clips_per_second: speed of embedding, front end included.
        devices: the devices that computed the embeddings.
        steps_per_second: of the encoder's pretraining.
    """

    entry: str
    task: str
    protocol: str
    of_folds: int
    official_folds: int
    metric: Metric = ACCURACY
    mean: float | None = None
    interval: Interval | None = None
    deviation: float | None = None
    folds: int = 0
    seeds: int = 0
    draws: int = 0
    selection: str = ""
    rank: Rank | None = None
    convergence: Convergence | None = None
    others: dict[str, Figure] = field(default_factory=dict)
    deviations: tuple[float, float] | None = None
    k: list[int] = field(default_factory=list)
    published: Published | None = None
    hindrances: list[str] = field(default_factory=list)
    verdict: str = ""
    against_control: Comparison | None = None
    seen: int = 0
    unseen: Interval | None = None
    labels_seen: bool = False
    by_recording: bool = True
    clips: int = 0
    skipped: int = 0
    missing: int = 0
    parameters: int | None = None
    clips_per_second: float | None = None
    devices: list[str] = field(default_factory=list)
    steps_per_second: float | None = None

    @property
    def complete(self) -> bool:
        """Whether every fold that the suite asks for is measured."""
        return self.folds == self.of_folds

    @property
    def comparable(self) -> bool:
        """Whether the difference from the published figure means something."""
        return self.published is not None and self.mean is not None and not self.hindrances


@dataclass(frozen=True)
class Across:
    """Entries of a protocol across several tasks (Demsar 2006).

    Args:
        protocol: of the registry, or a column of it.
        tasks: of the registry, on which all of the entries are measured; columns of one task count as their mean.
        entries: in the suite's order.
        test: Friedman's test of the entries' mean ranks.
    """

    protocol: str
    tasks: list[str]
    entries: list[str]
    test: Friedman


@dataclass
class Table:
    """A suite's leaderboard: its facts, one cell for every entry, task and protocol, and what follows from them.

    Args:
        name: of the suite, with its scale.
        facts: of the plan.
        rule: that selected the epochs.
        cells: the figures.
        classes: figures by class, if the suite asks for them.
        measured: the records behind the cells.
        comparisons: of the entries of every column, by task and protocol; by the chief metric.
        across: mean ranks of entries over tasks, where there are several tasks.
    """

    name: str
    facts: SuiteFacts
    rule: Rule
    cells: list[Cell] = field(default_factory=list)
    classes: list[ClassFigures] = field(default_factory=list)
    measured: dict[Place, Measured] = field(default_factory=dict)
    comparisons: dict[tuple[str, str], Comparisons] = field(default_factory=dict)
    across: list[Across] = field(default_factory=list)

    def find(self, entry: str, task: str, protocol: str) -> Cell | None:
        """A cell, or None where the suite does not ask for it."""
        wanted = (entry, task, protocol)
        return next((c for c in self.cells if (c.entry, c.task, c.protocol) == wanted), None)


def make_table(plan: Plan, store: Store, rule: Rule | None = None, *, shown_only: bool = False) -> Table:
    """Makes a suite's leaderboard from the records in a store.

    Args:
        plan: of the suite.
        store: of the records.
        rule: selects epochs instead of the suite's rule.
        shown_only: leave out further metrics that tables have no column for: their draws take most of the time.
    """
    facts = plan.facts
    table = Table(plan.name, facts, rule or facts.selection)
    rows: dict[Place, list[Row]] = defaultdict(list)
    for row in plan.rows:
        rows[row.entry, row.task, row.protocol].append(row)
    known: Listings = {}
    measured = {place: Measured.read(of_cell, plan, store, table.rule, known) for place, of_cell in rows.items()}
    table.measured = measured
    store.remember()
    columns = _compared(facts, measured, shown_only)
    table.comparisons = {place: next(iter(of_metrics.values())) for place, of_metrics in columns.items() if of_metrics}
    unseen = _without_seen(facts, measured)
    scratch = _scratch(plan, rows)
    figures = reproduced(facts.reproduces)
    published = {(p.row, p.task, p.protocol): p for p in figures}
    for (entry, task, protocol), of_cell in measured.items():
        asked = facts.tasks[task]
        beside = published.get((entry, asked.name, protocol))
        hindered = hindrances(facts, task, of_cell, beside) if beside and of_cell.scores else []
        compared = _figures(columns.get((task, protocol), {}), entry)
        table.cells.append(
            Cell(
                entry=entry,
                task=task,
                protocol=protocol,
                of_folds=len(asked.folds),
                official_folds=asked.official_folds,
                published=beside,
                hindrances=hindered,
                verdict=verdict(compared.get("interval"), beside, bool(hindered)) if beside and of_cell.scores else "",
                convergence=_convergence(of_cell, scratch[entry, task, protocol], measured, task, protocol),
                unseen=unseen.get((entry, task, protocol)),
                **compared,
                **of_cell.summary(),
            )
        )
    others = [figure for figure in figures if figure.row not in facts.entries]
    table.cells += _only_published(facts, [*others, *anchored(facts.anchors), *of_harnesses(facts.anchors)])
    table.classes = class_figures(facts, measured)
    table.across = _across(table)
    return table


def _only_published(facts: SuiteFacts, figures: Sequence[Published]) -> Iterator[Cell]:
    """The cells of published figures that have no entry in the suite."""
    for figure in figures:
        for task, asked in facts.tasks.items():
            if figure.task == asked.name and figure.protocol in facts.protocols:
                folds, official = len(asked.folds), asked.official_folds
                yield Cell(figure.row, task, figure.protocol, folds, official, published=figure)


def _compared(
    facts: SuiteFacts, measured: Mapping[Place, Measured], shown_only: bool
) -> dict[tuple[str, str], dict[str, Comparisons]]:
    """The comparisons of every column's entries, by metric."""
    controls = {entry: facts.control_of(entry) for entry in facts.entries}
    columns = {}
    for task, asked in facts.tasks.items():
        answers: dict[str, dict[str, dict[int, FoldAnswers]]] = defaultdict(dict)
        for (entry, cell_task, protocol), of_cell in measured.items():
            if cell_task == task and of_cell.answers:
                answers[protocol][entry] = of_cell.answers
        compared = compare_task(answers, controls, len(asked.folds), shown_only=shown_only)
        for protocol, of_metrics in compared.items():
            columns[task, protocol] = of_metrics
    return columns


class _Figures(TypedDict, total=False):
    """The fields of a ``Cell`` that come from comparisons."""

    interval: Interval
    deviations: tuple[float, float]
    rank: Rank | None
    against_control: Comparison | None
    others: dict[str, Figure]


def _figures(of_metrics: Mapping[str, Comparisons], entry: str) -> _Figures:
    """An entry's figures from the comparisons of its column: by the chief metric, and by the others."""
    defined = {metric: comparisons for metric, comparisons in of_metrics.items() if entry in comparisons.estimates}
    if not defined:
        return {}
    (_, chief), *others = defined.items()
    estimate = chief.estimates[entry]
    return {
        "interval": estimate.interval,
        "deviations": (estimate.between_recordings.deviation, estimate.between_seeds.deviation),
        "rank": chief.ranks.get(entry),
        "against_control": chief.against_control.get(entry),
        "others": {
            name: Figure(by.metric, by.estimates[entry].interval, by.against_control.get(entry)) for name, by in others
        },
    }


def _without_seen(facts: SuiteFacts, measured: Mapping[Place, Measured]) -> dict[Place, Interval]:
    """The figures of entries that saw some of the test clips in pretraining, without these clips."""
    without = {}
    for task in facts.tasks:
        answers = {
            place: of_cell.unseen
            for place, of_cell in measured.items()
            if place[1] == task and of_cell.seen and of_cell.unseen
        }
        for place, of_metrics in estimates(answers, chief_only=True).items():
            without[place] = next(iter(of_metrics.values())).interval
    return without


def _scratch(plan: Plan, rows: Mapping[Place, Sequence[Row]]) -> dict[Place, str]:
    """The entry with random weights that sets a cell's mark: the control, else one with the same encoder, else any."""
    models: dict[tuple[str, str], dict[str, embed.Config]] = defaultdict(dict)  # by column, of each entry
    for (entry, *column), of_cell in rows.items():
        models[column[0], column[1]][entry] = model_of(plan.evaluation(of_cell[0]), plan.jobs)[0]
    scratch = {}
    for (task, protocol), of_column in models.items():
        random = {entry: model for entry, model in of_column.items() if WEIGHTS.find(model.weights.kind).untrained}
        with_encoder: dict[str, str] = {}  # the first entry with each encoder
        for entry, model in random.items():
            with_encoder.setdefault(_settings(model.encoder), entry)
        for entry, model in of_column.items():
            control = plan.facts.control_of(entry)
            same = with_encoder.get(_settings(model.encoder), next(iter(random), ""))
            scratch[entry, task, protocol] = control if control in random else same
    return scratch


def _settings(of: "Choice[Encoder]") -> str:
    return json.dumps(dict(of.config), sort_keys=True)


def _convergence(
    of_cell: Measured, scratch: str, measured: Mapping[Place, Measured], task: str, protocol: str
) -> Convergence | None:
    of_scratch = measured[scratch, task, protocol].curve if scratch else None
    return convergence(of_cell.curve, scratch, of_scratch, of_cell.judge.chief) if of_cell.curve else None


def _across(table: Table) -> list[Across]:
    """For every protocol on several tasks, the mean ranks of the entries that are measured on all of these tasks."""
    of_protocols = []
    for protocol in table.facts.protocols:
        columns: dict[tuple[str, str], list[float]] = defaultdict(list)
        for cell in table.cells:
            if cell.protocol == protocol and cell.mean is not None and cell.complete:
                columns[table.facts.tasks[cell.task].name, cell.entry].append(cell.metric.sign * cell.mean)
        score = {place: float(np.mean(means)) for place, means in columns.items()}
        tasks = list(dict.fromkeys(task for task, _ in score))
        entries = [entry for entry in table.facts.entries if all((task, entry) in score for task in tasks)]
        if len(tasks) > 1 and len(entries) > 2:
            test = friedman(np.array([[score[task, entry] for entry in entries] for task in tasks], np.float64))
            of_protocols.append(Across(protocol, tasks, entries, test))
    return of_protocols
