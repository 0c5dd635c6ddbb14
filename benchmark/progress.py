"""Shows people how far jobs are: with a live view on a terminal, with plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self, TextIO

from benchmark.tally import Tally
from registry.text import say

_DUMB = ("dumb", "unknown")  # terminals


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

    def expect(self, total: int, done: int = 0, unit: str = "") -> None:
        """The job has ``total`` steps, and ``done`` of them were done before; ``unit`` names several, as in clips."""

    def advance(self, steps: int = 1, status: str = "") -> None:
        """Steps were done; ``status`` is the current loss or accuracy, in words."""

    def end(self, message: str, title: str = "") -> None:
        """A job ended: the one with this title, or else the one that began last."""

    def stand(self, tally: Tally) -> None:
        """So the jobs of the run stand now."""

    def say(self, message: str) -> None:
        """Prints a line that stays: the only way for a message to pass while jobs are followed."""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leaves the terminal to another process while the block runs."""
        yield


class PlainProgress(Progress):
    """Lines of text: when a job begins, every ten seconds, and when it ends."""

    def __init__(self, stream: TextIO | None = None, interval: float = 10.0) -> None:
        self.stream, self.interval = stream or sys.stderr, interval
        self.title, self.total, self.done, self.status = "", 0, 0, ""
        self.began = self.printed = time.monotonic()
        self.first = 0

    def begin(self, title: str) -> None:
        self.title, self.status = title, ""
        self.expect(0)

    def expect(self, total: int, done: int = 0, unit: str = "") -> None:
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


def progress_for(stream: TextIO) -> Progress:
    """A view that is renewed on a terminal, lines elsewhere, and where the terminal cannot move its cursor."""
    if stream.isatty() and os.environ.get("TERM", "").lower() not in _DUMB:
        from benchmark.live import LiveProgress

        return LiveProgress()
    return PlainProgress(stream)
