"""What a listing needs to know of files."""

import os
import unicodedata
from collections import Counter
from collections.abc import Container
from pathlib import Path


def sizes(folder: Path) -> dict[str, int]:
    """Bytes by file name, sorted by name; hidden files and folders are left out, and a missing folder is empty."""
    if not folder.is_dir():
        return {}
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    return {entry.name: entry.stat().st_size for entry in entries if entry.is_file() and entry.name[0] != "."}


def composed(name: str) -> str:
    """A name in the one form (NFC) that all its spellings in Unicode have: macOS writes ``ö`` as two characters."""
    return unicodedata.normalize("NFC", name)


def count_unused(folder: Path, used: Container[str]) -> dict[str, int]:
    """How many files lie below a folder and are not used, by where and how they end: ``sub/*.m4a``.

    Args:
        folder: all of it is looked through, but for what is hidden.
        used: paths below it, with slashes.
    """
    counts: Counter[str] = Counter()
    for parent, parts, names in os.walk(folder):
        parts[:] = sorted(part for part in parts if part[0] != ".")
        below = os.path.relpath(parent, folder).replace(os.sep, "/")
        begin = "" if below == "." else below + "/"
        for name in names:
            if name[0] != "." and begin + name not in used:
                counts[f"{begin}*{os.path.splitext(name)[1].lower()}"] += 1  # noqa: PTH122 - names, not paths
    return dict(counts)


def size_of(folder: Path, name: str) -> tuple[Path, int]:
    """Where a file is, and its bytes; -1 if it is not there.

    Args:
        folder: where to look.
        name: its path below the folder; every part of it may be spelled otherwise in Unicode than on the disk.
    """
    path = folder / name
    if not path.is_file():
        found = folder
        for part in Path(name).parts:
            there = os.listdir(found) if not (found / part).exists() and found.is_dir() else [part]  # noqa: PTH208 - names
            found /= next((own for own in there if composed(own) == composed(part)), part)
        path = found if found.is_file() else path
    return path, path.stat().st_size if path.is_file() else -1
