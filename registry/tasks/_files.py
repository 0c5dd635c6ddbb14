"""Names and sizes of files, for the listings of tasks."""

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
    """Counts the files below a folder that are not used, by subfolder and suffix: ``sub/*.m4a``.

    Args:
        folder: all of it is searched, except hidden files and folders.
        used: paths below the folder, with slashes.
    """
    counts: Counter[str] = Counter()
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if name[0] != ".")
        below = os.path.relpath(parent, folder).replace(os.sep, "/")
        begin = "" if below == "." else below + "/"
        for name in names:
            if name[0] != "." and begin + name not in used:
                counts[f"{begin}*{os.path.splitext(name)[1].lower()}"] += 1  # noqa: PTH122 - names, not paths
    return dict(counts)


def size_of(folder: Path, name: str) -> tuple[Path, int]:
    """The path of a file, and its size in bytes; -1 if the file is missing.

    Args:
        folder: where to look.
        name: the file's path below the folder. The disk may spell each name in it otherwise in Unicode.
    """
    path = folder / name
    if not path.is_file():
        at = folder
        for wanted in Path(name).parts:
            there = os.listdir(at) if not (at / wanted).exists() and at.is_dir() else [wanted]  # noqa: PTH208 - names
            at /= next((spelled for spelled in there if composed(spelled) == composed(wanted)), wanted)
        path = at if at.is_file() else path
    return path, path.stat().st_size if path.is_file() else -1
