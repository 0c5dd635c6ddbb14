"""Shows people how far jobs are: with bars on a terminal, with plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self, TextIO

from registry.text import say, visible, visible_lines


class Progress:
    """Follows one job at a time: ``begin``, ``expect`` so many steps, ``advance``, ``end``. This one shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Has nothing to clean up."""

    def begin(self, title: str) -> None:
        """A job starts."""

    def expect(self, total: int, done: int = 0) -> None:
        """The job has ``total`` steps, and ``done`` of them were done before."""

    def advance(self, steps: int = 1, status: str = "") -> None:
        """Steps were done; ``status`` is the current loss or accuracy, in words."""

    def end(self, message: str, title: str = "") -> None:
        """A job ended: the one with this title, or else the one that began last."""

    def say(self, message: str) -> None:
        """Prints a line that stays."""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leaves the terminal to another process while the block runs."""
        yield


class PlainProgress(Progress):
    """Lines of text: when a job begins, every ten seconds, and when it ends."""

    def __init__(self, stream: TextIO = sys.stderr, interval: float = 10.0) -> None:
        self.stream, self.interval = stream, interval
        self.title, self.total, self.done, self.status = "", 0, 0, ""
        self.began = self.printed = time.monotonic()
        self.first = 0

    def begin(self, title: str) -> None:
        self.title, self.status = title, ""
        self.expect(0)

    def expect(self, total: int, done: int = 0) -> None:
        self.total, self.done, self.first = total, done, done
        self.began = self.printed = time.monotonic()

    def advance(self, steps: int = 1, status: str = "") -> None:
        self.done += steps
        self.status = status or self.status
        now = time.monotonic()
        if now - self.printed >= self.interval:
            self.printed = now
            rate = (self.done - self.first) / (now - self.began)
            left = f", {(self.total - self.done) / rate:.0f} s left" if self.total and rate else ""
            of_total = f"/{self.total}" if self.total else ""
            status = f", {self.status}" if self.status else ""
            self.say(f"  {self.title}: {self.done}{of_total}, {rate:.1f}/s{left}{status}")

    def end(self, message: str, title: str = "") -> None:
        self.say(f"{title or self.title}: {message}")

    def say(self, message: str) -> None:
        with suppress(OSError):  # the reader of the stream has closed it, but the work goes on
            say(message, self.stream)


class BarProgress(Progress):
    """A bar for the current job, with rate, time left and current loss or accuracy. An ended job leaves a line."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        console = Console(stderr=True)
        self.bars = Bars(
            SpinnerColumn("dots" if console.encoding.startswith("utf") else "line"),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            console=console,
        )
        self.task = self.bars.add_task("", visible=False, rate="", status="")
        self.title, self.began, self.first = "", time.monotonic(), 0

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def begin(self, title: str) -> None:
        self.title = title
        self.expect(0)

    def expect(self, total: int, done: int = 0) -> None:
        self.began, self.first = time.monotonic(), done
        self.bars.reset(
            self.task,
            description=visible(self.title),
            total=total or None,
            completed=done,
            visible=True,
            rate="",
            status="",
        )

    def advance(self, steps: int = 1, status: str = "") -> None:
        done = self.bars.tasks[0].completed + steps - self.first
        self.bars.update(self.task, advance=steps, rate=f"{done / (time.monotonic() - self.began + 1e-9):.1f}/s")
        if status:
            self.bars.update(self.task, status=visible(status))

    def end(self, message: str, title: str = "") -> None:
        self.say(f"{title or self.title}: {message}")
        self.bars.update(self.task, visible=False)

    @contextmanager
    def aside(self) -> Iterator[None]:
        self.bars.stop()
        try:
            yield
        finally:
            self.bars.start()

    def say(self, message: str) -> None:
        self.bars.console.print(visible_lines(message), highlight=False, markup=False)


def progress_for(stream: TextIO) -> Progress:
    """Bars on a terminal, lines elsewhere."""
    return BarProgress() if stream.isatty() else PlainProgress(stream)
