"""macOS and Windows, whose ways are substituted here: modules that they lack, and what Windows refuses to do."""

import builtins
import ctypes
import json
import ntpath
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from benchmark.jobs.environment import peak_memory
from benchmark.jobs.model import choose_device
from benchmark.store import files
from leaderboard.report.maps import _link
from tests.audiobench.test_damage import chain
from tests.audiobench.test_run import Call

OURS = ("audiobench", "benchmark", "leaderboard", "registry", "suites")
POSIX = {"fcntl", "grp", "pwd", "resource", "termios"}
PEAK = 12345

needs_proc = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux, to see what is open")


class _WithoutPosix:
    """``import`` as it is where our own packages find none of the modules that only POSIX systems have."""

    def __init__(self) -> None:
        self.plain = builtins.__import__

    def __call__(self, name: str, globals: Mapping[str, Any] | None = None, *others: Any, **named: Any) -> ModuleType:
        if name in POSIX and str((globals or {}).get("__name__")).partition(".")[0] in OURS:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return self.plain(name, globals, *others, **named)


@pytest.mark.slow
def test_every_module_imports_where_there_is_nothing_of_posix() -> None:
    """In a process of its own, in which nothing is imported yet."""
    root = Path(__file__).parents[2]
    modules = [
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for package in OURS
        for path in (root / package).rglob("*.py")
    ]
    assert len(modules) > 150
    script = (
        "import builtins, importlib, sys\n"
        "from tests.audiobench.test_other_systems import POSIX, _WithoutPosix\n"
        "for name in [name for name in sys.modules if name.partition('.')[0] in sys.argv[1].split()]:\n"
        "    del sys.modules[name]\n"
        "builtins.__import__ = _WithoutPosix()\n"
        "for name in sys.argv[2:]:\n"
        "    if not name.endswith('__main__'):\n"
        "        importlib.import_module(name)\n"
    )
    command = [sys.executable, "-c", script, " ".join(OURS), *modules]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("system", "factor"), [("linux", 1024), ("darwin", 1)])
def test_the_peak_of_memory_is_in_bytes(system: str, factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: SimpleNamespace(ru_maxrss=PEAK))
    monkeypatch.setitem(sys.modules, "resource", told)
    monkeypatch.setattr(sys, "platform", system)
    assert peak_memory(choose_device("cpu", "fp32")) == {"host": PEAK * factor}


@needs_proc
def test_the_peak_of_memory_is_the_systems_own() -> None:
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    assert peak_memory(choose_device("cpu", "fp32"))["host"] == pytest.approx(peak, rel=0.02)


def test_a_page_on_another_drive_names_recordings_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b").mkdir()
    assert _link(tmp_path / "a b" / "1.wav", tmp_path / "reports") == "../a%20b/1.wav"
    monkeypatch.setattr(os.path, "relpath", lambda path, start: ntpath.relpath("C:\\data", "D:\\runs"))
    assert _link(tmp_path / "a b" / "1.wav", tmp_path / "reports") == f"file://{tmp_path}/a%20b/1.wav"


def _in_use(path: Path, *, below: bool) -> bool:
    """Whether this process has a file open or mapped: this one, or any below this folder."""
    used = [line.split(maxsplit=5)[-1].strip() for line in Path("/proc/self/maps").read_text().splitlines()]
    for handle in Path("/proc/self/fd").iterdir():
        try:
            used.append(str(handle.readlink()))
        except OSError:
            continue  # of the listing itself
    resolved = str(path.resolve())
    return any(file == resolved or (below and file.startswith(f"{resolved}/")) for file in used)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What Windows refuses is refused; yields what was."""
    refused: list[str] = []
    plain = {name: getattr(os, name) for name in ("open", "fsync", "unlink", "replace", "rename")}

    def refuse(error: OSError, what: str) -> None:
        refused.append(what)
        raise error

    def opening(path: Any, flags: int, *others: Any, **named: Any) -> int:
        if Path(path).is_dir():
            refuse(PermissionError(13, "Permission denied", str(path)), "open a folder")
        return int(plain["open"](path, flags, *others, **named))

    def fsync(handle: int) -> None:
        flags = Path(f"/proc/self/fdinfo/{handle}").read_text().split("flags:")[1].split()[0]
        if int(flags, 8) & os.O_ACCMODE == os.O_RDONLY:
            refuse(OSError(9, "Bad file descriptor"), "sync what is only read")
        plain["fsync"](handle)

    def unlink(path: Any, **named: Any) -> None:
        if _in_use(Path(path), below=False):
            refuse(PermissionError(13, "The process cannot access the file", str(path)), f"delete {Path(path).suffix}")
        plain["unlink"](path, **named)

    def moving(source: Any, target: Any) -> None:
        for path in (Path(source), Path(target)):
            if _in_use(path, below=True):
                refuse(PermissionError(5, "Access is denied", str(source)), f"move {Path(source).name}")
        if Path(target).is_dir():
            refuse(PermissionError(5, "Access is denied", str(source)), "replace a folder")
        plain["replace"](source, target)

    def library(name: str | None, *others: Any, **named: Any) -> ctypes.CDLL:
        if name is None:
            raise TypeError("LoadLibrary() argument 1 must be str, not None")
        return plain_library(name, *others, **named)

    plain_library = ctypes.CDLL
    for name, new in (
        ("open", opening),
        ("fsync", fsync),
        ("unlink", unlink),
        ("replace", moving),
        ("rename", moving),
    ):
        monkeypatch.setattr(os, name, new)
    monkeypatch.setattr(ctypes, "CDLL", library)
    monkeypatch.setattr(shutil, "_use_fd_functions", False)  # which open folders
    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(files, "_PAUSES_S", (0.0,))
    monkeypatch.setattr(builtins, "__import__", _WithoutPosix())
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=PEAK))
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace(Process=lambda: process))
    monkeypatch.setattr("benchmark.jobs.model.sys", SimpleNamespace(platform="win32"))
    yield refused
    monkeypatch.undo()


@needs_proc
def test_a_suite_runs_under_the_rules_of_windows(
    windows: list[str], tiny: Path, tmp_path: Path, audiobench: Call
) -> None:
    runs = tmp_path / "runs"
    asked = ("run", tiny, "--runs", runs, "--entry", "moco", "--protocol", "knn")
    answer = audiobench(*asked)
    assert answer.status == 0, answer.err
    assert windows == []
    folders = chain(runs)
    for folder in folders.values():
        assert json.loads((folder / "result.json").read_text())["peak_memory"] == {"host": PEAK}
    with (folders["embed"] / "embeddings.safetensors").open("r+b") as file:
        file.write(b"damage")
    answer = audiobench(*asked)
    assert answer.status == 0, answer.err
    assert (runs / ".aside" / "embed" / f"{folders['embed'].name}.1").exists()
    assert windows == []
    answer = audiobench("store", "clean", "--runs", runs, "--yes")
    assert answer.status == 0, answer.err
    assert not list((runs / ".partial").iterdir())
    assert windows == []
