"""What a person sees."""

import io

import pytest

from benchmark.progress import BarProgress, PlainProgress, progress_for


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


def test_bars_end_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with BarProgress() as progress:
        progress.begin("pack sounds")
        progress.expect(3)
        progress.advance(2, "half way")
        progress.end("3 clips [done]")
        progress.begin("next")
        progress.advance()
    assert "pack sounds: 3 clips [done]" in capsys.readouterr().err


def test_bars_are_for_terminals_alone() -> None:
    assert isinstance(progress_for(io.StringIO()), PlainProgress)
