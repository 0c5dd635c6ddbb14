"""A run that stood still, so that another one took its job over: its work is thrown away, the other's stays whole."""

import json
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from benchmark.jobs.model import choose_device
from benchmark.jobs.workplace import Workplace
from benchmark.ledger.execute import do_here
from benchmark.progress import Progress
from benchmark.store import leases
from benchmark.store.files import move, replace_file
from benchmark.store.job import AnyJob
from benchmark.store.leases import Lease, Lost
from benchmark.store.store import Store
from tests.jobs import MEASURED, measure_job

JOB = measure_job(title="measure it")


@contextmanager
def standing_still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every process counts as dead while the block runs."""
    with monkeypatch.context() as patched:
        patched.setattr(leases, "LEASE_S", 0.0)
        yield


def write(folder: Path | None, by: str) -> None:
    assert folder
    (folder / "by").write_text(by)
    (folder / "result.json").write_text(json.dumps({**MEASURED, "key": JOB.key}))


def published(root: Path) -> str:
    assert Store(root).done(JOB)
    assert not list((root / ".partial").iterdir())
    return (Store(root).folder(JOB) / "by").read_text()


def test_a_folder_aside_names_host_and_process(tmp_path: Path) -> None:
    for host in (socket.gethostname(), "a.b/c" * 20):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("socket.gethostname", lambda host=host: host)
            with Store(tmp_path).writing(JOB, print) as folder:
                assert folder
                key, name, pid, token = folder.name.split(".")
                assert (key, pid, len(token)) == (JOB.key, str(os.getpid()), 16)
                assert name == host[:40].replace(".", "-").replace("/", "-")
                write(folder, "a")
        Store(tmp_path).folder(JOB).rename(tmp_path / token)


def test_what_a_run_made_before_it_lost_its_job_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (  # noqa: PT012
        pytest.raises(Lost, match="another process took the work over"),
        Store(tmp_path).writing(JOB, print) as a,
    ):
        write(a, "a")
        with standing_still(monkeypatch), Store(tmp_path).writing(JOB, print) as b:
            write(b, "b")
    assert published(tmp_path) == "b"


def test_a_run_that_lost_its_job_neither_publishes_nor_deletes_while_another_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = (Store(tmp_path).writing(JOB, print) for _ in range(2))
    mine = a.__enter__()
    with standing_still(monkeypatch):
        other = b.__enter__()
    write(other, "b")
    assert mine
    assert not mine.exists()
    mine.mkdir()  # as if it had not been cleared away
    write(mine, "a")
    with pytest.raises(Lost):
        a.__exit__(None, None, None)
    assert not mine.exists()
    assert not Store(tmp_path).done(JOB)
    b.__exit__(None, None, None)
    assert published(tmp_path) == "b"


@pytest.mark.parametrize("before", ["it looks for another record", "it moves its folder"])
@pytest.mark.parametrize("finishes", [True, False])
def test_a_run_that_stood_still_right_before_it_published_leaves_one_whole_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, finishes: bool
) -> None:
    """After it was told that the job is still its own."""
    b = Store(tmp_path).writing(JOB, print)

    def stand_still() -> None:
        unpatched.undo()
        with standing_still(monkeypatch):
            write(b.__enter__(), "b")
        if finishes:
            b.__exit__(None, None, None)

    def require(lease: Lease) -> None:
        stand_still()

    def moved(path: Path, target: Path) -> None:
        stand_still()
        move(path, target)

    with monkeypatch.context() as unpatched, ExitStack() as stack:
        if before == "it moves its folder":
            unpatched.setattr("benchmark.store.store.move", moved)
        else:
            unpatched.setattr(Lease, "require", require)
        if not finishes:
            stack.enter_context(pytest.raises(Lost))
        write(stack.enter_context(Store(tmp_path).writing(JOB, print)), "a")
    if not finishes:
        b.__exit__(None, None, None)
    assert published(tmp_path) == "b"


def test_two_processes_with_one_number_write_to_different_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on two machines, or in two containers."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path = tmp_path / "checkpoint"

    def slowly(aside: Path) -> None:
        aside.write_text("a" * 1000)
        replace_file(path, lambda other: other.write_text("b"))
        assert path.read_text() == "b"
        assert aside.read_text() == "a" * 1000

    replace_file(path, slowly)
    assert path.read_text() == "a" * 1000
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint"]


class _Told(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def _run(job: AnyJob, root: Path, told: Progress) -> str:
    return do_here(job, Workplace(Store(root), None, {}, {}, choose_device("cpu", "fp32"), told, skip_bad=False))


def _work_and_be_stopped(root: Path) -> None:
    def slow(job: AnyJob, folder: Path, at: Workplace) -> None:
        (root / "begun").touch()
        time.sleep(0.3)  # in which it is stopped
        (folder / "half").write_text("a")
        raise AssertionError("its folder is gone")

    told = _Told()
    type(JOB).run = slow  # type: ignore[assignment, method-assign]
    result = _run(JOB, root, told)
    (root / "told").write_text(json.dumps([result, told.lines]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_run_that_lost_a_job_waits_for_the_other_and_counts_the_job_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 1.0)
    monkeypatch.setattr(leases, "BEAT_S", 0.2)
    stopped = multiprocessing.get_context("fork").Process(target=_work_and_be_stopped, args=(tmp_path,))
    stopped.start()
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    assert stopped.pid
    os.kill(stopped.pid, signal.SIGSTOP)
    waited: list[str] = []
    with Store(tmp_path).writing(JOB, waited.append) as folder:
        os.kill(stopped.pid, signal.SIGCONT)
        write(folder, "b")
        time.sleep(0.5)  # in which it wakes up, and waits
    stopped.join()
    assert waited == [f"another run is at work on it (process {stopped.pid} on {socket.gethostname()}); waiting"]
    result, lines = json.loads((tmp_path / "told").read_text())
    assert result == "done by another run"
    assert lines == [
        "measure it: another process took the work over, since this one showed no sign of life for 1 s; "
        "what it made is not used",
        f"measure it: another run is at work on it (process {os.getpid()} on {socket.gethostname()}); waiting",
    ]
    assert published(tmp_path) == "b"
