"""What ``list`` and ``show`` tell of components, remembered: to import all components takes seconds.

``registry/__pycache__/components.json`` holds it, beside the modules that Python has compiled, and as they do it counts
for the code that it was made from alone: ours, that of installed plugins, and the packages beside audiobench. It is
only a cache: where it cannot be read or written, components are imported.
"""

import hashlib
import inspect
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from benchmark.store.files import code_state, installed_state, write_text
from registry.describe import details
from registry.lookup import AnyComponent, Kind, installed_plugins

_HOME = inspect.getfile(Kind)  # in the folder of the registry
Traits = dict[str, Any]  # of a component: ``registry.describe.details``


def traits_of(kind: Kind[AnyComponent], names: Sequence[str]) -> list[Traits]:
    """Everything about some components of a kind; only those that are new are imported.

    Args:
        kind: of the components.
        names: of components of the registry or of installed plugins; those of a plugin's file are not remembered.

    Raises:
        Mistake: if a name is unknown.
    """
    known = _remembered()
    of_kind = known.setdefault(kind.folder, {})
    in_files = {name: details(kind.folder, name) for name in names if kind.in_file(name)}
    new = [name for name in names if name not in of_kind and name not in in_files]
    if new:
        of_kind |= {name: details(kind.folder, name) for name in new}
        with suppress(OSError):
            write_text(_path(), json.dumps({"code": _code(), "components": known}))
    return [in_files.get(name) or of_kind[name] for name in names]


def _remembered() -> dict[str, dict[str, Traits]]:
    """By kind and name; empty if the cache is missing or damaged, or other code wrote it."""
    try:
        stored = json.loads(_path().read_bytes())
        known: dict[str, dict[str, Traits]] = stored["components"] if stored["code"] == _code() else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    return known


def _path() -> Path:
    return Path(cache_from_source(_HOME)).with_name("components.json")


@cache
def _code() -> str:
    """Names the code that components are made of."""
    return hashlib.sha256(json.dumps([code_state(), installed_plugins(), installed_state()]).encode()).hexdigest()
