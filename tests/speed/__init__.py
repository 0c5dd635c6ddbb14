"""How long our work takes, beside the bare operation: ``make speed``.

A script is some rows of the table; no test is timed.

A script has a function ``rows`` that yields them. Ours and the bare operation run in one process, by turns and on one
thread, and their CPU seconds are compared pair by pair: what else the machine does touches both.
"""

import math
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        work: what was done, and its sizes.
        bound: what it is compared with.
        ours: CPU seconds, the median.
        bare: CPU seconds of the bound, the median; None where there is no bound.
        value: what the goal is for: the median ratio, seconds, or an exponent.
        goal: the most, or the least and the most, that the value should be.
    """

    work: str
    bound: str
    ours: float
    bare: float | None
    value: float
    goal: float | tuple[float, float]

    @property
    def reached(self) -> bool:
        """Whether the value is within the goal."""
        least, most = self.goal if isinstance(self.goal, tuple) else (-math.inf, self.goal)
        return least <= self.value <= most


def ratio(
    work: str, ours: Callable[[], object], bound: str, bare: Callable[[], object], goal: float, pairs: int = 7
) -> Row:
    """CPU seconds of our work over those of the bare operation: the median of pairs, after one that is not counted."""
    seconds: list[tuple[float, float]] = []
    for pair in range(pairs + 1):
        if pair % 2:  # which goes first alternates
            second = _cpu_seconds(bare)
            seconds.append((_cpu_seconds(ours), second))
        else:
            first = _cpu_seconds(ours)
            seconds.append((first, _cpu_seconds(bare)))
    counted = seconds[1:]
    middle = statistics.median(pair[0] / pair[1] for pair in counted)
    mine, theirs = (statistics.median(column) for column in zip(*counted, strict=True))
    return Row(work, bound, mine, theirs, middle, goal)


def seconds_of(work: str, command: Sequence[str], goal: float, times: int = 5) -> Row:
    """The CPU seconds of a command as a whole, with Python's start: the median, after one that is not counted."""
    taken = [_command_seconds(command) for _ in range(times + 1)][1:]
    middle = statistics.median(taken)
    return Row(work, "", middle, None, middle, goal)


def exponent(work: str, seconds: Mapping[int, float], goal: tuple[float, float] = (0.95, 1.05)) -> Row:
    """How CPU seconds grow with a size: the slope of a line through their logarithms."""
    sizes = [math.log(size) for size in seconds]
    slope = statistics.linear_regression(sizes, [math.log(taken) for taken in seconds.values()]).slope
    span = f"from {min(seconds):,} to {max(seconds):,}"
    return Row(f"{work}, {span}", "size", seconds[max(seconds)], seconds[min(seconds)], slope, goal)


def _cpu_seconds(do: Callable[[], object]) -> float:
    began = _spent()
    do()
    return _spent() - began


def _command_seconds(command: Sequence[str]) -> float:
    return _cpu_seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def _spent() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
