"""One leaderboard from several folders of records, with one kind of data in each column.

An entry is its model (encoder, front end, weights, window, and pretraining), and a cell is an entry under a protocol's
settings. Where two folders agree on both, their rows belong to one entry, whatever seeds, draws or tasks each folder
ran. Where they do not agree, the later folder's entry gets another name.

Data are not compared here: other data make another column, not another row; see ``separate``.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from benchmark.jobs.evaluate import EvaluateJob, Record, model_of, pretraining_of
from benchmark.jobs.pack import PackJob
from benchmark.ledger.facts import SuiteFacts, TaskFacts
from benchmark.ledger.plan import Plan, Row
from benchmark.store.job import AnyJob, Config
from benchmark.store.store import Checked, Rest, Store
from registry.errors import Mistake, Mistakes
from registry.targets import find_judge

_T = TypeVar("_T")
Settings = dict[tuple[str, ...], set[str]]  # of an entry: the model's at _MODEL, each cell's at (task, protocol)

_MODEL = ("encoder", "frontend", "weights", "window")
_REPEATS = ("seed", "draw", "folds")  # settings in which the jobs of one cell differ


class Stores(Store):
    """Several folders of records, read as one: a record is that of the first folder that has it.

    They are at rest: every record is looked at, and read, once.

    Args:
        folders: at least one; one that is named twice counts once.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(folders[0])
        places: dict[Path, Path] = {}
        for folder in folders:
            places.setdefault(folder.resolve(), folder)
        self.run_last: dict[str, float] = {}  # by the name of a plan that was read, in seconds since 1970; 0: not known
        names = _short_names(list(places))
        self.stores = {name: Store(folder) for name, folder in zip(names, places.values(), strict=True)}
        self._rest = Rest()
        for store in self.stores.values():
            store._checked, store._rest = self._checked, Rest()

    def find(self, kind: str, key: str) -> Path:
        """The folder of a finished job, in the first store that has it; a folder in the first store where none has."""
        return self._holder(kind, key).find(kind, key)

    def holders(self, kind: str, key: str) -> dict[str, Store]:
        """The stores that have a whole record, by the shortest names that differ."""
        return {name: store for name, store in self.stores.items() if store.has(kind, key)}

    def note(self, kind: str, key: str) -> str:
        return self._holder(kind, key).note(kind, key)

    def add_note(self, kind: str, key: str, note: str) -> None:
        self._holder(kind, key).add_note(kind, key, note)

    def remember(self) -> None:
        for store in self.stores.values():
            store.remember()

    def plan(self, name: str, asked: str, tell: Callable[[str], None]) -> Plan:
        """The union of each folder's last plan of a suite; at least one folder has one.

        Raises:
            Mistake: if a folder's plan is damaged, or of another schema.
            Mistakes: where folders contradict each other.
        """
        loaded = {label: store.load_plan(name, asked, tell) for label, store in self.stores.items()}
        plans = {label: Plan.from_json(stored["plan"]) for label, stored in loaded.items() if stored}
        self.run_last[name] = max(stored.get("time", 0.0) for stored in loaded.values() if stored)
        return merge_plans(plans)

    def plans(self) -> list[str]:
        """The names, with the scale, of all suites that were run on any of the stores."""
        return sorted({name for store in self.stores.values() for name in store.plans()})

    def _holder(self, kind: str, key: str) -> Store:
        """The first store that has a whole record, or the first of all."""
        first, *others = self.stores.values()
        return next((store for store in (first, *others) if store.has(kind, key)), first) if others else first

    def _look(self, kind: str, key: str, *, large: bool, elsewhere: bool = False) -> Checked | None:
        return self._holder(kind, key)._look(kind, key, large=large, elsewhere=elsewhere)


def _short_names(places: Sequence[Path]) -> list[str]:
    """The ends of paths, just long enough to differ."""
    ends = ([str(Path(*place.parts[-depth:])) for place in places] for depth in count(1))
    return next(names for names in ends if len(set(names)) == len(names))


def merge_plans(plans: Mapping[str, Plan]) -> Plan:
    """The union of the plans that one suite has in several folders.

    Args:
        plans: by the folder's name; at least one.

    Raises:
        Mistakes: where folders differ in something that all figures depend on, such as the selection of epochs.
    """
    if len(plans) == 1:
        return next(iter(plans.values()))
    _check_agreement(plans)
    merged: Plan | None = None
    known: dict[str, dict[str, Settings]] = {}  # by entry, then by each name that the entry has in the merged plan
    for label, plan in plans.items():
        names = {}
        for entry, settings in _settings(plan).items():
            variants = known.setdefault(entry, {})
            name = next((name for name, other in variants.items() if _agree(other, settings)), None)
            if name is None:
                name = f"{entry} ({label})" if variants else entry
            variants[name] = {**settings, **variants.get(name, {})}
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
    """The facts that must be the same in every folder, by name."""
    agreed: dict[str, object] = {
        "selection": facts.selection,
        "reproduces": facts.reproduces,
        "control": facts.control,
        "samples": facts.samples,
    }
    for column, task in facts.tasks.items():
        agreed[f"folds of {column}"] = task.folds
        agreed[f"registry's name of {column}"] = task.name
        agreed[f"official folds of {column}"] = task.official_folds
        agreed[f"fold of {column} shown class by class"] = task.class_wise
    return agreed


def _text(value: object) -> str:
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)


def _settings(plan: Plan) -> dict[str, Settings]:
    """The settings of every entry; without the jobs that a missing file blocks, whose settings are not all known."""
    of_entries: dict[str, Settings] = {entry: defaultdict(set) for entry in plan.facts.entries}
    for row in plan.rows:
        job = plan.evaluation(row)
        if _blocked(plan, job):
            continue
        pretrain = pretraining_of(job, plan.jobs)
        trained = (_lasting(pretrain.config), pretrain.needs.canonical()) if pretrain else None
        model = _lasting(model_of(job, plan.jobs)[0])
        of_entries[row.entry][_MODEL].add(_canonical([trained, {name: model[name] for name in _MODEL}]))
        protocol = {name: value for name, value in _lasting(job.config).items() if name not in _MODEL}
        of_entries[row.entry][row.task, row.protocol].add(_canonical(protocol))
    return of_entries


def _blocked(plan: Plan, job: AnyJob) -> bool:
    return bool(job.blocked) or any(_blocked(plan, plan.jobs[key]) for key in job.needs.all_keys())


def _lasting(config: Config) -> dict[str, Any]:
    """A job's settings, without those in which the jobs of one cell differ."""
    kept = {name: value for name, value in config.canonical().items() if name not in _REPEATS}
    if "weights" in kept:
        kept["weights"] = {name: value for name, value in kept["weights"].items() if name != "seed"}
    return kept


def _agree(one: Settings, other: Settings) -> bool:
    return all(one[place] == other[place] for place in one.keys() & other.keys())


def _join(merged: Plan, plan: Plan, names: Mapping[str, str]) -> Plan:
    """The union of two plans; ``names`` gives the second plan's entries their names in it."""
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
    """The controls of single entries. An entry that only the second plan has keeps the control that it has there."""
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
    """Sentences on cells whose records are in several folders, with other figures or other audio.

    Equal work may give other figures on another device. A leaderboard shows the first folder's.
    """
    if len(stores.stores) == 1:
        return []
    shared: dict[tuple[str, str, str, str, str], list[tuple[Record, Record]]] = defaultdict(list)
    for row in plan.rows:
        holders = stores.holders("evaluate", row.key)
        if len(holders) > 1:
            (first, store), *others = holders.items()
            record = store.result(EvaluateJob, row.key)
            for label, other in others:
                place = (row.entry, row.task, row.protocol, first, label)
                shared[place].append((record, other.result(EvaluateJob, row.key)))
    sentences = []
    for (entry, task, protocol, first, label), pairs in shared.items():
        ours, theirs = (_mean(record[i] for record in pairs) for i in (0, 1))
        other_audio = any(a.data_hash != b.data_hash for a, b in pairs)
        metric = find_judge(pairs[0][0].judge).chief
        half_a_digit = 0.5 * 10 ** -metric.decimals_of(ours, theirs)  # half of the last digit that a leaderboard shows
        if other_audio or abs(ours - theirs) > half_a_digit:
            audio = " of other audio" if other_audio else ""
            written, not_written = metric.write(ours, theirs)
            sentences.append(
                f"{entry}, {protocol} on {task}: {written} in {first} is shown, and not {not_written}{audio} in {label}"
            )
    return sentences


def _mean(records: Iterable[Record]) -> float:
    figures = [fold.figure(record.metric) for record in records for fold in record.folds.values()]
    return float(sum(figures) / len(figures))


@dataclass(frozen=True)
class _Data:
    """The data that a row was, or would be, measured on.

    Args:
        listing: the task's settings, and the hash of its clips' names, contents, labels, folds and sources.
        pack: key of the pack, which is the listing at one sample rate.
        audio: hash of the pack's samples, from the record; None where there is no record.
    """

    listing: tuple[str, str]
    pack: str
    audio: str | None


def separate(plan: Plan, store: Store) -> Plan:
    """The plan with one kind of data in each column: rows on other data get another column.

    Two rows have the same data if their listings are equal (the task's settings, and names, contents, labels, folds and
    sources of its clips), and their samples are equal. Samples are compared only between records of one pack, because
    the same recordings have other samples at another rate. In each pack, the audio of most cells counts as the
    listing's usual audio, at any rate; other audio is other data.

    In each task, the data of most cells keep the column (ties: the first). Other data get a column
    ``TASK (data 1a2b3c4d)``, named by the samples' hash, or by the listing's hash where another column has the same
    samples. A row without a record goes with its listing; if nothing was measured on that listing, the row stays.
    """
    packs = [job for job in plan.jobs.values() if isinstance(job, PackJob)]
    listings = {job.key: (_canonical(dict(job.config.task.config)), str(job.config.inputs)) for job in packs}
    data = {row: _Data(listings[key := plan.pack_of(row).key], key, _audio(plan, store, row)) for row in plan.rows}
    column: dict[Row, str] = {}
    for task in plan.facts.tasks:
        column |= _columns(task, {row: of_row for row, of_row in data.items() if row.task == task})
    task_of = {name: row.task for row, name in column.items() if name != row.task}
    if not task_of:
        return plan
    rows = [replace(row, task=column[row]) for row in plan.rows]
    return replace(plan, facts=_with_columns(plan.facts, task_of), rows=rows)


def _audio(plan: Plan, store: Store, row: Row) -> str | None:
    return store.result(EvaluateJob, row.key).data_hash if store.done(plan.evaluation(row)) else None


def _columns(task: str, data: Mapping[Row, _Data]) -> dict[Row, str]:
    """The column of every row of a task."""
    measured = {row: of_row for row, of_row in data.items() if of_row.audio}
    usual: dict[str, str | None] = {}  # the usual audio of the listing, by pack
    for one in _by_cells(measured):
        usual.setdefault(one.pack, one.audio)

    def kind(one: _Data) -> _Data:
        """The listing alone, at any rate; or the data as they are, if their audio is not the usual one."""
        return replace(one, pack="", audio=None) if one.audio in (None, usual.get(one.pack)) else one

    names: dict[_Data, str] = {}
    known: set[str] = set()
    for of_column in _by_cells({row: kind(of_row) for row, of_row in measured.items()}):
        audios = [of_row.audio for of_row in measured.values() if kind(of_row) == of_column and of_row.audio]
        short = of_column.listing[1] if audios[0] in known else audios[0]
        names[of_column] = f"{task} (data {short[:8]})" if names else task
        known |= set(audios)
    return {row: names.get(kind(of_row), task) for row, of_row in data.items()}


def _by_cells(data: Mapping[Row, _Data]) -> list[_Data]:
    """The kinds of data: those of most cells come first, then the order is that of the rows."""
    cells: dict[_Data, set[tuple[str, str]]] = defaultdict(set)
    for row, of_row in data.items():
        cells[of_row].add((row.entry, row.protocol))
    return sorted(cells, key=lambda kind: -len(cells[kind]))


def _with_columns(facts: SuiteFacts, task_of: Mapping[str, str]) -> SuiteFacts:
    """A plan's facts with further columns: each has the facts of its task, and stands after it."""
    tasks: dict[str, TaskFacts] = {}
    for task, of_task in facts.tasks.items():
        tasks |= {task: of_task, **{column: of_task for column, name in task_of.items() if name == task}}
    return SuiteFacts.model_validate({**dict(facts), "tasks": tasks})


def _canonical(settings: Any) -> str:
    return json.dumps(settings, sort_keys=True)
