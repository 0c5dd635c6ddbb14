"""Suites: what is asked. The schema, and its resolution into components with complete settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.document import Document, Keys, merge, read_document
from registry.errors import Mistake, Mistakes
from registry.lookup import Choice, choose, find, load_plugin, nearest
from registry.training import Training

Reference = str | dict[str, Any]
T = TypeVar("T")


class Entry(BaseModel):
    """One row of the leaderboard: an encoder and where its weights come from."""

    model_config = ConfigDict(extra="forbid")
    encoder: Reference | None = Field(None, description="replaces or refines the suite's encoder")
    weights: Literal["random", "imagenet"] | dict[str, Any] = Field(
        ..., description="random, imagenet, {imagenet: PATH}, {checkpoint: PATH}, or {pretrain: METHOD, ...}"
    )
    protocols: list[str] | None = Field(None, description="a selection of the suite's protocols; all by default")


class Suite(BaseModel):
    """A suite file."""

    model_config = ConfigDict(extra="forbid")
    schema_version: Literal[1] = Field(1, description="of this schema")
    name: str = Field(..., pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$", description="names its tables")
    title: str = Field("", description="heads its tables")
    reproduces: str | None = Field(None, description="the published table that stands beside it: lin2022/table-3.1")
    anchors: list[str] = Field([], description="systems of leaderboard/anchors.csv to list as well")
    control: str | None = Field(None, description="the entry that the others are compared with, pair by pair")
    selection: Literal["last", "best-mean"] = Field("last", description="the epoch whose figures are shown")
    seeds: list[int] = Field([0], min_length=1, description="every job that draws is done once a seed")
    plugins: list[str] = Field([], description="Python files with components, relative to the suite file")
    frontend: Reference = Field(..., description="of every entry")
    augment: list[Reference] = Field([], description="augmentations while training")
    crop: float = Field(..., gt=0, description="seconds of a training crop and of an evaluation window")
    encoder: Reference = Field(..., description="of every entry that names none")
    pretrain: dict[str, Any] = Field({}, description="corpus, augment, epochs, batch_size, ... of every pretraining")
    entries: dict[str, Entry] = Field(..., min_length=1, description="the rows, by name")
    tasks: list[Reference] = Field(..., min_length=1, description="what is evaluated on")
    protocols: dict[str, dict[str, Any] | None] = Field(..., min_length=1, description="settings by protocol name")
    scales: dict[str, dict[str, Any]] = Field({}, description="named overrides of anything above")


@dataclass(frozen=True)
class Weights:
    """Where an encoder's weights come from, resolved."""

    kind: Literal["random", "imagenet", "checkpoint", "pretrain"]
    path: Path | None = None
    method: Choice | None = None
    corpus: Choice | None = None
    training: Training | None = None
    augment: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class ResolvedEntry:
    """An entry with complete settings."""

    name: str
    encoder: Choice
    weights: Weights
    protocols: tuple[str, ...]


@dataclass(frozen=True)
class ResolvedSuite:
    """A suite at one scale, every component found and every setting complete."""

    suite: Suite
    scale: str | None
    frontend: Choice
    augment: tuple[Choice, ...]
    entries: tuple[ResolvedEntry, ...]
    tasks: tuple[Choice, ...]
    protocols: dict[str, Choice]


def load_suite(path: Path, scale: str | None, data: Path | None, plugins: list[Path] | None = None) -> ResolvedSuite:
    """Reads, overrides, validates and resolves a suite.

    Args:
        path: of the YAML file.
        scale: a name among its ``scales``, or None.
        data: the data folder; relative weight paths are looked up there too.
        plugins: Python files with components, besides the suite's own.

    Raises:
        Mistakes: every mistake in it at once, each with its place.
    """
    document = read_document(path)
    if not isinstance(document.data, dict):
        raise Mistake("a suite is a mapping", where=str(path), fix="see suites/quickstart.yaml")
    if scale is not None:
        scales = document.data.get("scales") or {}
        if scale not in scales:
            raise Mistake(
                f"the suite has no scale {scale!r}", where=str(path), fix=nearest(scale, list(scales)) if scales else ""
            )
        document = merge(document, document, ("scales", scale))
    for plugin in [*(path.parent / p for p in document.data.get("plugins") or []), *(plugins or [])]:
        load_plugin(plugin)
    return _Resolver(document, path, data).resolve(scale)


@dataclass
class _Resolver:
    """Resolves a document, gathering mistakes instead of stopping at the first."""

    document: Document
    path: Path
    data: Path | None
    mistakes: list[Mistake] = field(default_factory=list)

    def resolve(self, scale: str | None) -> ResolvedSuite:
        try:
            suite = Suite.model_validate(self.document.data)
        except ValidationError as error:
            self._report(error, (), Suite)
            suite = None
        raw = self.document.data
        frontend = self._choose("frontends", raw.get("frontend"), ("frontend",))
        augment = self._augment(raw.get("augment"), ("augment",))
        tasks = [self._choose("tasks", ref, ("tasks", i)) for i, ref in enumerate(_sequence(raw.get("tasks")))]
        for i, task in enumerate(tasks):
            if task and not find("tasks", task.name).folds:
                self._mistake(f"{task.name} is a corpus alone: it has no folds to test on", ("tasks", i), "")
        protocols = {
            name: self._choose("protocols", {"name": name, **_mapping(fields)}, ("protocols", name))
            for name, fields in _mapping(raw.get("protocols")).items()
        }
        entries = [self._entry(name, _mapping(e), list(protocols)) for name, e in _mapping(raw.get("entries")).items()]
        control = raw.get("control")
        if control is not None and control not in _mapping(raw.get("entries")):
            self._mistake(
                f"control: no entry is called {control!r}", ("control",), nearest(str(control), list(raw["entries"]))
            )
        if self.mistakes or suite is None:
            raise Mistakes(self.mistakes)
        assert frontend is not None
        return ResolvedSuite(
            suite=suite,
            scale=scale,
            frontend=frontend,
            augment=augment,
            entries=tuple(e for e in entries if e),
            tasks=tuple(t for t in tasks if t),
            protocols={name: choice for name, choice in protocols.items() if choice},
        )

    def _entry(self, name: str, raw: Mapping[str, Any], protocols: list[str]) -> ResolvedEntry | None:
        at: Keys = ("entries", name)
        over = (
            Document({"encoder": raw["encoder"]}, _below(self.document, at)) if raw.get("encoder") else Document({}, {})
        )
        merged = merge(Document({"encoder": self.document.data.get("encoder")}, self.document.places), over)
        encoder = self._choose("encoders", merged.data["encoder"], ("encoder",), merged)
        weights = self._weights(raw.get("weights"), (*at, "weights"))
        chosen = _sequence(raw.get("protocols", protocols))
        for i, protocol in enumerate(chosen):
            if protocol not in protocols:
                hint = nearest(str(protocol), protocols)
                self._mistake(f"the suite has no protocol {protocol!r}", (*at, "protocols", i), hint)
        return ResolvedEntry(name, encoder, weights, tuple(chosen)) if encoder and weights else None

    def _weights(self, raw: Any, at: Keys) -> Weights | None:
        if raw in ("random", "imagenet"):
            return Weights(raw)
        kinds = [kind for kind in ("pretrain", "imagenet", "checkpoint") if kind in _mapping(raw)]
        if len(kinds) != 1:
            if isinstance(raw, dict):  # anything else the schema has reported
                self._mistake(
                    "weights need one of pretrain, imagenet, checkpoint", at, f"got {', '.join(map(str, raw))}"
                )
            return None
        if kinds == ["pretrain"]:
            return self._pretrain(raw, at)
        for surplus in set(raw) - set(kinds):
            self._mistake(f"unknown key {surplus!r}", (*at, surplus), f"{kinds[0]} takes a path alone")
        path = self._find_file(str(raw[kinds[0]]), (*at, kinds[0]))
        return Weights("imagenet" if kinds == ["imagenet"] else "checkpoint", path=path) if path else None

    def _pretrain(self, raw: Mapping[str, Any], at: Keys) -> Weights | None:
        base = Document(
            {"weights": self.document.data.get("pretrain") or {}}, _renamed(self.document, ("pretrain",), ("weights",))
        )
        own = {key: value for key, value in raw.items() if key != "pretrain"}
        merged = merge(base, Document({"weights": own}, _renamed(self.document, at, ("weights",))))
        fields = dict(merged.data["weights"])
        method = self._choose("methods", raw["pretrain"], (*at, "pretrain"))
        if "corpus" not in fields:
            self._mistake("the pretraining names no corpus", at, "add corpus: TASK here or in the pretrain section")
        corpus = self._choose("tasks", fields.pop("corpus", None), ("weights", "corpus"), merged)
        shared = "augment" not in fields
        augment = self._augment(
            fields.pop("augment", self.document.data.get("augment")),
            ("augment",) if shared else ("weights", "augment"),
            None if shared else merged,
        )
        if method is None or corpus is None:
            return None
        defaults = find("methods", method.name).recipe
        training = self._attempt(
            lambda: Training.model_validate({**defaults, **fields}), ("weights",), merged, Training
        )
        return Weights("pretrain", None, method, corpus, training, augment) if training else None

    def _augment(self, raw: Any, at: Keys, document: Document | None = None) -> tuple[Choice, ...]:
        choices = [self._choose("augmentations", ref, (*at, i), document) for i, ref in enumerate(_sequence(raw))]
        return tuple(choice for choice in choices if choice)

    def _choose(self, kind: str, reference: Any, at: Keys, document: Document | None = None) -> Choice | None:
        if not isinstance(reference, str | dict):
            return None  # missing or of another type: the schema has reported it
        return self._attempt(lambda: choose(kind, reference), at, document, None, kind, reference)

    def _attempt(
        self,
        make: Callable[[], T],
        at: Keys,
        document: Document | None,
        model: type[BaseModel] | None,
        kind: str = "",
        reference: Reference = "",
    ) -> T | None:
        document = document or self.document
        try:
            return make()
        except ValidationError as error:
            name = reference if isinstance(reference, str) else reference.get("name", "")
            self._report(error, at, model or find(kind, str(name)).Config, document)
        except Mistake as mistake:
            in_name = (*at, "name") if isinstance(reference, dict) and "name" in reference else at
            self._mistake(mistake.what, in_name, mistake.fix, document)
        return None

    def _report(
        self, error: ValidationError, at: Keys, model: type[BaseModel], document: Document | None = None
    ) -> None:
        for problem in error.errors():
            inner = tuple(k for k in problem["loc"] if not _is_branch(k))
            if problem["type"] == "extra_forbidden":
                known = list(
                    Entry.model_fields if inner[:1] == ("entries",) and len(inner) == 3 else model.model_fields
                )
                self._mistake(f"unknown key {inner[-1]!r}", (*at, *inner), nearest(str(inner[-1]), known), document)
            else:
                got = "" if problem["type"] == "missing" else f", got {problem['input']!r}"
                what = f"{'.'.join(map(str, inner)) or 'value'}: {problem['msg']}{got}"
                self._mistake(what, (*at, *inner), "", document)

    def _mistake(self, what: str, at: Keys, fix: str, document: Document | None = None) -> None:
        document = document or self.document
        path = ".".join(map(str, at))
        mistake = Mistake(what, where=f"{document.place(at)} ({path})", fix=fix)
        if str(mistake) not in map(str, self.mistakes):
            self.mistakes.append(mistake)

    def _find_file(self, name: str, at: Keys) -> Path | None:
        """A weight file: as given, beside the suite file, in the data folder, or beside the data folder."""
        folders = [Path(), self.path.parent, *([self.data, self.data.parent] if self.data else [])]
        found = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if found is None:
            looked = ", ".join(str(folder) for folder in folders)
            self._mistake(f"no such file: {name}", at, f"looked in {looked}; give its path, or --data beside it")
        return found


def _is_branch(key: str | int) -> bool:
    """Whether a location names a branch of a union, which the document does not have."""
    return isinstance(key, str) and (key in ("str", "dict") or key.startswith(("dict[", "literal[", "function-")))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _renamed(document: Document, old: Keys, new: Keys) -> dict[Keys, str]:
    """The places below ``old``, as if they stood below ``new``."""
    return {(*new, *k[len(old) :]): place for k, place in document.places.items() if k[: len(old)] == old}


def _below(document: Document, at: Keys) -> dict[Keys, str]:
    return _renamed(document, at, ())
