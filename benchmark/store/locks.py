"""Locks between processes: a file that one of them holds until it ends, however it ends."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of a mount that has none
_INVALID_FUNCTION = 1  # Windows says so of such a mount


class Hold(Enum):
    """Who holds a lock: this process, another one, or nobody where locks do nothing, as on some network mounts."""

    OURS = 1
    THEIRS = 2
    USELESS = 3


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None, *, keep: bool = True) -> Iterator[Hold]:
    """Holds a lock while the block runs.

    The lock is the system's own, on a file that is opened here: filelock's ``FileLock`` would take a second one of the
    same process for a deadlock, and a mount without locks for one where a file's presence is the lock.

    Args:
        path: of the lock, an empty file.
        waiting: called before another process's end is waited for; None to go on without the lock.
        keep: let the file stay when the block ends well; else it is deleted, unless the lock is another process's.
    """
    with ExitStack() as stack:
        while True:
            file = stack.enter_context(path.open("ab"))
            if not _taken(file):
                if waiting is None:
                    yield Hold.THEIRS
                    return
                waiting()
                lock_descriptor(file.fileno())
            if _is_at(file, path):  # else it was deleted meanwhile, and a lock that nobody finds holds nobody off
                break
        with path.open("ab") as second:
            works = not _taken(second)
        yield Hold.OURS if works else Hold.USELESS
        gone = keep or _deleted(path)  # while it is held: who waits for it then takes another
    if not gone:
        _deleted(path)


def _taken(file: IO[bytes]) -> bool:
    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError as error:
        if error.errno not in _NO_LOCKS and getattr(error, "winerror", None) != _INVALID_FUNCTION:
            raise
    return True  # or this mount has no locks, which a second one will show


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _deleted(path: Path) -> bool:
    """Deletes a lock, if the system lets it go: Windows deletes no file that any process has open, this one too."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True
