"""Finds components by name: in the registry's own folders, in entry points, and in plugin files.

A component is a public class in the module that carries its name: ``moco`` is the one class in
``registry/methods/moco.py`` that subclasses ``registry.methods.Method``. Nothing is imported until it is named.
"""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, NamedTuple, cast

from pydantic import BeforeValidator, ValidationError, WithJsonSchema

from registry.errors import Mistake
from registry.pipelines import expand
from registry.settings import Component

CONTRACTS = {
    "encoders": "Encoder",
    "frontends": "Frontend",
    "augmentations": "Augmentation",
    "methods": "Method",
    "tasks": "Task",
    "protocols": "Protocol",
}
KINDS = tuple(CONTRACTS)


class _Plugin(NamedTuple):
    component: type[Component]
    digest: str  # of its file


_plugins: dict[tuple[str, str], _Plugin] = {}


@dataclass(frozen=True)
class Choice:
    """A component as a suite names it: its kind, its name and its complete settings."""

    kind: str
    name: str
    settings: Any  # of the component's own Config
    version: int | str

    @property
    def config(self) -> dict[str, Any]:
        """The canonical form that enters job keys: name, version and settings."""
        return {"name": self.name, "version": self.version, **self.settings.canonical()}


def names(kind: str) -> list[str]:
    """Every name of a kind, sorted: the registry's own, installed plugins', and loaded plugin files'."""
    folder = Path(__file__).parent / _known_kind(kind)
    own = {path.stem.replace("_", "-") for path in folder.glob("*.py") if not path.stem.startswith("_")}
    return sorted(own | set(_entry_points(kind)) | {name for k, name in _plugins if k == kind})


def nearest(name: str, known: list[str]) -> str:
    """A hint for a name that is not known: the nearest ones, or all of them."""
    close = get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"


def find(kind: str, name: str) -> Any:
    """The class of a component: a subclass of its kind's contract.

    Raises:
        Mistake: if no component of that kind has that name (with the nearest names).
    """
    if (kind, name) in _plugins:
        return _plugins[kind, name].component
    if name not in names(kind):
        raise Mistake(f"no {_singular(kind)} is called {name!r}", fix=nearest(name, names(kind)))
    if name in _entry_points(kind):
        loaded = _entry_points(kind)[name].load()
        return cast(type[Component], loaded) if inspect.isclass(loaded) else _component_in(loaded, kind)
    return _component_in(importlib.import_module(f"registry.{kind}.{name.replace('-', '_')}"), kind)


def version_of(kind: str, name: str) -> int | str:
    """What a component's version is in job keys: its number, which changes with its figures.

    The authors of plugins need not know of that: theirs is followed by a digest of their file, or of every Python file
    of their package.
    """
    component = find(kind, name)
    if (kind, name) in _plugins:
        digest = _plugins[kind, name].digest
    elif name in _entry_points(kind):
        digest = _package_digest(_entry_points(kind)[name].module.partition(".")[0])
    else:
        return int(component.version)
    return f"{component.version}+{digest[:16]}"


def installed_plugins() -> dict[str, str]:
    """Digests of the packages whose entry points add components, by name; none of them is imported."""
    packages = {point.module.partition(".")[0] for kind in KINDS for point in _entry_points(kind).values()}
    return {package: _package_digest(package) for package in sorted(packages)}


def choose(kind: str, reference: str | Mapping[str, Any]) -> Choice:
    """Resolves ``moco`` or ``{name: moco, queue_size: 4096}`` to a component and its complete settings.

    Raises:
        Mistake: if the name is unknown.
        pydantic.ValidationError: if a setting is; its locations are relative to the reference.
    """
    fields = {"name": reference} if isinstance(reference, str) else dict(reference)
    name = fields.pop("name", None)
    if not isinstance(name, str):
        raise Mistake(f"this {_singular(kind)} has no name", fix=f"add name: one of {', '.join(names(kind))}")
    component = find(kind, name)
    return Choice(kind, name, component.Config.model_validate(fields), version_of(kind, name))


def recall(kind: str, config: Mapping[str, Any]) -> Any:
    """The class of a component and its settings, from the canonical form that a job stores.

    Returns:
        ``(component class, settings)``.
    """
    fields = {key: value for key, value in config.items() if key != "version"}
    try:
        choice = choose(kind, fields)
    except ValidationError as error:  # the job was written by another version of the component
        raise Mistake(
            f"stored settings of {config['name']} no longer fit: {error}", fix="plan the suite again"
        ) from error
    return find(kind, choice.name), choice.settings


def canonical(kind: str, reference: Any) -> dict[str, Any]:
    """A component named inside another's settings, with every setting of its own.

    Raises:
        ValueError: with what is wrong, as pydantic's validators report it.
    """
    if not isinstance(reference, str | Mapping):
        raise ValueError(f"name a {_singular(kind)}, or give a mapping with its name")
    if isinstance(reference, Mapping):
        reference = {key: value for key, value in reference.items() if key != "version"}
    try:
        return choose(kind, reference).config
    except Mistake as mistake:
        raise ValueError(f"{mistake.what}; {mistake.fix}") from mistake
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise ValueError("; ".join(problems)) from error


def _expanded(given: Any) -> Any:
    """A list of augmentations with every pipeline in it as its steps."""
    return [step for item in given for step in expand(item)] if isinstance(given, list) else given


_NAME_OR_MAPPING = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})
FrontendReference = Annotated[dict[str, Any], BeforeValidator(partial(canonical, "frontends")), _NAME_OR_MAPPING]
EncoderReference = Annotated[dict[str, Any], BeforeValidator(partial(canonical, "encoders")), _NAME_OR_MAPPING]
AugmentationReference = Annotated[
    dict[str, Any], BeforeValidator(partial(canonical, "augmentations")), _NAME_OR_MAPPING
]
MethodReference = Annotated[dict[str, Any], BeforeValidator(partial(canonical, "methods")), _NAME_OR_MAPPING]
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
            _plugins[kind, name] = _Plugin(component, digest)
            found.append(f"{kind}/{name}")
    if not found:
        raise Mistake("plugin holds no component", where=str(path), fix="define a subclass of Encoder, Method, ...")
    return found


def _entry_points(kind: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in _installed() if point.group == f"audiobench.{kind}"}


@cache
def _installed() -> list[EntryPoint]:
    """Every entry point of audiobench, those first on the path last; looking takes long, and is done once."""
    points = [point for one in distributions() for point in one.entry_points if point.group.startswith("audiobench.")]
    return points[::-1]


@cache
def _package_digest(package: str) -> str:
    """SHA-256 of every Python file of a package, or of a module's only one, with their names."""
    spec = importlib.util.find_spec(package)
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    files = {path.relative_to(folder).as_posix(): path for folder in folders for path in folder.rglob("*.py")}
    if spec and spec.origin and not folders:
        files[Path(spec.origin).name] = Path(spec.origin)
    parts = [f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}" for name in sorted(files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _component_in(module: ModuleType, kind: str) -> type[Component]:
    found = _components_in(module, kind)
    if len(found) != 1:
        raise Mistake(
            f"{module.__name__} must define exactly one public {CONTRACTS[kind]}, and defines {len(found)}",
            where=str(module.__file__),
            fix="one file a system; begin the names of shared classes with an underscore",
        )
    return found[0]


def _components_in(module: ModuleType, kind: str) -> list[type[Component]]:
    contract = getattr(importlib.import_module(f"registry.{kind}"), CONTRACTS[kind])
    return [
        cast(type[Component], value)
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, contract)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise Mistake(f"no kind of component is called {kind!r}", fix=nearest(kind, list(KINDS)))
    return kind


def _singular(kind: str) -> str:
    return kind.removesuffix("s").replace("frontend", "front end")
