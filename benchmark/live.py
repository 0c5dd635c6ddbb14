"""A view of a run on a terminal: the jobs by kind, when all will be done, and the present job with its rate.

It is drawn at the bottom, at most ``_REFRESHES`` times a second, by a thread of its own: jobs only set numbers.
Messages go above it, by ``say``; what others print to the standard streams is led the same way.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from benchmark.amounts import duration
from benchmark.progress import Progress
from benchmark.tally import Tally
from registry.text import visible, visible_lines

_REFRESHES = 2  # a second
_SHOWN = 4  # jobs that run beside one another
_BAR = 40  # characters, at most a third of the width
_DAY = 86_400  # seconds


class LiveProgress(Progress):
    """A view that is drawn again and again, and gone at the end. An ended job leaves a line.

    Args:
        console: a terminal; by default that of standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.live = Live(
            get_renderable=lambda: self,
            console=self.console,
            refresh_per_second=_REFRESHES,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # else its reader would miss what is printed
        )
        self.tally = Tally("")
        self.title, self.unit, self.status = "", "", ""
        self.total, self.done, self.first = 0, 0, 0
        self.began = self.expected = time.monotonic()
        self.height = 0  # lines of the view

    def __enter__(self) -> Self:
        _shown.append(self)
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()
        _shown.remove(self)

    def begin(self, title: str) -> None:
        self.title, self.began = title, time.monotonic()
        self.expect(0)

    def expect(self, total: int, done: int = 0, unit: str = "") -> None:
        self.total, self.done, self.first, self.unit, self.status = total, done, done, unit, ""
        self.expected = time.monotonic()

    def advance(self, steps: int = 1, status: str = "") -> None:
        self.done += steps
        self.status = status or self.status

    def end(self, message: str, title: str = "") -> None:
        self.say(f"{title or self.title}: {message}")
        if title in ("", self.title):
            self.title = ""

    def stand(self, tally: Tally) -> None:
        self.tally = tally

    def say(self, message: str) -> None:
        with self.live._lock:  # between erasing and drawing, the thread that draws must not change the view's height
            self.console.print(visible_lines(message), highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        self.live.stop()
        try:
            yield
        finally:
            self.live.start()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the view, as narrow as the terminal."""
        now = time.monotonic()
        options = options.update(no_wrap=False, overflow="fold")  # which a message has otherwise
        lines = console.render_lines(Group(*self._run(now), *self._jobs(now, console.width)), options, pad=False)
        self.height = len(lines)
        for i, line in enumerate(lines):
            yield from line
            if i + 1 < len(lines):
                yield Segment.line()

    def _run(self, now: float) -> Iterator[Text]:
        """How the jobs of the run stand; nothing if there is one job alone."""
        tally, counts = self.tally, self.tally.all
        if counts.all < 2:
            return
        stand = f"{counts.done} of {counts.all} jobs done, {counts.running} running, {counts.to_come} to come"
        stand += f", {counts.failed} failed" if counts.failed else ""
        yield Text(visible(f"{tally.name}: {stand}"), "bold")
        yield Text(", ".join(f"{kind} {of.done}/{of.all}" for kind, of in tally.kinds.items()))
        if left := self._left(now):
            yield Text(left)

    def _left(self, now: float) -> str:
        """When all jobs will be done, in words; empty if nothing tells."""
        own = self._own(now)
        seconds, unknown = self.tally.left(now, own)
        if not seconds or (unknown and not self.tally.by):
            return ""
        until = time.localtime(time.time() + seconds)
        clock = time.strftime("%H:%M" if seconds < _DAY else "%a %d %b %H:%M", until)
        by = self.tally.by or "the present job"
        more = f"; of {unknown} jobs nothing is known" if unknown else ""
        return f"{'at least' if unknown else 'about'} {duration(seconds)} left, until {clock}, by {by}{more}"

    def _own(self, now: float) -> float | None:
        """The seconds that the present job still takes, by its own rate; None if it does not tell."""
        if not self.title or not self.total or self.done == self.first:
            return None
        return (self.total - self.done) * (now - self.expected) / (self.done - self.first)

    def _jobs(self, now: float, width: int) -> Iterator[Text | Table]:
        """The present job with its rate; of jobs that others do, their titles and times."""
        if self.title:
            yield Text(visible(self.title), "bold")
            yield self._rate(now, width)
            return
        others = list(self.tally.running.values())
        for job in others[:_SHOWN]:
            yield Text(visible(f"{job.title}: {duration(now - job.began)}"))
        if len(others) > _SHOWN:
            yield Text(f"and {len(others) - _SHOWN} more")

    def _rate(self, now: float, width: int) -> Table:
        own, done = self._own(now), self.done - self.first
        of_total = f"/{self.total:,}" if self.total else ""
        words = [f"{self.done:,}{of_total} {self.unit}".rstrip()] if self.total or self.done else []
        words += [f"{done / (now - self.expected):.1f} a second"] if done else []
        words += [f"{duration(own)} left"] if own is not None else [duration(now - self.began)]
        line = Table.grid(padding=(0, 1))
        text = Text(visible(", ".join([*words, *([self.status] if self.status else [])])))
        if self.total:
            bar = ProgressBar(self.total, self.done, width=min(_BAR, width // 3))
            line.add_row(bar, text)
        else:
            line.add_row(text)
        return line


_shown: list[LiveProgress] = []  # those on the terminal now


def leave() -> None:
    """Takes the view from the terminal of a program that ends at once: by the system alone, whatever holds locks."""
    for progress in _shown:
        up = f"\x1b[{progress.height - 1}A" if progress.height > 1 else ""
        with suppress(OSError):  # the terminal is gone
            os.write(2, f"\r{up}\x1b[J\x1b[?25h".encode())
