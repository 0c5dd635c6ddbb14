"""The view of a run, on a terminal in memory."""

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyte
import pytest
from rich.console import Console

from benchmark.live import LiveProgress
from benchmark.tally import Counts, Running, Tally

ROWS = 24


class Seen:
    """A terminal of so many columns, and what is on it."""

    def __init__(self, columns: int = 80) -> None:
        self.written = io.StringIO()
        self.screen = pyte.Screen(columns, ROWS)
        self.stream = pyte.Stream(self.screen)
        self.screen.set_mode(pyte.modes.LNM)
        console = Console(file=self.written, force_terminal=True, width=columns, height=ROWS, legacy_windows=False)
        self.progress = LiveProgress(console)

    @contextmanager
    def __call__(self) -> Iterator[LiveProgress]:
        with self.progress:
            yield self.progress

    def lines(self, *, anew: bool = True) -> list[str]:
        """What stands on the screen, without empty lines, once the view is drawn anew."""
        if anew and self.progress.live.is_started:
            self.progress.live.refresh()
        self.stream.feed(self.written.getvalue())
        self.written.seek(0)
        self.written.truncate()
        return [line.rstrip() for line in self.screen.display if line.strip()]


def tally(running: int = 1, **more: object) -> Tally:
    """Nineteen jobs, of which three are done."""
    kinds = {"pack": Counts(2), "pretrain": Counts(1, running, 4 - running), "evaluate": Counts(0, 0, 12)}
    now = time.monotonic()
    given = {str(i): Running(f"pretrain {i} on esc50", now - 65, 100.0) for i in range(running)}
    return Tally("esc10@cpu", kinds, given, expected=600.0, by="forecasts", **more)  # type: ignore[arg-type]


def test_the_screen_tells_of_all_jobs_and_of_the_present_one() -> None:
    seen = Seen()
    with seen() as progress:
        progress.stand(tally(unknown=2))
        progress.begin("pretrain moco on esc50")
        progress.expect(100, 40, "steps")
        progress.expected -= 5.0
        progress.advance(10, "loss 3.21")
        lines = seen.lines()
    assert lines[:2] == ["esc10@cpu: 3 of 19 jobs done, 1 running, 15 to come", "pack 2/2, pretrain 1/5, evaluate 0/12"]
    assert lines[2].startswith("at least 10 min 25 s left, until ")
    assert lines[2].endswith(" by forecasts; of 2 jobs nothing is known")
    assert lines[3] == "pretrain moco on esc50"
    assert lines[4].endswith(" 50/100 steps, 2.0 a second, 25 s left, loss 3.21")
    assert len(lines) == 5


def test_messages_stay_and_the_view_is_gone_at_the_end() -> None:
    seen = Seen()
    with seen() as progress:
        progress.stand(tally())
        progress.begin("pack sounds")
        progress.say("a remark [not markup] \x1b[31m\nin two lines")
        progress.end("3 clips (1.0 s)")
        assert seen.lines()[:3] == [r"a remark [not markup] \x1b[31m", "in two lines", "pack sounds: 3 clips (1.0 s)"]
        assert "pack sounds" not in seen.lines()
        assert seen.screen.cursor.hidden
    assert seen.lines() == [r"a remark [not markup] \x1b[31m", "in two lines", "pack sounds: 3 clips (1.0 s)"]
    assert not seen.screen.cursor.hidden


def test_what_others_print_passes_above_the_view(capsys: pytest.CaptureFixture[str]) -> None:
    seen = Seen()
    with seen() as progress:
        progress.stand(tally())
        print("a warning of a library", file=sys.stderr)
        lines = seen.lines()
    assert lines[0] == "a warning of a library"
    assert lines[1].startswith("esc10@cpu: ")
    assert capsys.readouterr().err == ""


def test_jobs_that_others_do_are_shown_by_their_titles() -> None:
    seen = Seen()
    with seen() as progress:
        progress.stand(tally(4))
        assert seen.lines()[3:] == [f"pretrain {i} on esc50: 65 s" for i in range(4)]
        running = {str(i): Running(f"embed {i}", time.monotonic()) for i in range(6)}
        progress.stand(Tally("esc10", {"embed": Counts(0, 6, 4, 1)}, running))
        assert seen.lines() == [
            "esc10: 0 of 11 jobs done, 6 running, 4 to come, 1 failed",
            "embed 0/11",
            *(f"embed {i}: 0.0 s" for i in range(4)),
            "and 2 more",
        ]


@pytest.mark.parametrize("columns", [40, 20])
def test_a_narrow_terminal_breaks_nothing(columns: int) -> None:
    seen = Seen(columns)
    with seen() as progress:
        progress.stand(tally())
        progress.begin("pretrain moco on esc50")
        progress.expect(1000, 0, "steps")
        progress.advance(10, "loss 3.21")
        first = seen.lines()
        progress.say(message := "a message that is longer than the terminal is wide, as messages are")
        later = seen.lines(anew=False)
    shown = "".join("".join(first).split())
    for words in (
        "esc10@cpu: 3 of 19 jobs done, 1 running, 15 to come",
        "evaluate 0/12",
        "by forecasts",
        "moco on esc50",
    ):
        assert "".join(words.split()) in shown
    assert len(first) > 6
    assert "".join(later).count("esc10@cpu") == 1  # the view left no rest
    top = next(i for i, line in enumerate(later) if line.startswith("esc10@cpu"))
    assert later[top : top + 3] == first[:3]  # nothing is cut; the times below pass
    assert "".join("".join(seen.lines()).split()) == "".join(message.split())  # whole; the terminal itself broke it


def test_a_single_job_has_no_counts() -> None:
    seen = Seen()
    with seen() as progress:
        progress.begin("verify esc50")
        progress.expect(10, unit="clips")
        assert [line for line in seen.lines() if "0/10 clips" not in line] == ["verify esc50"]


def test_a_terminal_is_left_to_another_process_and_taken_again() -> None:
    seen = Seen()
    with seen() as progress:
        progress.stand(tally())
        seen.lines()
        with progress.aside():
            assert seen.lines() == []
            assert not seen.screen.cursor.hidden
        assert seen.lines()[0].startswith("esc10@cpu: ")


def test_the_time_left_counts_down_with_the_running_jobs() -> None:
    now = time.monotonic()
    running = {"a": Running("a", now - 30, 100.0), "b": Running("b", now - 300, 100.0), "c": Running("c", now)}
    seconds, unknown = Tally("x", {}, running, expected=130.0, unknown=4, at_once=2.0).left(now)
    assert seconds == pytest.approx((130 + 70 + 0) / 2)
    assert unknown == 5
    one = Tally("x", {}, {"a": running["a"]}, expected=130.0)
    assert one.left(now, 7.0) == (137.0, 0)


@pytest.mark.slow
def test_no_line_is_lost_while_the_view_is_drawn_with_another_height(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.live._REFRESHES", 400)
    seen = Seen()
    seen.screen.resize(2600)
    with seen() as progress:
        progress.stand(tally())
        for i in range(2500):
            progress.title = "a job" if i % 2 else ""
            time.sleep(0.001)
            progress.say(f"line {i}")
    assert set(seen.lines(anew=False)) >= {f"line {i}" for i in range(2500)}
