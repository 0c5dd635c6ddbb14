"""What commands answered from records that have not changed since: with many records an answer takes seconds.

RUNS/leaderboards/answers.json has the last answers, each with a digest of what was asked, and the state of records and
plans before it was made: names, sizes, inodes and times of all their files. It counts only for the code that wrote it,
and it is only a cache: it may be damaged or missing. It is beside the leaderboards that ``audiobench run`` writes;
where there are none, nothing is written.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmark.jobs import KINDS
from benchmark.store.files import code_state, installed_state, is_settled, signature, write_text
from registry.lookup import installed_plugins

_KEPT = 8  # answers, the last ones
_CODE = ("registry/tasks/*.csv", "leaderboard/*.py", "leaderboard/*.csv")

Answer = dict[str, Any]  # plain data


class Remembered:
    """The answer to one question about folders of records, which are to be read after this is made.

    Args:
        folders: of records; what is asked is remembered in the first.
        asked: plain data: all that the answer depends on besides records, plans and code.
        command: the file of the code that asks.
    """

    def __init__(self, folders: Sequence[Path], asked: Sequence[object], command: str) -> None:
        named = [[str(folder), str(folder.resolve())] for folder in folders]
        by = [command, signature(Path(command).stat())]
        self._asked = hashlib.sha256(json.dumps([named, by, *asked]).encode()).hexdigest()
        self._path = folders[0] / "leaderboards" / "answers.json"
        self._state = _state(folders)

    @property
    def answer(self) -> Answer | None:
        """The answer, if it was remembered and nothing has changed since."""
        state, answer = _load(self._path).get(self._asked, ("", None)) if self._state else ("", None)
        return answer if state == self._state else None

    def keep(self, answer: Answer) -> None:
        """Remembers the answer, if the folders are ones that runs write leaderboards into."""
        if not self._state or not self._path.parent.is_dir():
            return
        known = _load(self._path)
        known.pop(self._asked, None)
        kept = dict([*known.items(), (self._asked, (self._state, answer))][-_KEPT:])
        with suppress(OSError):  # the folder may be read-only
            write_text(self._path, json.dumps({"code": _code(), "answers": kept}))


def _state(folders: Sequence[Path]) -> str:
    """The state of all records and plans; empty if a change might not show in it."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        for folder in folders:
            for name, state in _files(folder):
                if name.endswith(".elsewhere") or not is_settled(state):  # a server would be asked, or it is new
                    return ""
                digest.update(f"{name}\n{state}\n".encode(errors="surrogateescape"))
    except OSError:  # a process is at work there
        return ""
    return digest.hexdigest()


def _files(root: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The path and the signature of every file of records and plans, in a fixed order."""
    folders = [str(folder) for kind in (*KINDS, "plans") if (folder := root / kind).is_dir()]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir():
                    folders.append(entry.path)
                else:
                    yield entry.path, signature(os.stat(entry.path))  # noqa: PTH116 - tens of thousands


def _load(path: Path) -> dict[str, tuple[str, Answer]]:
    """State and answer, by what was asked; empty if the cache is missing or damaged, or other code wrote it."""
    try:
        stored = json.loads(path.read_bytes())
        answers = stored["answers"].items() if stored["code"] == _code() else ()
        return {str(asked): (str(state), dict(answer)) for asked, (state, answer) in answers}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _code() -> str:
    content = [code_state(), code_state(*_CODE), installed_state(), installed_plugins()]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
