"""YAML documents that know where each value stands, and how one document overrides another."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.suite.parse import Keys, parse
from registry.errors import Mistake
from registry.lookup import WEIGHTS, nearest

SHIPPED = Path(__file__).parents[2] / "suites"


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

    def file(self, path: Keys) -> Path:
        """The file that a value stands in: what it says of other files is relative to that."""
        return Path(self.place(path).rsplit(":", 2)[0])

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
        return Document({}, {}) if self.find(old) is None else self.stated(old, new)

    def stated(self, old: Keys, new: Keys) -> "Document":
        """The part at ``old`` alone, as if it stood at ``new``, be it null."""
        value = self.find(old)
        places = {(*new, *p[len(old) :]): place for p, place in self.places.items() if p[: len(old)] == old}
        for key in reversed(new):
            value = {key: value}
        return Document(value, places)


def read_suite(path: Path, scale: str | None) -> tuple[Document, list[Path]]:
    """Reads a suite file, laid over those that it extends, with a scale's override on top.

    Returns:
        The document, whose values know the file they stand in, and the files that were read.

    Raises:
        Mistake: if one cannot be read, extends itself, or there is no such scale.
    """
    files, documents = [path], [_read_mapping(path)]
    while (extended := documents[-1].data.get("extends")) is not None:
        files.append(_extended(extended, documents[-1], files))
        documents.append(_read_mapping(files[-1]))
    if len(files) > 1 and "name" not in documents[0].data:
        raise Mistake("a suite that extends another has a name of its own", where=str(path), fix="add name: NAME")
    document = documents.pop()
    while documents:
        document = _extend(document, documents.pop())
    if scale is None:
        return document, files
    scales = _scales(document)
    if scale not in scales:
        hint = nearest(scale, scales) if scales else ""
        raise Mistake(f"the suite has no scale {scale!r}", where=str(path), fix=hint)
    return merge(document, document.moved(("scales", scale), ())), files


def plugin_files(document: Document) -> list[Path]:
    """The Python files that a suite names, each beside the file that names it."""
    listed = document.find(("plugins",))
    return [
        document.file(("plugins", i)).parent / plugin
        for i, plugin in enumerate(listed if isinstance(listed, list) else ())
        if isinstance(plugin, str)
    ]


def _read_mapping(path: Path) -> Document:
    document = read_document(path)
    if not isinstance(document.data, dict):
        raise Mistake("a suite is a mapping", where=str(path), fix="see suites/quickstart.yaml")
    return document


def _extended(name: Any, document: Document, files: list[Path]) -> Path:
    """The file that a suite extends; ``files`` are those read so far."""
    where, folder = document.place(("extends",)), document.file(("extends",)).parent
    if not isinstance(name, str) or not (folder / name).is_file():
        missing = folder / str(name)
        there = sorted(path.name for path in missing.parent.glob("*.yaml") if path not in files)
        hint = f"; {nearest(missing.name, there)}" if there else ""
        raise Mistake(f"extends no suite file: {name}", where=where, fix=f"give a path relative to this file{hint}")
    if (folder / name).resolve() in [file.resolve() for file in files]:
        raise Mistake(f"{name} extends this file in turn", where=where, fix="take one of the two extends out")
    return folder / name


def _extend(base: Document, child: Document) -> Document:
    """A suite laid over the one it extends: null takes a key out, and what names the base's tables stays there."""
    taken = _nulls(base.data, child.data, ())
    gone: list[Keys] = [("name",), ("title",), ("reproduces",), *taken]
    # What is taken out must not come back with a scale's settings for it.
    gone += [("scales", scale, *path) for scale in _scales(base) for path in gone]
    merged = merge(_without(base, gone), _without(child, taken))
    return Document(merged.data, {**merged.places, (): child.place(())})


def _scales(document: Document) -> list[str]:
    scales = document.find(("scales",))
    return list(scales) if isinstance(scales, dict) else []


def _nulls(base: Mapping[str, Any], child: Mapping[str, Any], at: Keys) -> list[Keys]:
    """The keys of ``base`` that ``child`` says null over."""
    found: list[Keys] = []
    for key in base.keys() & child.keys():
        if child[key] is None:
            found.append((*at, key))
        elif isinstance(base[key], dict) and isinstance(child[key], dict):
            found += _nulls(base[key], child[key], (*at, key))
    return found


def _without(document: Document, gone: list[Keys]) -> Document:
    def kept(value: Any, path: Keys) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: kept(v, (*path, k)) for k, v in value.items() if (*path, k) not in gone}

    places = {p: place for p, place in document.places.items() if not any(p[: len(g)] == g for g in gone)}
    return Document(kept(document.data, ()), places)


def read_document(path: Path) -> Document:
    """Reads a YAML file.

    Raises:
        Mistake: if it cannot be read, is no YAML, or says a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Mistake(f"cannot read {path}: {error.strerror}", fix="name a suite file") from error
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is no text file", fix="name a suite file") from error
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """Parses YAML text; ``name`` stands in the places.

    Raises:
        Mistake: for what ``parse`` refuses.
    """
    return Document(*parse(text, name))


def merge(base: Document, override: Document) -> Document:
    """``base`` with ``override`` laid over it: mappings merge key by key, anything else replaces.

    A component reference merges too: ``esresnet`` and ``{depth: 18}`` make ``{name: esresnet, depth: 18}``. A different
    ``name``, or weights of a different kind, replace the whole. ``{0: {p: 0.5}}`` over a list is laid over
    its first item.
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
                merged[key] = lay(below[key], value, inner) if key in below else replace(None, value, inner)
            return merged
        if isinstance(below, list) and isinstance(above, Mapping) and above and set(above) <= set(range(len(below))):
            return list(lay(dict(enumerate(below)), above, path).values())
        return replace(below, above, path)

    def replace(below: Any, value: Any, path: Keys) -> Any:
        if isinstance(below, Mapping | list):  # else nothing stands further down, and looking for it takes long
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


def as_mapping(value: Any) -> Mapping[str, Any]:
    """A value that is a mapping, or an empty one: what is of another type, the schema reports."""
    return value if isinstance(value, dict) else {}


def _naming(path: Keys) -> set[str]:
    """The keys that say which component, or which kind of weights, a mapping at this path means."""
    if path[-1:] == ("weights",):
        return set(WEIGHTS.names())
    return {"name"} if path else set()


def _names_another(below: Mapping[str, Any], above: Mapping[str, Any], path: Keys) -> bool:
    """Whether ``above`` is another component, or weights of another kind, than ``below``."""
    named = _naming(path) & set(above)
    return bool(named) and (named != _naming(path) & set(below) or above.get("name") != below.get("name"))


def suite_path(reference: str) -> Path:
    """A path as it is, or a shipped suite by its name.

    Raises:
        Mistake: if there is neither.
    """
    path = Path(reference)
    if path.is_file():
        return path
    if (SHIPPED / f"{reference}.yaml").is_file():
        return SHIPPED / f"{reference}.yaml"
    known = sorted(str(p.relative_to(SHIPPED)).removesuffix(".yaml") for p in SHIPPED.rglob("*.yaml"))
    asked = Path(reference.removesuffix(".yaml"))
    name = "/".join(asked.parts[-2:]) if (SHIPPED / asked.parent.name).is_dir() else asked.name
    raise Mistake(f"no suite file or shipped suite is called {reference!r}", fix=nearest(name, known))
