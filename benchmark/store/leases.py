"""Leases: locks that hold between machines, on any file system that renames.

LOCK/         a folder with one empty file, whose name is the token of the process that holds the lock
LOCK.TOKEN    says which process that is, and how often it has beaten: a thread of it counts on as long as it lives

A process takes a free lock by renaming a folder with its token to LOCK: the file system refuses this if there is a
token already. It takes the lock of a dead process by deleting that one's beats, and then renaming that one's token to
its own: if several do this at once, all but one find the token gone. Records are published by the same renaming, so
that a lock needs nothing which the store does not need: no lock of the system, no link, no clock of another machine.
filelock's leases are not used: they take over no dead process's lock where two names cannot be exchanged in one step,
as on NFS, SMB and sshfs, or need links.

A process is dead if it ran on this machine and has ended, or if its beats stay the same for the time of a lease, by the
clock of the process that looks. A process that was stopped for so long finds its beats gone, and so learns that it has
lost the lock, when it looks: before it publishes.
"""

import errno
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

from benchmark.store.files import move
from registry.errors import Mistake

LEASE_S = 60.0  # a process that shows no beat for so long loses its locks
BEAT_S = 10.0
_PAUSES_S = (0.02, 1.0)  # between two looks at a lock: the first, and the longest

_TOKEN = re.compile("[0-9a-f]{16}")
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT)  # how renaming fails if another process was faster


class Lost(Mistake):
    """This process held a lock, and has lost it: it showed no beat for the time of a lease, and another one took it."""

    def __init__(self, path: Path) -> None:
        what = f"another process took the work over, since this one showed no sign of life for {LEASE_S:g} s"
        super().__init__(what, where=str(path), fix="run the same command again: what this process made is not used")


class Lease:
    """A lock that this process holds, or has lost.

    Args:
        path: of the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.token, self.pid = path, token_hex(8), os.getpid()
        pid, host = self.pid, socket.gethostname()
        self.owner = f"{re.sub('[^0-9A-Za-z-]', '-', host)[:40]}.{pid}.{self.token}"  # for names of files
        known = {"host": host, "pid": pid, "started": _started(pid), "machine": _machine()}
        self._known = json.dumps(known).encode()
        self._beats = _beats(path, self.token)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {path.name}", daemon=True)
        _held.add(self)
        self._write("xb", 0)

    @property
    def aside(self) -> Path:
        """The folder for what its process makes until that is published."""
        return self.path.with_name(f"{self.path.stem}.{self.owner}")

    def held(self) -> bool:
        """Whether this process still holds the lock; the file system is asked, by opening a file."""
        return _is_there(self._beats)

    def require(self) -> None:
        """Asks whether this process still holds the lock.

        Raises:
            Lost: if it does not.
        """
        if not self.held():
            raise Lost(self.path)

    def begin(self) -> None:
        """Beats from now on."""
        self._thread.start()

    def end(self) -> None:
        """Ends the beats, and frees the lock unless it is lost."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        for free in ((self.path / self.token).unlink, self.path.rmdir, self._beats.unlink):
            with suppress(OSError):  # it is another process's by now, or will be in the time of a lease
                free()
        _held.discard(self)

    def _beat(self) -> None:
        for beats in count(1):
            if self._ended.wait(BEAT_S):
                return
            try:
                self._write("r+b", beats)
            except FileNotFoundError:
                return  # lost
            except OSError:
                continue  # the next beat may come through

    def _write(self, mode: str, beats: int) -> None:
        """Writes the file of beats, always of the same size: what reads it may know an older size."""
        with self._beats.open(mode) as file:
            file.write(self._known + b"\n%010d\n" % beats)


_held: set[Lease] = set()  # by this process


def abandon() -> None:
    """Frees all locks of this process and deletes what it has half done, before it ends in the midst of a call."""
    for lease in [lease for lease in _held if lease.pid == os.getpid()]:  # not those of the process that forked it
        shutil.rmtree(lease.aside, ignore_errors=True)
        lease.end()


@contextmanager
def leased(path: Path, waiting: Callable[[str], None] | None) -> Iterator[Lease | None]:
    """Holds a lock while the block runs. Yields None if another process holds it, and this one is not to wait.

    To tell whether a process on another machine lives, it is watched until its next beat, or for the time of a lease.

    Args:
        path: of the lock, in a folder that is there.
        waiting: is called with words for the other process, before this one waits; None: do not wait.

    Raises:
        Lost: if the block fails after the lock was lost, for that may be why.
    """
    lease = _taken(path, waiting)
    if lease is None:
        yield None
        return
    try:
        lease.begin()
        yield lease
    except Exception as error:
        if isinstance(error, Lost) or lease.held():
            raise
        raise Lost(path) from error
    finally:
        lease.end()


def busy(paths: Iterable[Path]) -> set[Path]:
    """Those of some locks that a living process holds. All that are on other machines are watched at once."""
    left, found, end = set(paths), set(), time.monotonic() + 2 * LEASE_S
    while left and time.monotonic() < end:
        for path in list(left):
            holder = _look(path)
            if holder is None or holder.is_dead() or holder.is_alive():
                left.remove(path)
                if holder and holder.is_alive():
                    found.add(path)
        if left:
            time.sleep(_PAUSES_S[1])
    return found | left  # some may change hands, or be looked at too slowly to be sure


@dataclass
class _Holder:
    """What this process has seen of the process that holds a lock.

    Args:
        token: of the other process.
        content: of its file of beats; None if that is gone: it released the lock or lost it.
        looked: when, on this process's clock.
        still_s: for how long the content has been seen to stay the same.
        beats: whether it was seen to change within the time of a lease.
    """

    token: str
    content: bytes | None
    looked: float
    still_s: float = 0.0
    beats: bool = False

    def seen(self, content: bytes | None, now: float) -> None:
        """Adds a look. A long time between two looks counts little: perhaps both processes stood still."""
        passed, same = now - self.looked, content == self.content
        self.beats = passed < LEASE_S and (self.beats or not same)
        self.still_s = self.still_s + min(passed, BEAT_S) if same else 0.0
        self.content, self.looked = content, now

    def is_dead(self) -> bool:
        return self.content is None or self._runs() is False or self.still_s >= LEASE_S

    def is_alive(self) -> bool:
        return not self.is_dead() and (self.beats or self._runs() is True)

    def __str__(self) -> str:
        known = self._known()
        return f"process {known['pid']} on {known['host']}" if known else "it does not say where"

    def _known(self) -> dict[str, Any]:
        """What the process said of itself; empty if that is damaged, or it or its machine was killed before it had."""
        try:
            said = dict(json.loads((self.content or b"").splitlines()[0]))
            return said if said.keys() >= {"host", "pid", "started", "machine"} else {}
        except (ValueError, IndexError):
            return {}

    def _runs(self) -> bool | None:
        """Whether its process runs; None if it is on another machine, or on a system that does not tell."""
        known = self._known()
        if not known or not known["machine"] or known["machine"] != _machine():
            return None
        try:
            os.kill(known["pid"], 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return None  # another user's
        return bool(_started(known["pid"]) == known["started"])


_seen: dict[Path, _Holder] = {}  # what was seen of a lock that is watched for long


def _look(path: Path) -> _Holder | None:
    """Looks at the process that holds a lock; None if it is free."""
    now = time.monotonic()  # before the file is read: if that takes long, it is no sign of death
    token = _holder(path)
    if not token:
        _seen.pop(path, None)
        return None
    content = _content(_beats(path, token))
    known = _seen.get(path)
    if known is None or known.token != token:
        _seen[path] = _Holder(token, content, now)
    else:
        known.seen(content, now)
    return _seen[path]


def _content(beats: Path) -> bytes | None:
    try:
        return beats.read_bytes()
    except FileNotFoundError:
        return None
    except PermissionError:
        if os.name == "nt":
            return b""  # Windows says so of a file that is being deleted
        raise
    except OSError as error:
        if error.errno == errno.ESTALE:
            return None  # deleted on a server after it was opened
        raise


def _taken(path: Path, waiting: Callable[[str], None] | None) -> Lease | None:
    pause, longest = _PAUSES_S
    told, end = False, time.monotonic() + 2 * LEASE_S
    while True:
        holder = _look(path)
        if holder is None or holder.is_dead():
            lease = _claimed(path, holder.token if holder else "")
            if lease:
                _seen.pop(path, None)
                return lease
        elif waiting is None and (holder.is_alive() or time.monotonic() > end):
            return None
        elif waiting and not told:
            waiting(str(holder))
            told = True
        time.sleep(pause)
        pause = min(1.5 * pause, longest)


def _claimed(path: Path, dead: str) -> Lease | None:
    """Takes a lock that is free, or that the process with this token has lost; None if another one was faster."""
    lease = Lease(path)
    won = False
    try:
        if dead:
            _beats(path, dead).unlink(missing_ok=True)
            won = _renamed(path / dead, path / lease.token, path / lease.token)
        else:
            folder = path.with_name(f"{path.name}.{lease.token}.new")
            folder.mkdir()
            (folder / lease.token).touch()
            won = _renamed(folder, path, path / lease.token)
            if not won:
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):  # left empty, which some systems do not replace
                    path.rmdir()
    except FileNotFoundError:  # its holder cleared away what lay beside the lock
        return None
    finally:
        if not won:
            lease.end()
    return lease if won else None


def _renamed(source: Path, target: Path, token: Path) -> bool:
    """Renames, and says whether the token is there: a server's answer may get lost, and be repeated as a failure."""
    try:
        move(source, target)
    except OSError as error:
        if error.errno not in _TAKEN and not _holder(token.parent):
            raise
    return _is_there(token)


def _holder(path: Path) -> str:
    """The token in a lock; empty if there is none. What a file manager may have put there is no token."""
    try:
        names = [entry.name for entry in path.iterdir()]
    except FileNotFoundError:
        return ""
    return next(filter(_TOKEN.fullmatch, names), names[0] if names else "")


def _is_there(path: Path) -> bool:
    """Whether there is a file. It is opened: a network's client may remember names, but asks when it opens."""
    try:
        with path.open("rb"):
            return True
    except FileNotFoundError:
        return False


def _beats(path: Path, token: str) -> Path:
    return path.with_name(f"{path.name}.{token}")


@cache
def _machine() -> str:
    """Names this machine since it was started, and its processes' numbers; empty on systems that do not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        spaces = [Path(f"/proc/self/ns/{name}").stat().st_ino for name in ("pid", "time")]  # containers have their own
    except (OSError, ValueError):
        return ""
    return f"{socket.gethostname()} {boot} {spaces}"


def _started(pid: int) -> str:
    """When a process was started, so that another one with its number is told apart; empty if it is not known."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if status[0] in (b"Z", b"X") else status[19].decode()  # a process that has ended, but is not yet cleared
