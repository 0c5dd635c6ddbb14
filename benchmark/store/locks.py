"""Locks between processes: a file that one of them holds until it ends, however it ends."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import IO


class Hold(Enum):
    """Who holds a lock: this process, another one, or nobody where locks do nothing, as on some network mounts."""

    OURS = 1
    THEIRS = 2
    USELESS = 3


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None) -> Iterator[Hold]:
    """Holds a lock while the block runs.

    Args:
        path: of the lock, which stays behind as an empty file.
        waiting: called before another process's end is waited for; None to go on without the lock.
    """
    with ExitStack() as stack:
        while True:
            file = stack.enter_context(path.open("ab"))
            if not _taken(file):
                if waiting is None:
                    yield Hold.THEIRS
                    return
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(file, path):  # else it was deleted meanwhile, and a lock that nobody finds holds nobody off
                break
        with path.open("ab") as second:
            works = not _taken(second)
        yield Hold.OURS if works else Hold.USELESS


def _taken(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    return True  # or this mount has no locks, which a second one will show


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
