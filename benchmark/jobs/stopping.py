"""Notes that the process is asked to stop, so that the work stops between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from benchmark.signals import heeded
from benchmark.store.leases import Lost
from registry.errors import Interrupted


@dataclass
class Stop:
    """The number of the signal by which the process was asked to stop; 0 if it was not."""

    number: int = 0


class Paused(Exception):
    """Work between two steps was left off, because a signal asked for it.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Notes the first signal that asks to stop, while the block runs; a second one acts at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread gets signals
        return

    def note(number: int, frame: FrameType | None) -> None:
        stop.number = number
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in heeded()}
    for number in before:
        signal.signal(number, note)
    try:
        yield stop
    except Lost:
        if stop.number:
            raise Interrupted(stop.number) from None  # this process ends in any case
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
