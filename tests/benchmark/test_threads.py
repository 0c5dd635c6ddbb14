"""Many things in threads."""

import threading

import pytest

from benchmark.threads import in_threads


def test_results_are_in_order() -> None:
    with in_threads(lambda n: n * n, range(1000)) as squares:
        assert list(squares) == [n * n for n in range(1000)]


def test_a_block_that_is_broken_off_waits_for_nothing() -> None:
    go, begun = threading.Event(), []

    def wait(n: int) -> None:
        begun.append(n)
        go.wait()

    with pytest.raises(KeyboardInterrupt), in_threads(wait, range(10_000)):
        raise KeyboardInterrupt
    before = len(begun)  # as many as there are threads, which still wait
    go.set()
    for thread in threading.enumerate():
        if "ThreadPool" in thread.name:
            thread.join()
    assert len(begun) == before < 10_000
