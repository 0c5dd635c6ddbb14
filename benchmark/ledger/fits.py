"""What was found to fit, remembered: to try nets on tensors without values loads much of torch, which takes seconds.

``__pycache__/fits.json`` beside this file names combinations of components and their settings. It counts for the code
that it was found with alone: ours, that of installed plugins, and the packages beside audiobench. It is only a cache:
where it cannot be read or written, all is tried.
"""

import hashlib
import json
from contextlib import suppress
from functools import cached_property
from importlib.util import cache_from_source
from pathlib import Path

from benchmark.store.files import code_state, installed_state, write_text
from registry.lookup import installed_plugins

PLACE = Path(cache_from_source(__file__)).with_name("fits.json")
_KEPT = 5_000  # combinations, the last ones


class Fits:
    """Combinations that were found to fit.

    Args:
        path: of the cache; None: nothing is remembered.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path, self._new = path, dict[str, None]()

    def has(self, combination: list[object]) -> bool:
        """Whether a combination was found to fit before; it is plain data."""
        return _name(combination) in self._known

    def add(self, combination: list[object]) -> None:
        """Notes a combination that was found to fit."""
        self._new[_name(combination)] = None

    def keep(self) -> None:
        """Writes the cache, if something was added."""
        if self._path and self._new:
            names = list({**self._known, **self._new})[-_KEPT:]
            with suppress(OSError):  # it may be read-only
                write_text(self._path, json.dumps({"code": _code(), "fits": names}))

    @cached_property
    def _known(self) -> dict[str, None]:
        """Their names; none if the cache is missing or damaged, or other code wrote it."""
        if self._path is None:
            return {}
        try:
            stored = json.loads(self._path.read_bytes())
            return dict.fromkeys(stored["fits"] if stored["code"] == _code() else ())
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}


def _name(combination: list[object]) -> str:
    return hashlib.blake2b(json.dumps(combination, sort_keys=True).encode(), digest_size=16).hexdigest()


def _code() -> str:
    return hashlib.sha256(json.dumps([code_state(), installed_state(), installed_plugins()]).encode()).hexdigest()
