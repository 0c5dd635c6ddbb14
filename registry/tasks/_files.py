"""Names and sizes of files, for the listings of tasks."""

import os
import unicodedata
from collections import Counter
from collections.abc import Container
from pathlib import Path

from registry.files import files_below, is_hidden, size_at


def sizes(folder: Path) -> dict[str, int]:
    """Bytes by file name, sorted by name; hidden files and folders are left out, and a missing folder is empty."""
    if not os.path.isdir(folder):  # noqa: PTH112 - a name that is too long is no folder, either
        return {}
    names = sorted(entry.name for entry in os.scandir(folder) if entry.name[0] != ".")
    there = {name: size_at(f"{folder}/{name}") for name in names}
    return {name: size for name, size in there.items() if size >= 0}


def composed(name: str) -> str:
    """A name in the one form (NFC) that all its spellings in Unicode have: macOS writes ``ö`` as two characters."""
    return unicodedata.normalize("NFC", name)


def count_unused(folder: Path, used: Container[str]) -> dict[str, int]:
    """Counts the files below a folder that are not used, by subfolder and suffix: ``sub/*.m4a``.

    Args:
        folder: all of it is searched, except hidden files and folders.
        used: paths below the folder, with slashes.
    """
    counts: Counter[str] = Counter()
    for path in files_below(folder):
        if path not in used and not is_hidden(path):
            below, slash, name = path.rpartition("/")
            counts[f"{below}{slash}*{os.path.splitext(name)[1].lower()}"] += 1  # noqa: PTH122 - names, not paths
    return dict(counts)


def size_of(folder: Path, name: str) -> tuple[Path, int]:
    """The path of a file, and its size in bytes; -1 if the file is missing.

    Args:
        folder: where to look.
        name: the file's path below the folder. The disk may spell each name in it otherwise in Unicode.
    """
    path = folder / name
    size = size_at(path)
    if size < 0:
        at = folder
        for wanted in Path(name).parts:
            there = [wanted] if os.path.exists(at / wanted) else _names(at)  # noqa: PTH110
            at /= next((spelled for spelled in there if composed(spelled) == composed(wanted)), wanted)
        size = size_at(at)
        path = at if size >= 0 else path
    return path, size


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208
