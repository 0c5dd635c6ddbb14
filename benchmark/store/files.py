"""Writes files so that each is whole or not there, and recognises a file that has not changed."""

import errno
import hashlib
import json
import math
import os
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from itertools import count
from pathlib import Path
from secrets import randbelow
from typing import Any

from registry.errors import Mistake

_TICK_NS = 50_000_000  # no file system's time stamps are coarser on Linux, or NTFS's on Windows
WINDOWS = os.name == "nt"
_PAUSES_S = (0.02, 0.1, 0.3, 1.0)

_hashed: dict[tuple[int, ...], str] = {}


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a new file beside the old one, brings it to the disk, and then replaces the old one, which stays whole.

    A pipe or a device is written to directly.

    Raises:
        OSError: if anything fails; it names the file.
    """
    aside = path.parent / f".{path.name}.{randbelow(10**10)}"  # a process's id may be another machine's, too
    try:
        if path.exists() and not path.is_file():
            write(path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(aside)
            sync(aside)
            move(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        if error.filename in (None, str(aside)):
            error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text with ``replace_file``, in UTF-8 with any locale; a lone surrogate is written as its escape."""
    replace_file(path, partial(Path.write_text, data=text, encoding="utf-8", errors="backslashreplace", newline="\n"))


def json_text(content: object, indent: int | None = None) -> str:
    """JSON for other programs: numbers that are not finite, which JSON does not have, become null."""
    try:
        return json.dumps(content, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    return [_finite(value) for value in content] if isinstance(content, list | tuple) else content


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def refusal(error: OSError, place: object = "") -> Mistake:
    """Turns the system's refusal into a mistake: a full disk, a folder without permission, a name that is too long.

    Args:
        error: as it was raised.
        place: stands in the mistake if the error names no file.
    """
    why, full = error.strerror or str(error), error.errno in _FULL
    others = "name another place: --runs DIR, --output FILE, --data DIR"
    fix = f"free some space, or {others}; what is finished stays" if full else f"make it writable, or {others}"
    return Mistake(f"cannot {'write' if full else 'read or write'}: {why}", where=str(error.filename or place), fix=fix)


def move(path: Path, target: Path) -> None:
    """Renames a file or folder, in one step; it replaces a file that has the name already.

    Windows refuses this while any program has the file, or a file in the folder, open. Virus scanners open new files,
    so on Windows it tries again for a second and a half.
    """
    for pause_s in _PAUSES_S if WINDOWS else ():
        try:
            path.replace(target)
            return
        except PermissionError:
            time.sleep(pause_s)
    path.replace(target)


def link_or_move(path: Path, other: Path) -> None:
    """Gives a file a second name. Where the file system has no links, the first name is lost."""
    try:
        os.link(path, other)
    except OSError:
        move(path, other)


def clear(folder: Path) -> None:
    """Deletes a folder. It is renamed before: whoever is about to move it moves it whole, or finds it gone."""
    gone = folder.with_name(f"{folder.name}.gone.{randbelow(10**10)}")
    with suppress(OSError):  # Windows renames no folder in which a file is open
        move(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)


def sync(path: Path) -> None:
    """Waits until a file or folder is on the disk. On Windows, which cannot open folders, it waits for files alone."""
    if WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)  # Windows syncs only files that are open to write
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def set_aside(path: Path, folder: Path) -> Path:
    """Moves a file or folder into another folder, and adds the next free number to its name. Returns the new path."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = next(free for n in count(1) if not (free := folder / f"{path.name}.{n}").exists())
    move(path, kept)
    return kept


def file_digest(path: Path) -> str:
    """SHA-256 of a file, which is read again only if it has changed."""
    with path.open("rb") as file:
        known = signature(os.fstat(file.fileno()))
        if known not in _hashed:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if not is_settled(known):
                return digest
            _hashed[known] = digest
    return _hashed[known]


def content_digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder: of the names and contents of all its files that are not hidden."""
    if path.is_file():
        return file_digest(path)
    inside = {file.relative_to(path): file for file in path.rglob("*") if file.is_file()}
    lines = [
        f"{name.as_posix()} {file_digest(inside[name])}"
        for name in sorted(inside)
        if not any(part.startswith(".") for part in name.parts)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def signature(stat: os.stat_result) -> tuple[int, ...]:
    """Numbers that differ between any two states of a file; the file is not read for them."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, changed_ns(stat)


@cache
def code_state(*patterns: str) -> list[tuple[str, int, int]]:
    """Path, size and time of change of files of our code; by default of the code that plans, does and checks jobs."""
    root = Path(__file__).parents[2]
    return [
        (str(file.relative_to(root)), (stat := file.stat()).st_size, stat.st_mtime_ns)
        for pattern in patterns or ("registry/**/*.py", "benchmark/**/*.py")
        for file in sorted(root.glob(pattern))
    ]


@cache
def installed_state() -> list[object]:
    """Python and its folders of packages: whatever is installed or removed changes one of them."""
    folders = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    installed = [(folder, Path(folder).stat().st_mtime_ns) for folder in folders if Path(folder).is_dir()]
    return [sys.version, __file__, *installed]


def changed_ns(stat: os.stat_result) -> int:
    """When a file was last changed, in ns: its ctime; on Windows, where ctime is the time of creation, its mtime."""
    return stat.st_mtime_ns if WINDOWS else stat.st_ctime_ns


def is_settled(of_file: tuple[int, ...]) -> bool:
    """Whether a file's last change is so long ago that a new change would show in its signature."""
    return time.time_ns() - of_file[-1] > _TICK_NS
