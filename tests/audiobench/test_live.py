"""The view of a run on a real terminal: it is there, passes away, and Ctrl-C leaves the terminal as it was."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import time
import urllib.request
from pathlib import Path
from typing import Any

import pyte
import pytest

from tests.audiobench.conftest import COMMAND

COLUMNS, ROWS = 60, 100


class Terminal:
    """A terminal with a command in it."""

    def __init__(self, *arguments: object) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.ByteStream(self.screen)
        asked = [*COMMAND, *map(str, arguments)]
        known = {**os.environ, "TERM": "xterm"}
        self.running = subprocess.Popen(asked, stdin=theirs, stdout=theirs, stderr=theirs, env=known)
        os.close(theirs)

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def until(self, words: str) -> list[str]:
        """What is on the screen when these words are; at the end of the command, whatever there is."""
        while words not in "\n".join(self.lines()):
            try:
                piece = os.read(self.ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            self.stream.feed(piece)
        return self.lines()

    def end(self) -> list[str]:
        shown = self.until("nothing says this")
        os.close(self.ours)
        self.running.wait()
        return shown


@pytest.mark.slow
def test_ctrl_c_leaves_the_terminal_clean(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(tiny.read_text().replace("epochs: 2", "epochs: 2000"))
    terminal = Terminal("run", tiny, "--runs", tmp_path / "runs", "--entry", "moco", "--protocol", "knn")
    shown = terminal.until(" steps, ")
    assert "tiny: 1 of 4 jobs done, 1 running, 2 to come" in shown
    assert "pack 1/1, pretrain 0/1, embed 0/1, evaluate 0/1" in shown
    assert terminal.screen.cursor.hidden
    terminal.running.send_signal(signal.SIGINT)
    shown = terminal.end()
    assert terminal.running.returncode == 130
    assert not terminal.screen.cursor.hidden
    assert " ".join(shown).startswith("pack sounds: ")
    assert shown[-1] == "audiobench: interrupted by SIGINT"
    assert "the same command goes on from here" in " ".join(" ".join(shown).split())
    assert not [line for line in shown if "jobs done" in line or " steps, " in line]


@pytest.mark.slow
def test_a_watched_run_leaves_a_line_a_job_and_stays_until_ctrl_c(tiny: Path, tmp_path: Path) -> None:
    asked = ("run", tiny, "--runs", tmp_path / "runs", "--entry", "random", "--protocol", "knn", "--watch")
    terminal = Terminal(*asked)
    shown = terminal.until("stays until Ctrl-C")
    address = next(line for line in shown if line.startswith("watch: http://127.0.0.1:")).removeprefix("watch: ")
    deadline = time.monotonic() + 240
    state: dict[str, Any] = {}
    while "over" not in state and time.monotonic() < deadline:
        with urllib.request.urlopen(f"{address}state", timeout=20) as answer:
            state = json.load(answer)
        time.sleep(0.1)
    assert state["jobs"] == "3 of 3 jobs done, 0 running, 0 to come"
    terminal.running.send_signal(signal.SIGINT)
    shown = terminal.end()
    assert terminal.running.returncode == 0  # the run was over
    assert not [line for line in shown if "jobs done" in line or "running" in line]
    for title in ("pack sounds: ", "embed sounds with random: ", "knn random on sounds: "):
        assert sum(line.startswith(title) for line in shown) == 1, shown
    assert "Tiny · sounds · knn" in shown
