"""Resolves suites: finds every component that a suite names, and completes its settings."""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from benchmark.suite import objections
from benchmark.suite.document import Document, as_mapping, plugin_files, read_suite
from benchmark.suite.fields import Entry, Suite
from benchmark.suite.inheritance import inherit_all
from benchmark.suite.objections import Listings
from benchmark.suite.parse import Keys
from benchmark.suite.resolved import ResolvedEntry, ResolvedSuite, ResolvedWeights
from benchmark.suite.shots import Column, Few, columns_of, shot_objections, without_few
from benchmark.suite.sweep import expand_sweep
from benchmark.suite.weight_file import with_file
from registry.errors import Mistake, Mistakes
from registry.lookup import (
    AUGMENTATIONS,
    ENCODERS,
    FRONTENDS,
    METHODS,
    PROTOCOLS,
    TASKS,
    WEIGHTS,
    AnyComponent,
    Choice,
    Kind,
    load_plugin,
    nearest,
)
from registry.pipelines import expand
from registry.standing import Objection
from registry.tasks import Task
from registry.training import Pretraining
from registry.weights.own import brought
from registry.weights.pretrain import Pretrain
from registry.windows import Crop

if TYPE_CHECKING:
    from registry.augmentations import Augmentation
    from registry.encoders import Encoder
    from registry.frontends import Frontend
    from registry.protocols import Protocol

C = TypeVar("C", bound=AnyComponent)

_LONGEST_MESSAGE = 300  # characters


def load_suite(path: Path, scale: str | None, data: Path | None, plugins: Sequence[Path] = ()) -> ResolvedSuite:
    """Reads, overrides, validates and resolves a suite.

    Args:
        path: of the YAML file.
        scale: a name among its ``scales``, or None.
        data: the data folder; relative paths of weights are looked up there too.
        plugins: Python files with components, besides the suite's own.

    Raises:
        Mistakes: every mistake in the suite at once, each with its place.
    """
    document, _ = read_suite(path, scale)
    for plugin in [*plugin_files(document), *plugins]:
        load_plugin(plugin)
    return _Resolver(document, data).resolve(scale)


@dataclass
class _Resolver:
    """Resolves a document. It collects all mistakes instead of stopping at the first."""

    document: Document
    data: Path | None
    mistakes: dict[tuple[str, str], Mistake] = field(default_factory=dict)
    stated: Document = field(init=False)

    def __post_init__(self) -> None:
        self.listings = Listings(self.data)

    def resolve(self, scale: str | None) -> ResolvedSuite:
        expanded, variations = expand_sweep(self.document, self._mistake)
        self.stated = expanded  # before entries inherit
        self.document = inherit_all(expanded)
        try:
            suite = Suite.model_validate(self.document.data)
        except ValidationError as error:
            self._report(error, (), Suite)
            suite = None
        tasks = self._tasks()
        columns = self._columns(tasks)
        crops = {name: entry.crop or suite.crop for name, entry in suite.entries.items()} if suite else {}
        entries = [self._entry(name, columns, crops.get(name, 0.0)) for name in self._keys(("entries",))]
        for at in [("control",), *(("entries", name, "control") for name in self._keys(("entries",)))]:
            control = self.document.find(at)
            if control is not None and control not in self._keys(("entries",)):
                hint = nearest(str(control), self._keys(("entries",)))
                self._mistake(f"no entry is called {control!r}", at, hint)
        self._check_protocols(columns, tasks)
        for column, fold in suite.class_wise.items() if suite else ():
            task = tasks.get(column)
            if task is None or fold not in task.build().folds:
                self._mistake(f"no fold {fold} of {column} is tested here", ("class_wise", column))
        if self.mistakes or suite is None:
            raise Mistakes(list(self.mistakes.values()))
        return ResolvedSuite(
            suite=suite,
            scale=scale,
            entries=tuple(e for e in entries if e),
            tasks=tasks,
            protocols=columns,
            variations=variations,
        )

    def _tasks(self) -> dict[str, Choice[Task]]:
        """The tasks by column. A column is called by the task's name, or by the key of a mapping."""
        listed = self.document.find(("tasks",))
        named = isinstance(listed, dict)
        columns: dict[str, Choice[Task]] = {}
        for key in listed if isinstance(listed, dict) else range(len(listed) if isinstance(listed, list) else 0):
            task = self._choose(TASKS, ("tasks", key))
            if task is None:
                continue
            if not _tests(task):
                self._mistake(f"{task.name} is a corpus alone: it has no folds to test on", ("tasks", key))
            column = str(key) if named else task.name
            if column in columns:
                self._mistake(
                    f"the task {column} stands here twice, and would share one column",
                    ("tasks", key),
                    f"name the columns: tasks: {{{column}: ..., other: {{name: {column}, ...}}}}",
                )
            columns[column] = task
        return columns

    def _columns(self, tasks: Mapping[str, Choice[Task]]) -> dict[str, Column]:
        """The columns of all protocols: a protocol has one column, or one for each number of shots."""
        columns: dict[str, Column] = {}
        for name in self._keys(("protocols",)):
            at: Keys = ("protocols", name)
            settings, of_few = without_few(as_mapping(self.document.find(at)))
            choice = self._choose_from(PROTOCOLS, {"name": name, **settings}, at)
            for column in columns_of(name, choice, self._few(of_few, choice, tasks, at)) if choice else ():
                if column.name in columns:
                    self._mistake(f"two protocols make a column {column.name!r}", at, "give one another name")
                columns[column.name] = column
        return columns

    def _few(
        self, settings: Mapping[str, Any], choice: "Choice[Protocol]", tasks: Mapping[str, Choice[Task]], at: Keys
    ) -> Few:
        """The settings of few-label training, once they are validated."""
        try:
            few = Few.model_validate(settings)
        except ValidationError as error:
            self._report(error, at, Few)
            return Few()
        targets = {name: task.component.target for name, task in tasks.items()}
        for key, what, fix in shot_objections(few, choice, targets):
            self._mistake(what, (*at, key), fix)
        return few

    def _entry(self, name: str, columns: Mapping[str, Column], crop: Crop) -> ResolvedEntry | None:
        at: Keys = ("entries", name)
        encoder = self._choose(ENCODERS, (*at, "encoder"))
        frontend, weights = self._fed(encoder, at)
        augment = self._augmentations((*at, "augment"), frontend)
        protocols = self._keys(("protocols",))
        listed = self.document.find((*at, "protocols"))
        chosen = listed if listed and isinstance(listed, list) else protocols
        for i, protocol in enumerate(chosen):
            if protocol not in (*protocols, *columns):
                hint = nearest(str(protocol), [*protocols, *columns])
                self._mistake(f"the suite has no protocol {protocol!r}", (*at, "protocols", i), hint)
        named = _named(chosen, columns)
        if encoder and frontend:
            self._note(objections.of_encoder(encoder, frontend), (*at, "encoder"))
            asked = [columns[column].choice for column in named]
            self._note(objections.of_training(encoder, asked), (*at, "encoder"))
        if not (encoder and frontend and weights):
            return None
        crop_at: Keys = (*at, "crop") if self.document.find((*at, "crop")) is not None else ("crop",)
        paths: dict[str, Keys] = {"encoder": (*at, "encoder"), "crop": crop_at, "weights": (*at, "weights")}
        paths |= {name: ("protocols", column.protocol) for name, column in columns.items()}
        places = {setting: self.document.where(path) for setting, path in paths.items()}
        entry = ResolvedEntry(name, encoder, frontend, augment, crop, weights, named, places)
        if crop == "whole":
            self._note(objections.of_whole_clips([columns[column] for column in named], weights), crop_at[:-1])
        cut = weights.pretraining.crop if weights.pretraining else None
        rate = frontend.component.rate_of(frontend.settings)
        for seconds, place in ((crop, crop_at), (cut, (*at, "weights", "crop"))):
            if isinstance(seconds, float) and seconds and round(seconds * rate) < 1:
                self._mistake(f"{seconds} s are less than a sample at {rate} Hz", place, "crop: 1.0")
        return entry

    def _fed(
        self, encoder: "Choice[Encoder] | None", at: Keys
    ) -> "tuple[Choice[Frontend] | None, ResolvedWeights | None]":
        """The front end and the weights of an entry. A model that brings its weights gets waveforms at its own rate."""
        model = brought(encoder.component) if encoder else None
        for key, required in (("encoder", True), ("frontend", not model), ("weights", not model)):
            if required and self.document.find((*at, key)) is None:
                self._mistake(f"{key}: Field required", (*at, key))
        if encoder is None or model is None:
            if encoder and self.document.find((*at, "weights")) == "own":
                self._mistake(f"{encoder.name} brings no weights", (*at, "weights"), "weights: random")
            frontend = self._choose(FRONTENDS, (*at, "frontend"))
            return frontend, self._weights((*at, "weights"), encoder, frontend)
        if self.document.find((*at, "weights")) not in (None, "own"):
            self._mistake(f"{encoder.name} brings its weights, and takes no others", (*at, "weights"), "weights: own")
            return None, None
        weights = with_file(WEIGHTS.choose("own"), encoder, self.document, (*at, "encoder"), self.data)
        if self.stated.find((*at, "frontend")) is not None:
            return self._choose(FRONTENDS, (*at, "frontend")), weights
        try:
            rate = model.own_rate(encoder.settings, weights.path)
        except Mistake as mistake:
            what, *_, fix = weights.missing.splitlines() or [mistake.what, mistake.fix]
            self._mistake(what, (*at, "encoder"), fix.removeprefix("  to do: "))
            return None, None
        return FRONTENDS.choose({"name": "waveform", "sample_rate": rate}), weights

    def _check_protocols(self, columns: Mapping[str, Column], tasks: Mapping[str, Choice[Task]]) -> None:
        for column in columns.values():
            for task in tasks.values() if column.shots is None else ():
                raised = objections.of_protocol(column.choice, self.listings.of(task))
                self._note(raised, ("protocols", column.protocol))

    def _note(self, raised: Iterable[Objection], at: Keys) -> None:
        """Notes the objections that the component at a place raises."""
        for objection in raised:
            self._mistake(objection.what, (*at, *objection.key.split(".")), objection.fix)

    def _augmentations(self, at: Keys, frontend: "Choice[Frontend] | None") -> "tuple[Choice[Augmentation], ...]":
        """The augmentations that a list names; a pipeline counts as its steps."""
        listed = self.document.find(at)
        chosen = []
        for i, item in enumerate(listed if isinstance(listed, list) else ()):
            steps = [self._choose_from(AUGMENTATIONS, step, (*at, i)) for step in expand(item)]
            for augmentation in filter(None, steps):
                chosen.append(augmentation)
                of_spectrograms = augmentation.component.domain == "spectrogram"
                if of_spectrograms and frontend and frontend.component.gives == "waveform":
                    self._mistake(
                        f"{augmentation.name} works on spectrograms, and the front end {frontend.name} gives waveforms",
                        (*at, i),
                        "leave it out here: augment: [...]",
                    )
        return tuple(chosen)

    def _weights(
        self, at: Keys, encoder: "Choice[Encoder] | None", frontend: "Choice[Frontend] | None"
    ) -> ResolvedWeights | None:
        raw = self.document.find(at)
        if not isinstance(raw, dict):
            source = self._choose(WEIGHTS, at)
            return ResolvedWeights(source) if source else None
        named = set(WEIGHTS.names()) & set(raw)
        if len(named) != 1:
            known = sorted(name for name in WEIGHTS.names() if WEIGHTS.find(name).value)
            self._mistake(f"weights need one of {', '.join(known)}", at, f"got {', '.join(map(str, raw))}")
            return None
        name = named.pop()
        if name == "pretrain":
            return self._pretrain(raw, at, frontend)
        value = WEIGHTS.find(name).value
        settings = {(value if key == name else key): setting for key, setting in raw.items()}
        source = self._choose_from(WEIGHTS, {"name": name, **settings}, at)
        return with_file(source, encoder, self.document, (*at, name), self.data) if source and encoder else None

    def _pretrain(
        self, raw: Mapping[str, Any], at: Keys, frontend: "Choice[Frontend] | None"
    ) -> ResolvedWeights | None:
        if "corpus" not in raw:
            self._mistake("the pretraining names no corpus", at, "add corpus: TASK here or in the pretrain section")
        for key, kind in (("pretrain", "method"), ("corpus", "task"), ("monitor", "task")):
            if not isinstance(raw.get(key, ""), str | dict) and (raw[key] is not None or key != "monitor"):
                self._mistake(f"{key} names a {kind}, got {reprlib.repr(raw[key])}", (*at, key), f"{key}: NAME")
        method = self._choose(METHODS, (*at, "pretrain"))
        corpus, exclude = self._corpus((*at, "corpus"))
        monitor = self._choose(TASKS, (*at, "monitor"))
        if monitor and not _tests(monitor):
            self._mistake(f"{monitor.name} is a corpus alone: nothing can be probed on it", (*at, "monitor"))
        augment = self._augmentations((*at, "augment"), frontend)
        # An unknown method may have a recipe, so its missing settings are no mistakes.
        recipe = method.component.recipe if method else {"epochs": 1, "batch_size": 2, "learning_rate": 1.0}
        apart = ("pretrain", "corpus", "augment", "monitor", "crop")
        budget = {key: value for key, value in raw.items() if key not in apart}
        try:
            training = Pretraining.model_validate({**recipe, **budget})
        except ValidationError as error:
            self._report(error, at, Pretraining)
            return None
        if method is None:
            return None
        listed = self.listings.of(corpus) if corpus else None
        for objection in objections.of_method(method, training, frontend, listed):
            of_training = objection.key in ("corpus", *Pretraining.model_fields)
            self._note([objection], at if of_training else (*at, "pretrain"))
        if training.keep == "best" and raw.get("monitor") is None:
            self._mistake("the best epoch is kept by a monitor, and none is named", (*at, "keep"), "add monitor: TASK")
        elif training.keep == "best" and training.monitor_every > training.epochs:
            what = f"none of the {training.epochs} epochs is probed, and the probe chooses the best one"
            self._mistake(what, (*at, "keep"), f"lower monitor_every: {training.monitor_every}")
        if corpus is None:
            return None
        named = {"method": method, "corpus": corpus, "exclude": exclude, "augment": augment, "monitor": monitor}
        try:
            settings = Pretrain.Config(**named, training=training, crop=raw.get("crop"))
        except ValidationError as error:
            self._report(error, at, Pretrain.Config)
            return None
        return ResolvedWeights(Choice.of(WEIGHTS, "pretrain", settings))

    def _corpus(self, at: Keys) -> tuple[Choice[Task] | None, tuple[Choice[Task], ...]]:
        """The data set to pretrain on, and those whose recordings are left out of it."""
        reference = self.document.find(at)
        if not isinstance(reference, dict) or "exclude" not in reference:
            return self._choose(TASKS, at), ()
        listed = reference["exclude"]
        if not isinstance(listed, list) or not all(isinstance(item, str | dict) for item in listed):
            self._mistake(f"exclude is a list of tasks, got {listed!r}", (*at, "exclude"), "exclude: [esc50]")
        corpus = {key: value for key, value in reference.items() if key != "exclude"}
        return self._choose_from(TASKS, corpus, at), self._choose_all(TASKS, (*at, "exclude"))

    def _choose_all(self, kind: Kind[C], at: Keys) -> tuple[Choice[C], ...]:
        listed = self.document.find(at)
        chosen = [self._choose(kind, (*at, i)) for i in range(len(listed if isinstance(listed, list) else ()))]
        return tuple(choice for choice in chosen if choice)

    def _choose(self, kind: Kind[C], at: Keys) -> Choice[C] | None:
        return self._choose_from(kind, self.document.find(at), at)

    def _choose_from(self, kind: Kind[C], reference: Any, at: Keys) -> Choice[C] | None:
        if not isinstance(reference, str | dict):
            return None  # missing or of another type: the schema has reported it
        try:
            return kind.choose(reference)
        except ValidationError as error:
            name = reference if isinstance(reference, str) else reference["name"]
            self._report(error, at, kind.find(name).Config, f"audiobench show {kind.folder} {name}")
        except Mistake as mistake:
            named = isinstance(reference, dict) and "name" in reference
            self._mistake(mistake.what, (*at, "name") if named else at, mistake.fix)
        return None

    def _report(self, error: ValidationError, at: Keys, model: type[BaseModel], command: str = "") -> None:
        """Notes the mistakes that a model of settings found; ``command`` shows the settings that there are."""
        for problem in error.errors():
            inner = tuple(key for key in problem["loc"] if not _is_branch(key))
            if problem["type"] == "extra_forbidden":
                in_entry = model is Suite and inner[:1] == ("entries",)
                known = list((Entry if in_entry else model).model_fields)
                fix = nearest(str(inner[-1]), known) + f" ({command})" * bool(command)
                self._mistake(f"unknown key {inner[-1]!r}", (*at, *inner), fix)
            else:
                got = "" if problem["type"] == "missing" else f", got {reprlib.repr(problem['input'])}"
                quote = problem["type"] == "string_type" and isinstance(problem["input"], int | float)
                fix = f'put it in quotes: "{problem["input"]}"' if quote else command
                self._mistake(f"{'.'.join(map(str, inner)) or 'value'}: {problem['msg']}{got}", (*at, *inner), fix)

    def _mistake(self, what: str, at: Keys, fix: str = "") -> None:
        """Notes a mistake, once for each place: inherited settings are checked again in every entry."""
        what = what if len(what) <= _LONGEST_MESSAGE else f"{what[:_LONGEST_MESSAGE]}..."
        self.mistakes.setdefault((what, self.document.place(at)), Mistake(what, where=self.document.where(at), fix=fix))

    def _keys(self, at: Keys) -> list[str]:
        return list(as_mapping(self.document.find(at)))


def _named(protocols: Sequence[str], columns: Mapping[str, Column]) -> tuple[str, ...]:
    """The columns that are named, each once. A name is that of a column, or of a protocol with all its columns."""
    named = [name for asked in protocols for name, column in columns.items() if asked in (name, column.protocol)]
    return tuple(dict.fromkeys(named))


def _tests(task: Choice[Task]) -> bool:
    """Whether a task has folds to test on."""
    return bool(task.build().folds)


def _is_branch(key: str | int) -> bool:
    """Whether a key in an error's location names a branch of a union type; the document has no such key."""
    return isinstance(key, str) and (
        key in ("str", "dict", "float") or key.startswith(("dict[", "list[", "literal[", "function-"))
    )
