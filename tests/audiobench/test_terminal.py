"""Narrow terminals, other encodings, folders that cannot be written to, full disks, closed pipes and Ctrl-C."""

import fcntl
import json
import os
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.audiobench.conftest import COMMAND
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]
_STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def command(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, check=False, **options)


def on_a_terminal(columns: int, *arguments: object) -> str:
    """What a command shows on a terminal of so many columns, without its styles."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    asked = [*COMMAND, *map(str, arguments)]
    known = dict(os.environ)  # without COLUMNS, which readline sets for children alone
    with subprocess.Popen(asked, stdout=theirs, stderr=subprocess.DEVNULL, env=known) as running:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            """The other end is closed."""
    os.close(ours)
    assert running.returncode == 0
    return _STYLE.sub("", shown.decode()).replace("\r", "")


@pytest.mark.parametrize("columns", [80, 40])
def test_a_leaderboard_is_whole_on_a_narrow_terminal(
    finished: tuple[Path, Path], audiobench: Call, columns: int
) -> None:
    shown = on_a_terminal(columns, "run", finished[0], "--runs", finished[1])
    tables, path = shown.rstrip().rsplit("\n", 1)
    assert not [line for line in tables.splitlines() if len(line) > columns]
    assert path.startswith("leaderboard: ")  # in one line, to be copied
    assert "…" not in shown
    written = audiobench("leaderboard", "tiny", "--runs", finished[1]).out
    rows = [line.split("|")[1:-1] for line in written.splitlines() if line.startswith(("| moco", "| npid", "| random"))]
    figures = {cell.strip(" *") for row in rows for cell in row[1:]} - {""}
    assert len(figures) > 20
    assert not [figure for figure in figures if figure not in tables]


@pytest.mark.parametrize("asked", [("list", "tasks"), ("list", "methods"), ("show", "methods", "moco")])
def test_other_tables_fit_a_narrow_terminal(asked: tuple[str, ...], audiobench: Call) -> None:
    shown = on_a_terminal(80, *asked)
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    wide = audiobench(*asked).out  # no terminal: a row is a line
    assert asked != ("list", "tasks") or re.search(r"^esc10 .*5 official folds\. +10 +5 .*Piczak", wide, re.MULTILINE)
    assert set("".join(wide.split())) <= set("".join(shown.split()))


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
FOREIGN = "größer → 大"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """A run of a suite with names from elsewhere, in a locale that knows none of their letters."""
    folder = tmp_path_factory.mktemp("foreign")
    taught = [line for line in TINY.splitlines() if "{pretrain:" in line]
    text = TINY.replace("title: Tiny", "title: Größe ± 大").replace(taught[0], f"  '{FOREIGN}': {{weights: random}}")
    text = text.replace(taught[1], "")
    (folder / "tiny.yaml").write_text(text, encoding="utf-8")
    asked = ("run", folder / "tiny.yaml", "--runs", folder / "runs", "--protocol", "knn")
    answer = command(*asked, env={**os.environ, **C_LOCALE})
    assert answer.returncode == 0, answer.stderr
    return asked


@pytest.mark.parametrize(
    ("environment", "encoding"),
    [(C_LOCALE, "ascii"), ({"PYTHONIOENCODING": "ascii"}, "ascii"), ({"PYTHONIOENCODING": "cp1252"}, "cp1252")],
)
def test_no_leaderboard_is_lost_to_an_encoding(
    foreign: tuple[Any, ...], environment: dict[str, str], encoding: str
) -> None:
    runs = foreign[3]
    (written,) = (runs / "leaderboards").glob("*.md")
    written.unlink()
    spelled = FOREIGN.encode(encoding, "backslashreplace").decode(encoding)
    for asked in (foreign, ("leaderboard", "tiny", "--runs", runs)):
        answer = command(*asked, env={**os.environ, **environment})
        assert answer.returncode == 0, answer.stderr
        shown = answer.stdout.decode(encoding)
        assert spelled in shown
        assert ("+/-" in shown, "±" in shown) == (encoding == "ascii", encoding != "ascii")
    assert f"| {FOREIGN} " in written.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "asked",
    [
        ("run", "SUITE", "--runs", "FILE/x"),
        ("run", "SUITE", "--runs", "/proc/none"),
        ("leaderboard", "tiny", "--runs", "RUNS", "--output", "FILE/x.md"),
        ("leaderboard", "tiny", "--runs", "RUNS", "--output", "."),
        ("report", "tiny", "--runs", "RUNS", "--output", "FILE/x.html"),
        ("report", "tiny", "--runs", "RUNS", "--output", "PAGE", "--figures", "FILE/x"),
        ("report", "tiny", "--runs", "RUNS", "--output", "PAGE", "--figures", "/proc/none"),
        ("data", "fetch", "esc50", "--data", "FILE/x", "--from", "."),
        ("data", "fetch", "esc50", "--data", "/proc/none", "--from", "."),
    ],
)
def test_what_cannot_be_written_is_a_message(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path, asked: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("x")
    shutil.copytree(finished[1], tmp_path / "runs")
    names = {"SUITE": finished[0], "RUNS": tmp_path / "runs", "PAGE": tmp_path / "page.html"}
    answer = audiobench(*(names.get(one, one.replace("FILE", str(tmp_path / "file"))) for one in asked))
    assert answer.status == 2
    assert answer.err.startswith("audiobench: ")
    assert "where: " in answer.err
    assert "to do: " in answer.err
    assert (tmp_path / "file").read_text() == "x"


def test_a_plan_writes_nothing_that_it_needs(finished: tuple[Path, Path], audiobench: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for runs in (tmp_path / "file" / "x", Path("/proc/none")):
        answer = audiobench("plan", finished[0], "--runs", runs)
        assert (answer.status, answer.err) == (0, "")
        assert answer.out.startswith("tiny: 17 jobs, 0 done")


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may be larger than a few bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_a_message_and_what_was_good_stays(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path
) -> None:
    shutil.copytree(finished[1], tmp_path / "runs")
    runs, good = ("--runs", tmp_path / "runs"), tmp_path / "good"
    for asked in (
        ("leaderboard", "tiny", "--output", good),
        ("leaderboard", "tiny", "--output", good, "--format", "json"),
        ("report", "tiny", "--output", good),
        ("run", finished[0]),
    ):
        good.write_text("good")
        before = sorted(path.name for path in tmp_path.iterdir())
        with full_disk():
            answer = audiobench(*asked, *runs)
        assert answer.status == 2
        assert answer.err.startswith("audiobench: cannot write: File too large")
        assert good.read_text() == "good"
        assert sorted(path.name for path in tmp_path.iterdir()) == before
    with full_disk():
        assert audiobench("plan", finished[0], *runs).status == 0


def test_a_leaderboard_that_cannot_be_kept_is_shown(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path
) -> None:
    shutil.copytree(finished[1], tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / "leaderboards")
    (tmp_path / "runs" / "leaderboards").write_text("in the way")
    answer = audiobench("run", finished[0], "--runs", tmp_path / "runs")
    assert answer.status == 2
    assert "Tiny · sounds" in answer.out
    assert "leaderboards" in answer.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_that_cannot_be_written_is_a_message() -> None:
    with Path("/dev/full").open("wb") as full:
        answer = subprocess.run(
            [*COMMAND, "list", "tasks"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert answer.returncode == 2
    assert answer.stderr.startswith("audiobench: cannot write: No space left on device")
    assert "Exception ignored" not in answer.stderr
    closed = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *COMMAND, "schema"], capture_output=True, check=False)
    assert (closed.returncode, closed.stderr) == (0, b"")


@pytest.mark.parametrize("asked", [("schema",), ("list", "tasks"), ("--help",)])
def test_whoever_reads_no_further_is_not_told_of_it(asked: tuple[str, ...]) -> None:
    running = subprocess.Popen([*COMMAND, *asked], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout
    running.stdout.close()
    assert (running.wait(), running.stderr and running.stderr.read()) == (0, b"")


def test_a_leaderboard_goes_into_a_pipe_or_a_device(finished: tuple[Path, Path]) -> None:
    asked = ("leaderboard", "tiny", "--runs", finished[1])
    assert command(*asked, "--output", "/dev/stdout").stdout == command(*asked).stdout
    assert command(*asked, "--output", os.devnull).returncode == 0
    assert Path(os.devnull).is_char_device()


_LISTENING = """
import sys, audiobench.cli
class Finder:
    def find_spec(self, name, path=None, target=None):  # main imports nothing before it listens
        if name == "benchmark.memory":
            print("listening", flush=True)
sys.meta_path.insert(0, Finder())
audiobench.cli.main()
"""


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2, 0.5, 1.0])
def test_an_interrupt_ends_the_program_at_once(finished: tuple[Path, Path], tmp_path: Path, seconds: float) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", _LISTENING, "run", finished[0], "--runs", tmp_path / "runs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert running.stdout
    assert running.stdout.readline() == "listening\n"
    time.sleep(seconds)  # modules are imported meanwhile, the heavy ones from about half a second on
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=20)
    assert told.count("audiobench: interrupted by SIGINT\n") == 1
    assert "Traceback" not in told
    assert running.returncode == 130, told


def test_an_interrupt_within_a_module_is_the_end(tmp_path: Path) -> None:
    """A module that takes an interrupt for an error of its own, as some do, cannot keep the program."""
    (tmp_path / "plugin.py").write_text("import stubborn\n")
    (tmp_path / "stubborn.py").write_text(
        "import os, signal, time\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(1)\n"
        "except BaseException: pass\n"
        "print('went on', flush=True)\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    answer = command(
        *("list", "encoders", "--plugin", tmp_path / "plugin.py"),
        env={**os.environ, "PYTHONPATH": path},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    told = b"audiobench: interrupted by SIGINT\n"
    assert (answer.returncode, answer.stdout, answer.stderr) == (130, b"", told)


def test_names_are_no_markup_on_a_terminal(audiobench: Call, tmp_path: Path) -> None:
    entries = "  '[red]x[/blue]': {weights: random, protocols: [knn]}\n"
    suite = tmp_path / "tiny.yaml"
    suite.write_text(TINY.replace("entries:\n", "entries:\n" + entries).replace("title: Tiny", "title: '[b]Tiny[/i]'"))
    asked = ("run", suite, "--runs", tmp_path / "runs", "--protocol", "knn", "--entry", "[red]x[/blue]")
    answer = audiobench(*asked)
    assert answer.status == 0, answer.err
    assert "[b]Tiny[/i] · sounds" in answer.out
    assert re.search(r"^\[red\]x\[/blue\] ", answer.out, re.MULTILINE)
    assert json.loads(audiobench("leaderboard", "tiny", "--runs", tmp_path / "runs", "--format", "json").out)
