"""Sweeps: grids of settings. Each point of a grid becomes an entry of the suite."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from benchmark.suite.document import Document, merge
from benchmark.suite.parse import Keys
from registry.errors import Mistake
from registry.lookup import nearest

_MOST_ENTRIES = 1000  # points of sweeps included; the largest shipped suite has 28

Variations = dict[str, dict[str, dict[str, Any]]]  # swept entry -> name of a variation -> path -> value
Tell = Callable[[str, Keys, str], None]  # takes what is wrong, where, and what to do


def expand_sweep(document: Document, tell: Tell) -> tuple[Document, Variations]:
    """Replaces every swept entry by its variations.

    ``tell`` gets the mistakes in the sweep itself. A wrong value is found later, when the entries are validated: its
    place is the one in the sweep.

    Raises:
        Mistake: if there would be more entries than can be planned, before any is made.
    """
    sweep, entries = document.find(("sweep",)), document.find(("entries",))
    if not isinstance(entries, dict):
        return document, {}  # the schema reports values of another type
    sweep = sweep if isinstance(sweep, dict) else {}
    grids = {entry: _grids(document, entry, tell) for entry in sweep if entries.get(entry) is not None}
    count = len(entries) + sum(prod(map(len, grid.values())) for of_entry in grids.values() for grid in of_entry)
    if count > _MOST_ENTRIES:
        at: Keys = ("sweep",) if grids else ("entries",)
        counted = "entries, points of sweeps included" if grids else "entries"
        what = f"the suite has {count:,} {counted}, and at most {_MOST_ENTRIES:,} are planned"
        raise Mistake(what, where=document.place(at), fix="name fewer values, or split the suite")
    for entry in sweep:
        if entry not in entries:
            tell(f"no entry is called {entry!r}", ("sweep", entry), nearest(str(entry), list(map(str, entries))))
    variations: Variations = {}
    expanded: dict[str, Any] = {}
    places = dict(document.places)
    for entry, settings in entries.items():
        points = _points(document, entry, grids.get(entry, []))
        for name, point in points.items():
            if name in entries:
                tell(f"an entry is called {name!r} already", ("entries", name), "give it another name")
            varied = _vary(document, entry, name, point, tell)
            expanded[name] = varied.data["entries"][name]
            places |= varied.places
            variations.setdefault(entry, {})[name] = {path: document.find(at) for path, at in point.items()}
        if not points:
            expanded[entry] = settings
    return Document({**document.data, "entries": expanded}, places), variations


def _points(document: Document, entry: str, grids: Sequence[Mapping[str, list[Keys]]]) -> dict[str, dict[str, Keys]]:
    """The points of an entry's grids by name, each once. A point maps each path to its value's place in the sweep."""
    labels = _labels({path for grid in grids for path in grid})
    points: dict[str, dict[str, Keys]] = {}
    seen = set()
    for grid in grids:
        for choice in product(*grid.values()):
            point = dict(zip(grid, choice, strict=True))
            words = {path: f"{labels[path]}={_text(document.find(at))}" for path, at in point.items()}
            if frozenset(words.values()) not in seen:
                seen.add(frozenset(words.values()))
                points[" ".join([entry, *words.values()])] = point
    return points


def _grids(document: Document, entry: str, tell: Tell) -> list[dict[str, list[Keys]]]:
    """The grids of an entry. A grid maps each path below the entry to the places of its values in the sweep."""
    written = document.data["sweep"][entry]
    grids = []
    for i, grid in enumerate(written if isinstance(written, list) and written else [written]):
        at: Keys = ("sweep", entry, i) if isinstance(written, list) else ("sweep", entry)
        if not isinstance(grid, dict) or not grid:
            tell(f"a grid is a mapping of settings to lists of values, got {grid!r}", at, "crop: [0.5, 1.0]")
            continue
        for path, values in grid.items():
            if not isinstance(values, list) or not values:
                tell(f"{path} takes a list of values here, got {values!r}", (*at, path), f"{path}: [1, 2]")
        values_at = {path: [(*at, path, j) for j in range(len(v))] for path, v in grid.items() if isinstance(v, list)}
        grids.append({path: places for path, places in values_at.items() if places})
    return [grid for grid in grids if grid]


def _vary(document: Document, entry: str, name: str, point: Mapping[str, Keys], tell: Tell) -> Document:
    """A document with only the entry at one point of its grid, under the point's name."""
    varied = document.moved(("entries", entry), ("entries", name))
    for path, at in point.items():
        keys = _below(varied, ("entries", name), str(path))
        if keys:
            varied = merge(varied, document.moved_even_null(at, keys))
        else:
            hint = "a number counts, from 0, the items of a list that the entry itself writes down"
            tell(f"the entry {entry} has no {path} to vary", at[:-1], hint)
    return varied


def _below(document: Document, keys: Keys, path: str) -> Keys | None:
    """The keys of a dotted path, with numbers where it goes through a list; None where the list has no such item."""
    for key in path.split("."):
        value = document.find(keys)
        named = isinstance(value, Mapping) and key in value
        if isinstance(value, list) or (key.isdecimal() and not named):
            if not isinstance(value, list) or not key.isdecimal() or int(key) >= len(value):
                return None
            keys = (*keys, int(key))
        else:
            keys = (*keys, key)
    return keys


def _labels(paths: Iterable[str]) -> dict[str, str]:
    """The label of each path: its last key, or the whole path if this key is a number or not unique."""
    last = {path: str(path).split(".")[-1] for path in paths}
    count = Counter(last.values())
    return {path: str(path) if key.isdecimal() or count[key] > 1 else key for path, key in last.items()}


def _text(value: Any) -> str:
    """A value as a suite would write it, on one line."""
    return json.dumps(value, ensure_ascii=False, default=str).replace('"', "")
