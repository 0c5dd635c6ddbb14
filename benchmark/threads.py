"""One function for many things, in as many threads as there are processors."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


@contextmanager
def in_threads(function: Callable[[_T], _R], things: Iterable[_T]) -> Iterator[Iterator[_R]]:
    """The results, in order. A block that is broken off waits for nothing: what was not begun is not done.

    Args:
        function: that releases the interpreter's lock most of its time.
        things: all are taken at once.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield pool.map(function, things)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
