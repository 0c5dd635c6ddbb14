"""Leases: one process at a time, also where the system's locks, links and clocks are of no use."""

import errno
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from benchmark.store import leases
from benchmark.store.leases import Lost, busy, leased

LEASE_S = 1.0


def refuse(*arguments: object, **named: object) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


@pytest.fixture(autouse=True)
def _poor_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system where locks do nothing and there are no links; and short leases. Forked processes inherit it."""
    pytest.importorskip("fcntl")  # where there is none, processes are not forked either
    for name in ("flock", "lockf"):
        monkeypatch.setattr(f"fcntl.{name}", lambda *arguments: None)
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(leases, "LEASE_S", LEASE_S)
    monkeypatch.setattr(leases, "BEAT_S", LEASE_S / 5)
    monkeypatch.setattr(leases, "_PAUSES_S", (0.01, 0.05))


@pytest.fixture
def start() -> Iterator[Callable[..., BaseProcess]]:
    """Starts functions in processes of their own, and kills these at the end."""
    started: list[BaseProcess] = []

    def begin(what: Callable[..., object], *arguments: object) -> BaseProcess:
        process = multiprocessing.get_context("fork").Process(target=what, args=arguments)
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.join()


def as_on_another_machine() -> None:
    leases._machine = lambda: "another"  # type: ignore[assignment]


def hold(lock: Path, setup: Callable[[], Any] = lambda: None, seconds: float = 60.0, said: str = "held") -> None:
    """Holds a lock, and says so, and at the end whether it still did."""
    setup()
    with leased(lock, print) as lease:
        assert lease
        lock.with_name(said).touch()
        time.sleep(seconds)
        lock.with_name(f"kept {lease.held()}").touch()


def until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def seconds_to_take(lock: Path) -> float:
    """For how long a process waits for a lock."""
    began = time.monotonic()
    with leased(lock, lambda who: None) as lease:
        assert lease
        assert lease.held()
        return time.monotonic() - began


def test_a_lock_is_one_processs_and_leaves_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with leased(lock, None) as lease:
        assert lease
        assert lease.held()
        with leased(lock, None) as other:
            assert other is None
        assert busy([lock, tmp_path / "free"]) == {lock}
    assert not lease.held()
    assert not list(tmp_path.iterdir())
    with leased(lock, None) as lease:
        assert lease


def count_up(lock: Path, times: int) -> None:
    """Adds to a number in a file, which two processes at once would spoil."""
    number = lock.with_name("number")
    for _ in range(times):
        with leased(lock, lambda who: None) as lease:
            assert lease
            before = int(number.read_text())
            time.sleep(0.001)
            number.write_text(str(before + 1))


def test_many_processes_take_turns_after_one_that_was_killed_on_another_machine(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    lock = tmp_path / "lock"
    (tmp_path / "number").write_text("0")
    killed = start(hold, lock, as_on_another_machine)
    until((tmp_path / "held").exists)
    killed.kill()
    counting = [start(count_up, lock, 25) for _ in range(4)]
    for process in counting:
        process.join()
    assert (tmp_path / "number").read_text() == "100"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["held", "number"]


def test_who_is_killed_on_this_machine_loses_its_lock_at_once(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    lock = tmp_path / "lock"
    killed = start(hold, lock)
    until((tmp_path / "held").exists)
    assert busy([lock]) == {lock}
    killed.kill()
    assert seconds_to_take(lock) < LEASE_S / 2  # before its parent, this process, has asked how it ended


def test_who_is_killed_on_another_machine_loses_its_lock_after_the_time_of_a_lease(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    lock = tmp_path / "lock"
    killed = start(hold, lock, as_on_another_machine)
    until((tmp_path / "held").exists)
    killed.kill()
    killed.join()
    assert LEASE_S * 0.9 < seconds_to_take(lock) < LEASE_S * 3


def an_hour(ahead: int) -> Callable[[], None]:
    """Another machine, whose clock is off, as are the times of the files that it writes."""

    def setup() -> None:
        as_on_another_machine()
        clock, write = time.time, leases.Lease._write
        time.time = lambda: clock() + 3600 * ahead

        def stamped(lease: leases.Lease, mode: str, beats: int) -> None:
            write(lease, mode, beats)
            os.utime(lease._beats, (time.time(), time.time()))

        leases.Lease._write = stamped  # type: ignore[assignment, method-assign]

    return setup


def test_a_clock_that_is_off_by_an_hour_neither_takes_a_lock_nor_keeps_it(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    lock = tmp_path / "lock"
    start(hold, lock, an_hour(1), 2 * LEASE_S)
    until((tmp_path / "held").exists)
    taking = start(hold, lock, an_hour(-1), 60.0, "taken")
    with leased(lock, None) as lease:  # which watches it until its next beat
        assert lease is None
    until((tmp_path / "kept True").exists)
    until((tmp_path / "taken").exists)
    taking.kill()
    assert LEASE_S * 0.9 < seconds_to_take(lock) < LEASE_S * 3


def test_who_was_stopped_for_the_time_of_a_lease_finds_its_lock_lost(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    lock = tmp_path / "lock"
    stopped = start(hold, lock, lambda: None, 0.3)
    until((tmp_path / "held").exists)
    assert stopped.pid
    os.kill(stopped.pid, signal.SIGSTOP)
    with leased(lock, lambda who: None) as lease:
        assert lease
        os.kill(stopped.pid, signal.SIGCONT)
        until((tmp_path / "kept False").exists)
        stopped.join()
        assert lease.held()  # it did not end another's
        assert busy([lock]) == {lock}
    assert not (tmp_path / "kept True").exists()


def test_who_is_stopped_while_nobody_asks_keeps_its_lock(tmp_path: Path, start: Callable[..., BaseProcess]) -> None:
    lock = tmp_path / "lock"
    stopped = start(hold, lock, lambda: None, 0.3)
    until((tmp_path / "held").exists)
    assert stopped.pid
    os.kill(stopped.pid, signal.SIGSTOP)
    time.sleep(1.2 * LEASE_S)
    os.kill(stopped.pid, signal.SIGCONT)
    until((tmp_path / "kept True").exists)


def watch(lock: Path, setup: Callable[[], Any]) -> None:
    setup()
    with leased(lock, lambda who: lock.with_name("waits").touch()):
        lock.with_name("took it").touch()


def test_who_was_stopped_while_it_watched_does_not_take_that_time_for_silence(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    """A whole machine may stand still: a laptop's, or a virtual one."""
    lock = tmp_path / "lock"
    both = [start(hold, lock, as_on_another_machine)]
    until((tmp_path / "held").exists)
    both.append(start(watch, lock, lambda: None))
    until((tmp_path / "waits").exists)
    for number, seconds in ((signal.SIGSTOP, 1.2 * LEASE_S), (signal.SIGCONT, 0.3)):
        for process in reversed(both):
            assert process.pid
            os.kill(process.pid, number)
            time.sleep(0.05)
        time.sleep(seconds)
    assert not (tmp_path / "took it").exists()


def test_what_fails_after_the_lock_is_lost_is_told_as_its_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock"
    with pytest.raises(Lost, match="another process took the work over"), leased(lock, None):  # noqa: PT012
        with monkeypatch.context() as patched:
            patched.setattr(leases, "LEASE_S", 0.0)
            with leased(lock, None) as other:
                assert other
        raise FileNotFoundError
    with pytest.raises(FileNotFoundError), leased(lock, None):
        raise FileNotFoundError


@pytest.mark.parametrize("left", [None, b'{"host": "a"'])
def test_a_lock_whose_holders_machine_died_before_it_was_written_is_taken(tmp_path: Path, left: bytes | None) -> None:
    lock, token = tmp_path / "lock", "0123456789abcdef"
    lock.mkdir()
    (lock / token).touch()
    if left is not None:
        (tmp_path / f"lock.{token}").write_bytes(left)
    assert (seconds_to_take(lock) > LEASE_S / 2) == (left is not None)
    assert not list(tmp_path.iterdir())


def test_what_lies_in_a_lock_besides_is_no_token(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.mkdir()
    assert seconds_to_take(lock) < LEASE_S / 2  # an empty folder is a free lock
    lock.mkdir()
    (lock / ".DS_Store").touch()
    assert seconds_to_take(lock) < LEASE_S / 2


def test_a_server_that_repeats_a_renaming_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of NFS: the answer is lost, the client asks again, and the name is gone by then."""
    plain = Path.replace
    lock = tmp_path / "lock"

    def twice(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", plain)
        plain(path, target)
        (token,) = lock.iterdir()
        tokens.append(token.name)
        return plain(path, target)

    tokens: list[str] = []
    monkeypatch.setattr(Path, "replace", twice)
    with leased(lock, None) as lease:
        assert lease
        assert lease.held()
        assert tokens == [lease.token]
    assert not list(tmp_path.iterdir())
