"""Which records were found whole, in earlier runs, too: only records that changed since then are checked again.

RUNS/whole.json states, for each of these records, a digest of its files' names, sizes, inodes and times of change, and
after it a note: what a reader found out that is true until the record changes. It is only a cache: it may be damaged or
missing, and counts only for the code that wrote it.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from benchmark.store.files import code_state, write_text

WORTH = 500  # records: fewer are checked in a second, and are not remembered

FileState = tuple[str, tuple[int, ...]]  # name and ``signature``


class FoundWhole:
    """The records of a store that were found whole.

    Args:
        path: of the cache; it is made at the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new: dict[str, str] = {}

    def has(self, kind: str, key: str, files: Sequence[FileState]) -> bool:
        """Whether a record was found whole when its files were in this state."""
        place = f"{kind}/{key}"
        return self._known(place)[0] == _digest(files)

    def add(self, kind: str, key: str, files: Sequence[FileState]) -> None:
        """Notes a record that was found whole just now."""
        self._new[f"{kind}/{key}"] = _digest(files)

    def note(self, kind: str, key: str) -> str:
        """The note on a record, in the state in which it was found whole last; empty if there is none."""
        return self._known(f"{kind}/{key}")[1]

    def add_note(self, kind: str, key: str, note: str) -> None:
        """Notes something, without spaces, about a record that was found whole, in the state that it has."""
        place = f"{kind}/{key}"
        self._new[place] = f"{self._known(place)[0]} {note}"

    def keep(self) -> None:
        """Writes the cache, if enough records were added; a folder that is read-only stays as it is."""
        if len(self._new) < WORTH:
            return
        whole = {**_load(self.path), **self._new}  # another process may have written it meanwhile
        with suppress(OSError):
            write_text(self.path, json.dumps({"code": _code(), "whole": whole}))
            vars(self)["_stored"], self._new = whole, {}

    def _known(self, place: str) -> tuple[str, str]:
        """The digest and the note of a record; both are empty if it is not known."""
        digest, _, note = (self._new.get(place) or self._stored.get(place, "")).partition(" ")
        return digest, note

    @cached_property
    def _stored(self) -> dict[str, str]:
        return _load(self.path)


def _load(path: Path) -> dict[str, str]:
    """The content of the cache; empty if it is missing or damaged, or other code wrote it."""
    try:
        stored = json.loads(path.read_bytes())
        return (
            {str(place): str(digest) for place, digest in stored["whole"].items()} if stored["code"] == _code() else {}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _code() -> str:
    return hashlib.sha256(repr(code_state()).encode()).hexdigest()


def _digest(files: Sequence[FileState]) -> str:
    return hashlib.blake2b(repr(files).encode(), digest_size=16).hexdigest()
