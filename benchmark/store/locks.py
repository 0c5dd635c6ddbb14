"""Locks between processes. A process holds a lock, which is a file, until it ends in any way."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of a mount that has none
_INVALID_FUNCTION = 1  # the error that Windows raises on such a mount


class Hold(Enum):
    """Who holds a lock: this process, another one, or nobody, if locks do not work, as on some network mounts."""

    OURS = 1
    THEIRS = 2
    USELESS = 3


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None, *, keep: bool = True) -> Iterator[Hold]:
    """Holds a lock while the block runs.

    It locks a file with the system's own lock. filelock's ``FileLock`` is not used: it takes a second lock of the same
    process for a deadlock, and on a mount without locks it takes the presence of a file for the lock.

    Args:
        path: of the lock, an empty file.
        waiting: is called before this process waits for another one; None: go on without the lock.
        keep: leave the file when the block ends well; else delete it, unless another process has the lock.
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
            if _is_at(file, path):  # else the file was deleted meanwhile: others would not see this lock
                break
        with path.open("ab") as second:
            works = not _taken(second)
        yield Hold.OURS if works else Hold.USELESS
        gone = keep or _deleted(path)  # while the lock is held: a waiting process then takes a new one
    if not gone:
        _deleted(path)


def _taken(file: IO[bytes]) -> bool:
    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError as error:
        if error.errno not in _NO_LOCKS and getattr(error, "winerror", None) != _INVALID_FUNCTION:
            raise
    return True  # or this mount has no locks: a second lock will show that


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _deleted(path: Path) -> bool:
    """Deletes a lock's file, if the system allows it: Windows refuses while any process, even this one, has it open."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True
