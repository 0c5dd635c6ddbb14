"""Computes on as many rows at once as the device's memory takes."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from registry.errors import Mistake

T = TypeVar("T")


class Halving:
    """Computes on rows of a tensor. If the device's memory does not suffice, it goes on with half as many at once.

    What it has learned lasts for as long as the object does. Rows may be of another length the next time: values count.

    Args:
        rows: what the rows are, in words.
        say: gets a line at every halving.
    """

    def __init__(self, rows: str, say: Callable[[str], None]) -> None:
        self.rows, self.say = rows, say
        self.values: int | None = None  # that a batch may have; None: as many as come

    def __call__(self, compute: Callable[[Tensor], T], x: Tensor) -> list[T]:
        """What ``compute`` gives for all rows of ``x``, in their order: once, or for pieces of it.

        Raises:
            Mistake: if the memory does not suffice for one row.
        """
        made: list[T] = []
        done = 0
        while done < len(x):
            at_once = len(x) if self.values is None else max(self.values // max(x[0].numel(), 1), 1)
            piece = x[done : done + at_once]
            try:
                made.append(compute(piece))
                done += len(piece)
                continue
            except torch.OutOfMemoryError as error:
                told = str(error).splitlines()[0]
            # Only here, outside of the handler, is what the failed attempt had allocated free again.
            self._halve(piece, told)
        return made

    def _halve(self, piece: Tensor, told: str) -> None:
        if len(piece) == 1:
            raise Mistake(
                f"out of memory on the device with a batch of one: {told[:200]}",
                fix="use --precision bf16, a device with more memory (--device), or a smaller net",
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        left = len(piece) // 2
        self.values = left * piece[0].numel()
        self.say(f"out of memory on the device with {len(piece)} {self.rows} at once: going on with {left} at once")
