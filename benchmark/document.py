"""YAML documents that know where each value stands, and how one document overrides another."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from registry.errors import Mistake
from registry.lookup import nearest

Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """Plain data, and the ``file:line:column`` of every value in it, by path."""

    data: Any
    places: Mapping[Keys, str]

    def place(self, path: Keys) -> str:
        """Where a value stands, or its nearest ancestor that is written down."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, "")


def read_document(path: Path) -> Document:
    """Reads a YAML file.

    Raises:
        Mistake: if it cannot be read, is no YAML, or says a key twice.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise Mistake(f"cannot read {path}: {error.strerror}", fix="name a suite file") from error
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is no text file", fix="name a suite file") from error
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """Parses YAML text; ``name`` stands in the places."""
    places: dict[Keys, str] = {}
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        data = _plain(node, (), name, places) if node else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise Mistake(
            f"not valid YAML: {getattr(error, 'problem', None) or error}", where=where, fix="mend the file"
        ) from error
    return Document(data, places)


def merge(base: Document, override: Document, at: Keys = ()) -> Document:
    """``base`` with the part of ``override`` at ``at`` laid over it: mappings merge key by key, anything else replaces.

    A component reference merges too: ``esresnet`` and ``{depth: 18}`` make ``{name: esresnet, depth: 18}``. A different
    ``name``, or weights of a different kind, replace the whole.
    """
    over: Any = override.data
    for key in at:
        over = over[key]
    places = dict(base.places)

    def lay(below: Any, above: Any, path: Keys) -> Any:
        if isinstance(above, Mapping) and isinstance(below, str) and not _naming(path) & set(above):
            below = {"name": below}
        if isinstance(below, Mapping) and isinstance(above, Mapping) and not _names_another(below, above, path):
            merged = dict(below)
            for key, value in above.items():
                places[(*path, key)] = override.place((*at, *path, key))
                merged[key] = lay(below[key], value, (*path, key)) if key in below else copy(value, (*path, key))
            return merged
        return copy(above, path)

    def copy(value: Any, path: Keys) -> Any:
        for old in [p for p in places if p[: len(path)] == path and p != path]:
            del places[old]
        source = (*at, *path)
        for old, place in override.places.items():
            if old[: len(source)] == source:
                places[(*path, *old[len(source) :])] = place
        return value

    return Document(lay(base.data, over, ()), places)


def _naming(path: Keys) -> set[str]:
    """The keys that say which component, or which kind of weights, a mapping at this path means."""
    if path[-1:] == ("weights",):
        return {"pretrain", "imagenet", "checkpoint"}
    return {"name"} if path else set()


def _names_another(below: Mapping[str, Any], above: Mapping[str, Any], path: Keys) -> bool:
    """Whether ``above`` is another component, or weights of another kind, than ``below``."""
    named = _naming(path) & set(above)
    return bool(named) and (named != _naming(path) & set(below) or above.get("name") != below.get("name"))


def _plain(node: yaml.Node, path: Keys, name: str, places: dict[Keys, str]) -> Any:
    places[path] = f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    if isinstance(node, yaml.MappingNode):
        data: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node)
            if key in data:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands here twice", key_node.start_mark
                )
            data[key] = _plain(value_node, (*path, key), name, places)
            places[(*path, key)] = f"{name}:{key_node.start_mark.line + 1}:{key_node.start_mark.column + 1}"
        return data
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*path, i), name, places) for i, child in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    return yaml.SafeLoader("").construct_object(node)


def suite_path(reference: str) -> Path:
    """A path as it is, or a shipped suite by its name.

    Raises:
        Mistake: if there is neither.
    """
    path = Path(reference)
    if path.is_file():
        return path
    shipped = Path(__file__).parent.parent / "suites"
    if (shipped / f"{reference}.yaml").is_file():
        return shipped / f"{reference}.yaml"
    known = sorted(str(p.relative_to(shipped).with_suffix("")) for p in shipped.rglob("*.yaml"))
    raise Mistake(f"no suite file or shipped suite is called {reference!r}", fix=nearest(path.stem, known))
