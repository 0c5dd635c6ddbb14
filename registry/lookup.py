"""Finds components by name: in the registry's own folders, in entry points, and in plugin files.

A component is a public class in the module that carries its name: ``moco`` is the one class in
``registry/methods/moco.py`` that subclasses ``registry.methods.Method``. Nothing is imported until it is named.
"""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypeVar, cast

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, ValidationError, WithJsonSchema

from registry.errors import Mistake
from registry.pipelines import expand
from registry.settings import Component, Settings

if TYPE_CHECKING:
    from registry.augmentations import Augmentation
    from registry.encoders import Encoder
    from registry.frontends import Frontend
    from registry.methods import Method
    from registry.protocols import Protocol
    from registry.targets import Target
    from registry.tasks import Task
    from registry.weights import Weights

AnyComponent = Component[Any]
C = TypeVar("C", bound=AnyComponent, covariant=True)


class _Plugin(NamedTuple):
    component: type[AnyComponent]
    digest: str  # of its file


_plugins: dict[tuple[str, str], _Plugin] = {}


@dataclass(frozen=True)
class Kind(Generic[C]):
    """A kind of component: a folder of the registry, and the contract of what is in it.

    Args:
        folder: below ``registry/``; also the name that the command line, entry points and schemas use.
        contract: the class in the folder's ``__init__`` that every component of the kind subclasses.
        singular: what one of them is called in a sentence.
    """

    folder: str
    contract: str
    singular: str

    def names(self) -> list[str]:
        """Every name, sorted: the registry's own, installed plugins', and loaded plugin files'."""
        files = (Path(__file__).parent / self.folder).glob("*.py")
        own = {path.stem.replace("_", "-") for path in files if not path.stem.startswith("_")}
        return sorted(own | set(_entry_points(self)) | {name for folder, name in _plugins if folder == self.folder})

    def find(self, name: str) -> type[C]:
        """The class of a component: a subclass of the kind's contract.

        Raises:
            Mistake: if no component of this kind has that name (with the nearest names).
        """
        if (self.folder, name) in _plugins:
            return cast(type[C], _plugins[self.folder, name].component)
        if name not in self.names():
            raise Mistake(f"no {self.singular} is called {name!r}", fix=nearest(name, self.names()))
        if name in _entry_points(self):
            loaded = _entry_points(self)[name].load()
            return cast(type[C], loaded if inspect.isclass(loaded) else _component_in(loaded, self))
        module = importlib.import_module(f"registry.{self.folder}.{name.replace('-', '_')}")
        return cast(type[C], _component_in(module, self))

    def version(self, name: str) -> int | str:
        """What a component's version is in job keys: its number, which changes with its figures.

        The authors of plugins need not know of that: theirs is followed by a digest of their file, or of every Python
        file of their package.
        """
        number = self.find(name).version
        if (self.folder, name) in _plugins:
            digest = _plugins[self.folder, name].digest
        elif name in _entry_points(self):
            digest = package_digest(_entry_points(self)[name].module.partition(".")[0])
        else:
            return number
        return f"{number}+{digest[:16]}"

    def choose(self, reference: str | Mapping[str, Any]) -> "Choice[C]":
        """Resolves ``moco`` or ``{name: moco, queue_size: 4096}`` to a component and its complete settings.

        Raises:
            Mistake: if the name is unknown.
            pydantic.ValidationError: if a setting is; its locations are relative to the reference.
        """
        fields = {"name": reference} if isinstance(reference, str) else dict(reference)
        name = fields.pop("name", None)
        if not isinstance(name, str):
            raise Mistake(f"this {self.singular} has no name", fix=f"add name: one of {', '.join(self.names())}")
        return Choice.of(self, name, self.find(name).Config.model_validate(fields))

    def build(self, reference: str | Mapping[str, Any], *given: object) -> C:
        """A component as ``choose`` resolves it, made of its settings and what its contract's constructor takes."""
        return self.choose(reference).build(*given)


@dataclass(frozen=True)
class Choice(Generic[C]):
    """A component as a suite or a job names it, with its complete settings.

    Args:
        kind: of the component.
        config: the canonical form, which enters job keys: name, version and settings.
    """

    kind: Kind[C]
    config: Mapping[str, Any]

    @staticmethod
    def of(kind: Kind[C], name: str, settings: Settings) -> "Choice[C]":
        """A component with settings that were validated already."""
        choice = Choice(kind, {"name": name, "version": kind.version(name), **settings.canonical()})
        vars(choice)["settings"] = settings
        return choice

    @property
    def name(self) -> str:
        """The component's."""
        return str(self.config["name"])

    @cached_property
    def component(self) -> type[C]:
        """The class."""
        return self.kind.find(self.name)

    @cached_property
    def settings(self) -> Any:
        """The component's own ``Config``, validated once: by ``choose``, or of a stored job when it is first asked for.

        Raises:
            Mistake: if the job was stored by another version of the component, whose settings do not fit.
        """
        fields = {key: value for key, value in self.config.items() if key not in ("name", "version")}
        try:
            return self.component.Config.model_validate(fields)
        except ValidationError as error:
            raise Mistake(
                f"stored settings of {self.name} no longer fit: {error}", fix="plan the suite again"
            ) from error

    def build(self, *given: object) -> C:
        """The component, made of its settings and what its contract's constructor takes besides."""
        return cast(Callable[..., C], self.component)(self.settings, *given)


AUGMENTATIONS: "Kind[Augmentation]" = Kind("augmentations", "Augmentation", "augmentation")
ENCODERS: "Kind[Encoder]" = Kind("encoders", "Encoder", "encoder")
FRONTENDS: "Kind[Frontend]" = Kind("frontends", "Frontend", "front end")
METHODS: "Kind[Method]" = Kind("methods", "Method", "method")
PROTOCOLS: "Kind[Protocol]" = Kind("protocols", "Protocol", "protocol")
TARGETS: "Kind[Target]" = Kind("targets", "Target", "target")
TASKS: "Kind[Task]" = Kind("tasks", "Task", "task")
WEIGHTS: "Kind[Weights]" = Kind("weights", "Weights", "source of weights")
KINDS: tuple[Kind[AnyComponent], ...] = (
    ENCODERS,
    WEIGHTS,
    FRONTENDS,
    AUGMENTATIONS,
    METHODS,
    TASKS,
    TARGETS,
    PROTOCOLS,
)


def kind_called(folder: str) -> Kind[AnyComponent]:
    """A kind by the name of its folder.

    Raises:
        Mistake: if there is none (with the nearest names).
    """
    for kind in KINDS:
        if kind.folder == folder:
            return kind
    raise Mistake(f"no kind of component is called {folder!r}", fix=nearest(folder, [kind.folder for kind in KINDS]))


def nearest(name: str, known: list[str]) -> str:
    """A hint for a name that is not known: the nearest ones, or all of them."""
    close = get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"


def named(name: str, **settings: Any) -> Any:
    """The default of a setting that names a component."""
    return {"name": name, **settings}


def installed_plugins() -> dict[str, str]:
    """Digests of the packages whose entry points add components, by name; none of them is imported."""
    packages = {point.module.partition(".")[0] for kind in KINDS for point in _entry_points(kind).values()}
    return {package: package_digest(package) for package in sorted(packages)}


def chosen(kind: Kind[C], reference: Any) -> Choice[C]:
    """What a value names, whatever it is: inside another component's settings, or on the command line.

    Raises:
        ValueError: with what is wrong, as pydantic's validators report it.
    """
    if isinstance(reference, Choice):
        return reference
    if not isinstance(reference, str | Mapping):
        raise ValueError(f"name a {kind.singular}, or give a mapping with its name")
    if isinstance(reference, Mapping):
        reference = {key: value for key, value in reference.items() if key != "version"}
    try:
        return kind.choose(reference)
    except Mistake as mistake:
        raise ValueError(f"{mistake.what}; {mistake.fix}") from mistake
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise ValueError("; ".join(problems)) from error


def _expanded(given: Any) -> Any:
    """A list of augmentations with every pipeline in it as its steps."""
    return [step for item in given for step in expand(item)] if isinstance(given, list) else given


_AS_CONFIG = PlainSerializer(lambda choice: dict(choice.config), return_type=dict[str, Any])
_NAME_OR_MAPPING = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})


def _reference(kind: Kind[AnyComponent]) -> Any:
    """The type of a setting that names a component of a kind."""
    return Annotated[Any, PlainValidator(lambda given: chosen(kind, given)), _AS_CONFIG, _NAME_OR_MAPPING]


def _stored(kind: Kind[AnyComponent]) -> Any:
    """The type of a job's field that holds a component of a kind; its settings are validated when they are used."""

    def read(given: Any) -> Choice[AnyComponent]:
        return given if isinstance(given, Choice) else Choice(kind, given)

    return Annotated[Any, PlainValidator(read), _AS_CONFIG]


if TYPE_CHECKING:
    AugmentationReference = Choice[Augmentation]
    EncoderReference = Choice[Encoder]
    FrontendReference = Choice[Frontend]
    MethodReference = Choice[Method]
    TaskReference = Choice[Task]
    StoredAugmentation = Choice[Augmentation]
    StoredEncoder = Choice[Encoder]
    StoredFrontend = Choice[Frontend]
    StoredMethod = Choice[Method]
    StoredProtocol = Choice[Protocol]
    StoredTask = Choice[Task]
else:
    AugmentationReference, StoredAugmentation = _reference(AUGMENTATIONS), _stored(AUGMENTATIONS)
    EncoderReference, StoredEncoder = _reference(ENCODERS), _stored(ENCODERS)
    FrontendReference, StoredFrontend = _reference(FRONTENDS), _stored(FRONTENDS)
    MethodReference, StoredMethod = _reference(METHODS), _stored(METHODS)
    TaskReference, StoredTask = _reference(TASKS), _stored(TASKS)
    StoredProtocol = _stored(PROTOCOLS)
AugmentationList = Annotated[list[AugmentationReference], BeforeValidator(_expanded)]


def load_plugin(path: Path) -> list[str]:
    """Registers every component in a user's Python file under its file's name, or its class's ``name``.

    Returns:
        ``kind/name`` of what was found.

    Raises:
        Mistake: if the file is missing, does not import, or holds no component.
    """
    if not path.is_file():
        raise Mistake(f"plugin {path} does not exist", fix="give the path of a Python file")
    text = path.read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    module = ModuleType(f"audiobench_plugin_{path.stem}_{digest[:16]}")  # there may be two files of one name
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        # Not by an import, which would take compiled code of a second ago for that of a file of the same size.
        exec(compile(text, path, "exec"), vars(module))
    except Exception as error:
        raise Mistake(f"plugin does not import: {type(error).__name__}: {error}", where=str(path)) from error
    found = []
    for kind in KINDS:
        for component in _components_in(module, kind):
            name = getattr(component, "name", path.stem.replace("_", "-"))
            _plugins[kind.folder, name] = _Plugin(component, digest)
            found.append(f"{kind.folder}/{name}")
    if not found:
        raise Mistake("plugin holds no component", where=str(path), fix="define a subclass of Encoder, Method, ...")
    return found


def _entry_points(kind: Kind[AnyComponent]) -> dict[str, EntryPoint]:
    return {point.name: point for point in _installed() if point.group == f"audiobench.{kind.folder}"}


@cache
def _installed() -> list[EntryPoint]:
    """Every entry point of audiobench, those first on the path last; looking takes long, and is done once."""
    points = [point for one in distributions() for point in one.entry_points if point.group.startswith("audiobench.")]
    return points[::-1]


@cache
def package_digest(package: str) -> str:
    """SHA-256 of every Python file of a package, or of a module's only one, with their names."""
    spec = importlib.util.find_spec(package)
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    files = {path.relative_to(folder).as_posix(): path for folder in folders for path in folder.rglob("*.py")}
    if spec and spec.origin and not folders:
        files[Path(spec.origin).name] = Path(spec.origin)
    parts = [f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}" for name in sorted(files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _component_in(module: ModuleType, kind: Kind[AnyComponent]) -> type[AnyComponent]:
    found = _components_in(module, kind)
    if len(found) != 1:
        raise Mistake(
            f"{module.__name__} must define exactly one public {kind.contract}, and defines {len(found)}",
            where=str(module.__file__),
            fix="one file a system; begin the names of shared classes with an underscore",
        )
    return found[0]


def _components_in(module: ModuleType, kind: Kind[AnyComponent]) -> list[type[AnyComponent]]:
    contract = getattr(importlib.import_module(f"registry.{kind.folder}"), kind.contract)
    return [
        cast(type[AnyComponent], value)
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, contract)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
