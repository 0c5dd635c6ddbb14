"""What a person sees."""

import io

import pytest

from benchmark.live import LiveProgress
from benchmark.progress import PlainProgress, progress_for


def test_plain_lines_tell_rate_time_left_and_the_current_figure() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, interval=0)
    progress.begin("pretrain moco")
    progress.expect(100, done=40)
    progress.advance(10, "loss 1.234")
    progress.end("loss 1.2 (3.0 s)")
    first, last = stream.getvalue().splitlines()
    assert first.startswith("  pretrain moco: 50/100, ")
    assert "s left, loss 1.234" in first
    assert last == "pretrain moco: loss 1.2 (3.0 s)"


def test_plain_lines_come_at_intervals() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, interval=1000)
    progress.begin("a")
    for _ in range(50):
        progress.advance()
    assert stream.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_view_is_for_terminals_that_can_move_their_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(progress_for(io.StringIO()), PlainProgress)
    assert isinstance(progress_for(Terminal()), LiveProgress)
    for name in ("dumb", "unknown"):
        monkeypatch.setenv("TERM", name)
        assert isinstance(progress_for(Terminal()), PlainProgress)
