"""One leaderboard from several folders of records, with one kind of data in each column.

An entry is its model (encoder, front end, weights, window, and how they were pretrained), and a cell is an entry under
a protocol's settings: where two folders agree on both, their rows are one entry's, whatever seeds, draws or tasks each
of them ran. Where they do not, the later folder's entry stands under a name of its own.

Data are not part of that comparison, since they make columns instead of rows; see ``separate``.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from benchmark.jobs.evaluate import EvaluateJob, Record, model_of, pretraining_of
from benchmark.ledger.facts import SuiteFacts, TaskFacts
from benchmark.ledger.plan import Plan, Row
from benchmark.store.job import AnyJob, Config
from benchmark.store.store import Store
from registry.errors import Damaged, Mistake, Mistakes
from registry.targets import find_judge

_T = TypeVar("_T")
Settings = dict[tuple[str, ...], set[str]]  # of an entry: of its model, at _MODEL, and of each cell at (task, protocol)

_MODEL = ("encoder", "frontend", "weights", "window")
_REPEATS = ("seed", "draw", "folds")  # what tells the parts of one cell from each other


class Stores(Store):
    """Several folders of records, read as one: a record is that of the first folder that has it.

    Args:
        folders: at least one; one that is named twice counts once.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(folders[0])
        places: dict[Path, Path] = {}
        for folder in folders:
            places.setdefault(folder.resolve(), folder)
        self.stores = {name: Store(own) for name, own in zip(_short_names(list(places)), places.values(), strict=True)}

    def find(self, kind: str, key: str) -> Path:
        """The folder of a finished job by its key; that of the first store where none has it."""
        return next((store.find(kind, key) for store in self.holders(kind, key).values()), super().find(kind, key))

    def holders(self, kind: str, key: str) -> dict[str, Store]:
        """The stores that have a whole record, by the shortest name that tells them apart."""
        return {name: one for name, one in self.stores.items() if one.has(kind, key)}

    def damaged(self) -> list[Damaged]:
        """What readers came upon in any of the folders."""
        found = [*super().damaged(), *(damage for one in self.stores.values() for damage in one.damaged())]
        return list({damage.where: damage for damage in found}.values())

    def load_plan(
        self, name: str, asked: str = "", tell: Callable[[str], None] = lambda line: None
    ) -> dict[str, Any] | None:
        """What the suite of a name asked for in all folders together, of each what was run last; or None.

        Raises:
            Mistake: if a folder's plan is damaged, or of another schema.
            Mistakes: where folders contradict each other.
        """
        found = {label: store.load_plan(name, asked, tell) for label, store in self.stores.items()}
        plans = {label: Plan.from_json(stored["plan"]) for label, stored in found.items() if stored}
        return {"plan": merge_plans(plans).to_json()} if plans else None

    def plans(self) -> list[str]:
        """The names of every suite, with its scale, that was run on one of the stores."""
        return sorted({name for store in self.stores.values() for name in store.plans()})


def _short_names(places: Sequence[Path]) -> list[str]:
    """The ends of paths, just long enough to differ."""
    ends = ([str(Path(*place.parts[-depth:])) for place in places] for depth in count(1))
    return next(names for names in ends if len(set(names)) == len(names))


def merge_plans(plans: Mapping[str, Plan]) -> Plan:
    """The union of what one suite asked for in several folders.

    Args:
        plans: by the folder's name; at least one.

    Raises:
        Mistakes: where what makes figures comparable, such as the selection of epochs, differs between folders.
    """
    _check_agreement(plans)
    merged: Plan | None = None
    known: dict[str, dict[str, Settings]] = {}  # of each entry, by the names that it has in the merged plan
    for label, plan in plans.items():
        names = {}
        for entry, own in _settings(plan).items():
            variants = known.setdefault(entry, {})
            name = next((name for name, other in variants.items() if _agree(other, own)), None)
            if name is None:
                name = f"{entry} ({label})" if variants else entry
            variants[name] = {**own, **variants.get(name, {})}
            names[entry] = name
        merged = _join(merged, plan, names) if merged else plan
    assert merged
    return merged


def _check_agreement(plans: Mapping[str, Plan]) -> None:
    known: dict[str, tuple[str, object]] = {}
    mistakes = []
    for label, plan in plans.items():
        for name, value in _to_agree(plan.facts).items():
            first, other = known.setdefault(name, (label, value))
            if value != other:
                what = (
                    f"{plan.name} is not the same suite: {name}: {_text(other)} in {first}, {_text(value)} in {label}"
                )
                fix = "leave one of the folders out, or run one suite file on both"
                mistakes.append(Mistake(what, where=f"{first} and {label}", fix=fix))
    if mistakes:
        raise Mistakes(mistakes)


def _to_agree(facts: SuiteFacts) -> dict[str, object]:
    """What must be the same in every folder, by its name."""
    found: dict[str, object] = {
        "selection": facts.selection,
        "reproduces": facts.reproduces,
        "control": facts.control,
        "samples": facts.samples,
    }
    for column, task in facts.tasks.items():
        found[f"folds of {column}"] = task.folds
        found[f"registry's name of {column}"] = task.name
        found[f"official folds of {column}"] = task.official_folds
        found[f"fold of {column} shown class by class"] = task.class_wise
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)


def _settings(plan: Plan) -> dict[str, Settings]:
    """The settings of every entry; not those of jobs that a missing file blocks, for they are not all known."""
    found: dict[str, Settings] = {entry: defaultdict(set) for entry in plan.facts.entries}
    for row in plan.rows:
        job = plan.evaluation(row)
        if _blocked(plan, job):
            continue
        pretrain = pretraining_of(job, plan.jobs)
        trained = (_lasting(pretrain.config), pretrain.needs.canonical()) if pretrain else None
        own = _lasting(model_of(job, plan.jobs)[0])
        found[row.entry][_MODEL].add(_canonical([trained, {part: own[part] for part in _MODEL}]))
        protocol = {part: value for part, value in _lasting(job.config).items() if part not in _MODEL}
        found[row.entry][row.task, row.protocol].add(_canonical(protocol))
    return found


def _blocked(plan: Plan, job: AnyJob) -> bool:
    return bool(job.blocked) or any(_blocked(plan, plan.jobs[key]) for key in job.needs.all_keys())


def _lasting(config: Config) -> dict[str, Any]:
    """A job's settings without what tells the parts of one cell from each other."""
    kept = {name: value for name, value in config.canonical().items() if name not in _REPEATS}
    if "weights" in kept:
        kept["weights"] = {name: value for name, value in kept["weights"].items() if name != "seed"}
    return kept


def _agree(one: Settings, other: Settings) -> bool:
    return all(one[place] == other[place] for place in one.keys() & other.keys())


def _join(merged: Plan, plan: Plan, names: Mapping[str, str]) -> Plan:
    """A plan with what another asks for besides, whose entries get other names."""
    ours, theirs = merged.facts, plan.facts
    swept = {entry: dict(points) for entry, points in ours.swept.items()}
    for entry, points in theirs.swept.items():
        swept.setdefault(entry, {}).update({names[name]: point for name, point in points.items()})
    united = {
        "anchors": _union(ours.anchors, theirs.anchors),
        "seeds": _union(ours.seeds, theirs.seeds),
        "entries": _union(ours.entries, (names[entry] for entry in theirs.entries)),
        "controls": _controls(ours, theirs, names),
        "tasks": {**ours.tasks, **theirs.tasks},
        "protocols": {**ours.protocols, **theirs.protocols},
        "swept": swept,
    }
    facts = SuiteFacts.model_validate({**dict(ours), **united})
    rows = _union(merged.rows, (replace(row, entry=names[row.entry]) for row in plan.rows))
    texts = _union(merged.texts, plan.texts)
    return Plan(merged.name, facts, {**plan.jobs, **merged.jobs}, rows, {**plan.files, **merged.files}, texts)


def _controls(ours: SuiteFacts, theirs: SuiteFacts, names: Mapping[str, str]) -> dict[str, str]:
    """Entries' own controls; one that only this folder has keeps this folder's control, whatever its name is now."""
    controls = dict(ours.controls)
    for entry, name in names.items():
        control = theirs.control_of(entry)
        control = names.get(control, control)
        if name not in ours.entries and control not in (name, ours.control or ""):
            controls[name] = control
    return controls


def _union(first: Iterable[_T], second: Iterable[_T]) -> list[_T]:
    return list(dict.fromkeys([*first, *second]))


def differences(plan: Plan, stores: Stores) -> list[str]:
    """Where a cell's records are in several folders and their figures, or their audio, are not the same.

    Equal work on another device may end elsewhere: the first folder's figures are shown, and these sentences tell.
    """
    shared: dict[tuple[str, str, str, str, str], list[tuple[Record, Record]]] = defaultdict(list)
    for row in plan.rows:
        holders = stores.holders("evaluate", row.key)
        if len(holders) > 1:
            (first, store), *others = holders.items()
            record = store.result(EvaluateJob, row.key)
            for label, other in others:
                place = (row.entry, row.task, row.protocol, first, label)
                shared[place].append((record, other.result(EvaluateJob, row.key)))
    found = []
    for (entry, task, protocol, first, label), pairs in shared.items():
        ours, theirs = (_mean(record[i] for record in pairs) for i in (0, 1))
        other_audio = any(a.data_hash != b.data_hash for a, b in pairs)
        metric = find_judge(pairs[0][0].judge).chief
        half_a_digit = 0.5 * 10 ** -metric.decimals_of(ours, theirs)  # the last that a leaderboard shows
        if other_audio or abs(ours - theirs) > half_a_digit:
            audio = " of other audio" if other_audio else ""
            written, not_written = metric.write(ours, theirs)
            found.append(
                f"{entry}, {protocol} on {task}: {written} in {first} is shown, and not {not_written}{audio} in {label}"
            )
    return found


def _mean(records: Iterable[Record]) -> float:
    figures = [fold.figure(record.metric) for record in records for fold in record.folds.values()]
    return float(sum(figures) / len(figures))


@dataclass(frozen=True)
class _Data:
    """What a row was, or would be, measured on.

    Args:
        listing: the task's settings, and the hash of its clips' names, contents, labels, folds and sources.
        pack: key of the pack: the same listing at one sample rate.
        audio: hash of the pack's samples, as the record tells it; None where there is no record.
    """

    listing: tuple[str, str]
    pack: str
    audio: str | None


def separate(plan: Plan, store: Store) -> Plan:
    """The plan with one kind of data in each column: rows on other data than most go to columns of their own.

    Data are the same where the listings are (the task's settings, and names, contents, labels, folds and sources of its
    clips), and the samples. Samples are compared between records of one pack alone, for at another rate the same
    recordings have other samples. So of each pack the audio that most cells have counts as the listing's, at whatever
    rate, and any other is other data. Of a task, the data that most cells have keep the column (ties: the first); the
    others get ``TASK (data 1a2b3c4d)``, of the samples' hash, or of the listing's where another column has those
    samples. Rows without a record go with their listing, or stay where that was nowhere measured.
    """
    data = {row: _data(plan, store, row) for row in plan.rows}
    column: dict[Row, str] = {}
    for task in plan.facts.tasks:
        column |= _columns(task, {row: own for row, own in data.items() if row.task == task})
    task_of = {name: row.task for row, name in column.items() if name != row.task}
    if not task_of:
        return plan
    rows = [replace(row, task=column[row]) for row in plan.rows]
    return replace(plan, facts=_with_columns(plan.facts, task_of), rows=rows)


def _data(plan: Plan, store: Store, row: Row) -> _Data:
    job, pack = plan.evaluation(row), plan.pack_of(row)
    audio = store.result(EvaluateJob, row.key).data_hash if store.done(job) else None
    return _Data((_canonical(dict(pack.config.task.config)), str(pack.config.inputs)), pack.key, audio)


def _columns(task: str, data: Mapping[Row, _Data]) -> dict[Row, str]:
    """The column of every row of a task."""
    measured = {row: own for row, own in data.items() if own.audio}
    usual: dict[str, str | None] = {}  # the audio that stays with the listing, by pack
    for own in _by_cells(measured):
        usual.setdefault(own.pack, own.audio)

    def kind(own: _Data) -> _Data:
        """The listing alone, at whatever rate, or audio that is not its usual."""
        return replace(own, pack="", audio=None) if own.audio in (None, usual.get(own.pack)) else own

    names: dict[_Data, str] = {}
    told: set[str] = set()
    for of_column in _by_cells({row: kind(own) for row, own in measured.items()}):
        audios = [own.audio for own in measured.values() if kind(own) == of_column and own.audio]
        short = of_column.listing[1] if audios[0] in told else audios[0]
        names[of_column] = f"{task} (data {short[:8]})" if names else task
        told |= set(audios)
    return {row: names.get(kind(own), task) for row, own in data.items()}


def _by_cells(data: Mapping[Row, _Data]) -> list[_Data]:
    """The kinds of data, those of most cells first, then in order of appearance."""
    cells: dict[_Data, set[tuple[str, str]]] = defaultdict(set)
    for row, own in data.items():
        cells[own].add((row.entry, row.protocol))
    return sorted(cells, key=lambda own: -len(cells[own]))


def _with_columns(facts: SuiteFacts, task_of: Mapping[str, str]) -> SuiteFacts:
    """A plan's facts with columns that are as those of their tasks, each after its task."""
    tasks: dict[str, TaskFacts] = {}
    for task, own in facts.tasks.items():
        tasks |= {task: own, **{column: own for column, of_task in task_of.items() if of_task == task}}
    return SuiteFacts.model_validate({**dict(facts), "tasks": tasks})


def _canonical(settings: Any) -> str:
    return json.dumps(settings, sort_keys=True)
