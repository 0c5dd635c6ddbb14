"""Calls one function for many items, in as many threads as there are processors."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


@contextmanager
def in_threads(function: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[Iterator[_R]]:
    """The results, in the order of the items. If the block raises, calls that have not begun are cancelled.

    Args:
        function: should release the interpreter's lock most of its time.
        items: are all read at once.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield pool.map(function, items)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
