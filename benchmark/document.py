"""YAML documents that know where each value stands, and how one document overrides another."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from registry.errors import Mistake
from registry.lookup import nearest

Keys = tuple[str | int, ...]
WEIGHTS = {"pretrain", "imagenet", "checkpoint"}  # the kinds of weights that take more than a word


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

    def find(self, path: Keys) -> Any:
        """The value at a path, or None."""
        value = self.data
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def moved(self, old: Keys, new: Keys) -> "Document":
        """The part at ``old`` alone, as if it stood at ``new``; an empty document where there is no such part."""
        value = self.find(old)
        if value is None:
            return Document({}, {})
        places = {(*new, *p[len(old) :]): place for p, place in self.places.items() if p[: len(old)] == old}
        for key in reversed(new):
            value = {key: value}
        return Document(value, places)


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


def merge(base: Document, override: Document) -> Document:
    """``base`` with ``override`` laid over it: mappings merge key by key, anything else replaces.

    A component reference merges too: ``esresnet`` and ``{depth: 18}`` make ``{name: esresnet, depth: 18}``. A different
    ``name``, or weights of a different kind, replace the whole.
    """
    places = dict(base.places)

    def lay(below: Any, above: Any, path: Keys) -> Any:
        if isinstance(above, Mapping) and isinstance(below, str) and not _naming(path) & set(above):
            below = {"name": below}
        if isinstance(below, Mapping) and isinstance(above, Mapping) and not _names_another(below, above, path):
            merged = dict(below)
            for key, value in above.items():
                inner = (*path, key)
                places[inner] = override.place(inner) or places.get(inner, "")
                merged[key] = lay(below[key], value, inner) if key in below else replace(value, inner)
            return merged
        return replace(above, path)

    def replace(value: Any, path: Keys) -> Any:
        for old in [p for p in places if p[: len(path)] == path and p != path]:
            del places[old]
        places.update({p: place for p, place in override.places.items() if p[: len(path)] == path})
        return value

    return Document(lay(base.data, override.data, ()), places)


def inherit(document: Document, parent: Keys, child: Keys) -> Document:
    """The document with the part at ``child`` completed from the part at ``parent``, which it refines or replaces."""
    aside: Keys = ("inherited",)
    completed = merge(document.moved(parent, aside), document.moved(child, aside))
    return merge(document, completed.moved(aside, child))


def _naming(path: Keys) -> set[str]:
    """The keys that say which component, or which kind of weights, a mapping at this path means."""
    if path[-1:] == ("weights",):
        return WEIGHTS
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
