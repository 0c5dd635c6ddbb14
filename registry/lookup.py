"""Finds components by name: in the registry's own folders, in entry points, and in plugin files.

A component is a public class in the module that carries its name: ``moco`` is the one class in
``registry/methods/moco.py`` that subclasses ``registry.methods.Method``. Nothing is imported until it is named.
"""

import hashlib
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


_PLUGIN = "audiobench_plugin_"  # begins the names of the modules of plugin files
_IMPORTS = "import from audiobench, or what is installed: registry and benchmark are packages in a checkout alone"
_plugins: dict[tuple[str, str], _Plugin] = {}


@dataclass(frozen=True)
class Kind(Generic[C]):
    """A kind of component: a folder of the registry, and the contract of its components.

    Args:
        folder: below ``registry/``; the command line, entry points and schemas use this name, too.
        contract: the class in the folder's ``__init__`` that every component of the kind subclasses.
        singular: the word for one component in a sentence.
    """

    folder: str
    contract: str
    singular: str

    def names(self) -> list[str]:
        """Every name, sorted: those of the registry, of installed plugins, and of loaded plugin files."""
        in_plugins = {name for folder, name in _plugins if folder == self.folder}
        return sorted(_shipped(self.folder) | set(_entry_points(self)) | in_plugins)

    def in_file(self, name: str) -> bool:
        """Whether a plugin file that was loaded holds the component of this name."""
        return (self.folder, name) in _plugins

    def find(self, name: str) -> type[C]:
        """The class of a component: a subclass of the kind's contract.

        Raises:
            Mistake: if no component of this kind has that name; it suggests the nearest names.
        """
        if (self.folder, name) in _plugins:
            return cast(type[C], _plugins[self.folder, name].component)
        if name not in self.names():
            hint = f"{nearest(name, self.names())} (audiobench list {self.folder})"
            raise Mistake(f"no {self.singular} is called {name!r}", fix=hint)
        if name in _entry_points(self):
            loaded = _entry_points(self)[name].load()
            return cast(type[C], loaded if inspect.isclass(loaded) else _component_in(loaded, self))
        module = importlib.import_module(f".{self.folder}.{name.replace('-', '_')}", __package__)
        return cast(type[C], _component_in(module, self))

    def version(self, name: str) -> int | str:
        """A component's version in job keys: a number that its author raises when its figures change.

        Authors of plugins need not raise it: a digest of their file, or of every Python file of their package, follows
        the number.
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

        Code that the settings name may run from now on: who calls this names it.

        Raises:
            Mistake: if the name is unknown.
            pydantic.ValidationError: if a setting is wrong; its locations are relative to the reference.
        """
        from registry.own_code import name_all

        name_all(reference)
        return self.resolve(reference)

    def resolve(self, reference: str | Mapping[str, Any]) -> "Choice[C]":
        """Does what ``choose`` does with a reference that may be a stranger's: code that it names does not run."""
        fields = {"name": reference} if isinstance(reference, str) else dict(reference)
        name = fields.pop("name", None)
        if not isinstance(name, str):
            raise Mistake(f"this {self.singular} has no name", fix=f"add name: one of {', '.join(self.names())}")
        return Choice.of(self, name, self.find(name).Config.model_validate(fields))

    def build(self, reference: str | Mapping[str, Any], *arguments: object) -> C:
        """Makes a component from a reference; ``arguments`` are those that its contract's constructor takes, too."""
        return self.choose(reference).build(*arguments)


@dataclass(frozen=True)
class Choice(Generic[C]):
    """The component that a suite or a job names, with its complete settings.

    Args:
        kind: of the component.
        config: the canonical form, which enters job keys: name, version and settings.
    """

    kind: Kind[C]
    config: Mapping[str, Any]

    @staticmethod
    def of(kind: Kind[C], name: str, settings: Settings) -> "Choice[C]":
        """A component with settings that are already validated."""
        choice = Choice(kind, {"name": name, "version": kind.version(name), **settings.canonical()})
        vars(choice)["settings"] = settings
        return choice

    @property
    def name(self) -> str:
        """The component's name."""
        return str(self.config["name"])

    @cached_property
    def component(self) -> type[C]:
        """The component's class."""
        return self.kind.find(self.name)

    @cached_property
    def settings(self) -> Any:
        """The component's own ``Config``, validated once: by ``choose``, or, for a stored job, at the first use.

        Raises:
            Mistake: if the job was stored with another version of the component, whose settings do not fit.
        """
        fields = {key: value for key, value in self.config.items() if key not in ("name", "version")}
        try:
            return self.component.Config.model_validate(fields)
        except ValidationError as error:
            what = f"stored settings of {self.name} no longer fit: {error}"
            raise Mistake(what, fix="plan the suite again") from error

    def build(self, *arguments: object) -> C:
        """Makes the component; ``arguments`` are those that its contract's constructor takes beside the settings."""
        return cast(Callable[..., C], self.component)(self.settings, *arguments)


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
        Mistake: if there is none; it suggests the nearest names.
    """
    for kind in KINDS:
        if kind.folder == folder:
            return kind
    raise Mistake(f"no kind of component is called {folder!r}", fix=nearest(folder, [kind.folder for kind in KINDS]))


def nearest(name: str, known: list[str]) -> str:
    """A hint for an unknown name: the nearest known names, or all of them."""
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
    """The component that a value of any type names, inside another component's settings or on the command line.

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
        return kind.resolve(reference)
    except Mistake as mistake:
        raise ValueError(f"{mistake.what}; {mistake.fix}") from mistake
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise ValueError("; ".join(problems)) from error


def _expanded(given: Any) -> Any:
    """A list of augmentations, with every pipeline replaced by its steps."""
    return [step for item in given for step in expand(item)] if isinstance(given, list) else given


_AS_CONFIG = PlainSerializer(lambda choice: dict(choice.config), return_type=dict[str, Any])
_NAME_OR_MAPPING = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})


def _reference(kind: Kind[AnyComponent]) -> Any:
    """The type of a setting that names a component of a kind."""
    return Annotated[Any, PlainValidator(lambda given: chosen(kind, given)), _AS_CONFIG, _NAME_OR_MAPPING]


def _stored(kind: Kind[AnyComponent]) -> Any:
    """The type of a job's field that holds a component of a kind; its settings are validated when they are used."""

    def read(given: Any) -> Choice[AnyComponent]:
        if isinstance(given, Choice):
            return given
        if not isinstance(given, dict) or not isinstance(given.get("name"), str) or "version" not in given:
            raise ValueError(f"a stored {kind.singular} has a name, a version and settings")
        return Choice(kind, given)

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

    A file that was loaded before, and has not changed since, is not executed again: its classes stay the same.

    Returns:
        ``kind/name`` of every component in the file.

    Raises:
        Mistake: if the file is missing, does not import, or contains no component.
    """
    if not path.is_file():
        raise Mistake(f"plugin {path} does not exist", fix="give the path of a Python file")
    text = path.read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    unique = f"{_PLUGIN}{path.stem}_{digest[:16]}"  # there may be two files of one name
    module = sys.modules.get(unique)
    if module is None or module.__file__ != str(path):
        module = _execute(unique, path, text)
    registered = []
    for kind in KINDS:
        for component in _components_in(module, kind):
            name = getattr(component, "name", path.stem.replace("_", "-"))
            _plugins[kind.folder, name] = _Plugin(component, digest)
            registered.append(f"{kind.folder}/{name}")
    if not registered:
        raise Mistake("plugin holds no component", where=str(path), fix="define a subclass of Encoder, Method, ...")
    return registered


def _execute(name: str, path: Path, text: bytes) -> ModuleType:
    """A module of a name, from a file's text."""
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # pydantic looks for the module of a class there
    try:
        # Not by an import: it would use compiled code of a second ago if the file's size has not changed.
        exec(compile(text, path, "exec"), vars(module))  # nosec B102 # the user names this file of code
    except Exception as error:
        del sys.modules[name]
        what = f"plugin does not import: {type(error).__name__}: {error}"
        raise Mistake(what, where=str(path), fix=_IMPORTS) from error
    return module


def plugin_file(component: type) -> Path | None:
    """The plugin file that a class stands in; None if it stands elsewhere."""
    module = sys.modules.get(component.__module__)
    is_plugin = component.__module__.startswith(_PLUGIN) and module and module.__file__
    return Path(str(is_plugin)) if is_plugin else None


@cache
def _shipped(folder: str) -> frozenset[str]:
    """The names of the registry's own components of a kind."""
    files = (Path(__file__).parent / folder).glob("*.py")
    return frozenset(path.stem.replace("_", "-") for path in files if not path.stem.startswith("_"))


def _entry_points(kind: Kind[AnyComponent]) -> dict[str, EntryPoint]:
    return {point.name: point for point in _installed() if point.group == f"audiobench.{kind.folder}"}


@cache
def _installed() -> list[EntryPoint]:
    """Every entry point of audiobench, in reverse order of the path. The search takes long, and is done once."""
    points = [point for package in distributions() for point in package.entry_points]
    return [point for point in points[::-1] if point.group.startswith("audiobench.")]


@cache
def package_digest(package: str) -> str:
    """SHA-256 of every Python file of a package, or of the only file of a module, with their names."""
    spec = importlib.util.find_spec(package)
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    files = {path.relative_to(folder).as_posix(): path for folder in folders for path in folder.rglob("*.py")}
    if spec and spec.origin and not folders:
        files[Path(spec.origin).name] = Path(spec.origin)
    lines = [f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}" for name in sorted(files)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def _component_in(module: ModuleType, kind: Kind[AnyComponent]) -> type[AnyComponent]:
    components = _components_in(module, kind)
    if len(components) != 1:
        what = f"{module.__name__} must define exactly one public {kind.contract}, and defines {len(components)}"
        fix = "define one in each file; begin the names of shared classes with an underscore"
        raise Mistake(what, where=str(module.__file__), fix=fix)
    return components[0]


def _components_in(module: ModuleType, kind: Kind[AnyComponent]) -> list[type[AnyComponent]]:
    contract = getattr(importlib.import_module(f".{kind.folder}", __package__), kind.contract)
    return [
        cast(type[AnyComponent], value)
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, contract)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
