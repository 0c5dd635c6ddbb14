"""Finds files below folders that may hold anything: pipes, devices, links in a loop, folders without end."""

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from registry.errors import Mistake

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_DEEPEST = 200  # folders inside one another
_MOST_WAYS = 20  # to one folder, by links


def size_at(path: Path | str) -> int:
    """Bytes of a file; -1 where there is none, or a pipe, a device, or a link that leads nowhere."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a plan looks at thousands of them
    except OSError as error:
        if error.errno in _NOT_THERE:
            return -1
        raise
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def files_below(folder: Path) -> Iterator[str]:
    """The paths, with slashes, of all files below a folder; not of pipes, devices, and links that lead nowhere.

    Links to folders are followed, but not into a folder that the way has come through.

    Raises:
        Mistake: if links lead to one folder again and again, or if hundreds of folders lie inside one another.
    """
    ways: Counter[tuple[int, int]] = Counter()
    left: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
    while left:
        below, through = left.pop()
        if len(through) > _DEEPEST:
            raise Mistake(
                f"more than {_DEEPEST} folders lie inside one another", where=str(folder), fix="take them apart"
            )
        here = os.stat(folder / below)  # noqa: PTH116
        place = (here.st_dev, here.st_ino)
        if place in through:
            continue
        ways[place] += 1
        if ways[place] > _MOST_WAYS:
            raise Mistake(
                "links lead to this folder again and again", where=str(folder / below), fix="remove all but one of them"
            )
        for entry in sorted(os.scandir(folder / below), key=lambda entry: entry.name):
            try:
                if entry.is_dir():
                    left.append((f"{below}{entry.name}/", (*through, place)))
                elif entry.is_file():
                    yield below + entry.name
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise


def is_hidden(path: str) -> bool:
    """Whether a file, or a folder on the way to it, is hidden; the path has slashes."""
    return path[:1] == "." or "/." in path
