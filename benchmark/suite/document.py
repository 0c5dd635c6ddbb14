"""YAML documents that know the place of each value, and how one document overrides another."""

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
        """The place of a value, or of its nearest ancestor that the file contains."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, "")

    def where(self, path: Keys) -> str:
        """The place of a value, and its path, for a mistake."""
        return f"{self.place(path)} ({'.'.join(map(str, path))})"

    def file(self, path: Keys) -> Path:
        """The file that contains a value. Names of other files in this value are relative to that file."""
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
        """A document with only the value at ``old``, put at ``new``; empty where ``old`` holds nothing or null."""
        return Document({}, {}) if self.find(old) is None else self.moved_even_null(old, new)

    def moved_even_null(self, old: Keys, new: Keys) -> "Document":
        """A document with only the value at ``old``, put at ``new``, also where the value is null."""
        value = self.find(old)
        places = {(*new, *p[len(old) :]): place for p, place in self.places.items() if p[: len(old)] == old}
        for key in reversed(new):
            value = {key: value}
        return Document(value, places)


def read_suite(path: Path, scale: str | None) -> tuple[Document, list[Path]]:
    """Reads a suite file, lays it over the suites that it extends, and lays the scale's overrides on top.

    Returns:
        The document, which knows the file of each value, and the files that were read.

    Raises:
        Mistake: if a file cannot be read or extends itself, or if there is no such scale.
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
        hint = nearest(scale, scales) if scales else "leave --scale out"
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
        raise Mistake("a suite is a mapping", where=str(path), fix="audiobench new suite NAME writes one to begin with")
    return document


def _extended(name: Any, document: Document, files: list[Path]) -> Path:
    """The file that a suite extends; ``files`` are the files read so far."""
    where, folder = document.place(("extends",)), document.file(("extends",)).parent
    if not isinstance(name, str) or not (folder / name).is_file():
        missing = folder / str(name)
        others = sorted(path.name for path in missing.parent.glob("*.yaml") if path not in files)
        hint = f"; {nearest(missing.name, others)}" if others else ""
        raise Mistake(f"extends no suite file: {name}", where=where, fix=f"give a path relative to this file{hint}")
    if (folder / name).resolve() in [file.resolve() for file in files]:
        raise Mistake(f"{name} extends this file in turn", where=where, fix="take one of the two extends out")
    return folder / name


def _extend(base: Document, child: Document) -> Document:
    """Lays a suite over the one that it extends. Null removes a key; name, title and reproduces are not inherited."""
    nulls = _nulls(base.data, child.data, ())
    removed: list[Keys] = [("name",), ("title",), ("reproduces",), *nulls]
    # A scale's settings for a removed key must not bring the key back.
    removed += [("scales", scale, *path) for scale in _scales(base) for path in removed]
    merged = merge(_without(base, removed), _without(child, nulls))
    return Document(merged.data, {**merged.places, (): child.place(())})


def _scales(document: Document) -> list[str]:
    scales = document.find(("scales",))
    return list(scales) if isinstance(scales, dict) else []


def _nulls(base: Mapping[str, Any], child: Mapping[str, Any], at: Keys) -> list[Keys]:
    """The keys of ``base`` that ``child`` overrides with null."""
    nulls: list[Keys] = []
    for key in base.keys() & child.keys():
        if child[key] is None:
            nulls.append((*at, key))
        elif isinstance(base[key], dict) and isinstance(child[key], dict):
            nulls += _nulls(base[key], child[key], (*at, key))
    return nulls


def _without(document: Document, removed: list[Keys]) -> Document:
    def kept(value: Any, path: Keys) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: kept(v, (*path, k)) for k, v in value.items() if (*path, k) not in removed}

    places = {p: place for p, place in document.places.items() if not any(p[: len(r)] == r for r in removed)}
    return Document(kept(document.data, ()), places)


def read_document(path: Path) -> Document:
    """Reads a YAML file.

    Raises:
        Mistake: if the file cannot be read, is not YAML, or contains a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Mistake(f"cannot read {path}: {error.strerror}", fix="name a suite file") from error
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is no text file", fix="name a suite file") from error
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """Parses YAML text; the places begin with ``name``.

    Raises:
        Mistake: if ``parse`` refuses the text.
    """
    return Document(*parse(text, name))


def merge(base: Document, override: Document) -> Document:
    """Lays ``override`` over ``base``: mappings merge key by key, any other value replaces.

    A component reference merges too: ``esresnet`` and ``{depth: 18}`` make ``{name: esresnet, depth: 18}``. A different
    ``name``, or weights of a different kind, replace the whole mapping. ``{0: {p: 0.5}}`` over a list changes the first
    item of the list.
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
        if isinstance(below, Mapping | list):  # else there are no places inside, and looking for them takes long
            for old in [p for p in places if p[: len(path)] == path and p != path]:
                del places[old]
        places.update({p: place for p, place in override.places.items() if p[: len(path)] == path})
        return value

    return Document(lay(base.data, override.data, ()), places)


def inherit(document: Document, parent: Keys, child: Keys) -> Document:
    """The document, with the value at ``parent`` laid under the value at ``child``, which refines or replaces it."""
    aside: Keys = ("inherited",)
    completed = merge(document.moved(parent, aside), document.moved(child, aside))
    return merge(document, completed.moved(aside, child))


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty mapping: the schema reports values of another type."""
    return value if isinstance(value, dict) else {}


def _naming(path: Keys) -> set[str]:
    """The keys that name the component, or the kind of weights, in a mapping at this path."""
    if path[-1:] == ("weights",):
        return set(WEIGHTS.names())
    return {"name"} if path else set()


def _names_another(below: Mapping[str, Any], above: Mapping[str, Any], path: Keys) -> bool:
    """Whether ``above`` names another component, or another kind of weights, than ``below``."""
    named = _naming(path) & set(above)
    return bool(named) and (named != _naming(path) & set(below) or above.get("name") != below.get("name"))


def suite_path(reference: str) -> Path:
    """The path of a suite file: the reference itself, or the shipped suite of that name.

    Raises:
        Mistake: if there is no such file and no such suite.
    """
    path = Path(reference)
    if path.is_file():
        return path
    if (SHIPPED / f"{reference}.yaml").is_file():
        return SHIPPED / f"{reference}.yaml"
    asked = Path(reference.removesuffix(".yaml"))
    name = "/".join(asked.parts[-2:]) if (SHIPPED / asked.parent.name).is_dir() else asked.name
    raise Mistake(
        f"no suite file or shipped suite is called {reference!r}",
        fix=f"{nearest(name, shipped_suites())} (to write one: audiobench new suite NAME)",
    )


def shipped_suites() -> list[str]:
    """The names of the suites that come with audiobench."""
    return sorted(path.relative_to(SHIPPED).as_posix().removesuffix(".yaml") for path in SHIPPED.rglob("*.yaml"))


def suite_name(path: Path) -> str:
    """What ``suite_path`` finds a suite file by, on any machine: the name of a shipped suite, else the path."""
    return path.relative_to(SHIPPED).with_suffix("").as_posix() if path.is_relative_to(SHIPPED) else str(path)
