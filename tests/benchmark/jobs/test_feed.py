"""Batches of a pretraining: the same wherever they are cut, and the next one before it is needed."""

import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
import torch

from benchmark.jobs.feed import Feed, ahead
from registry.audio import Recordings
from registry.seeding import generator_for


def noise(lengths: list[int], dtype: str = "int16") -> Recordings:
    samples = np.random.default_rng(0).integers(-32768, 32768, sum(lengths)).astype(dtype)
    return Recordings(samples, np.concatenate([[0], np.cumsum(lengths)]), 16000)


CORPUS = noise([900, 40, 1200, 1000, 999, 1, 1001, 5000, 2000, 1000])


def feed(corpus: Recordings = CORPUS) -> Feed:
    return Feed(corpus, samples=1000, windows=2, batch=4, seed=3, device=torch.device("cpu"))


def test_a_batch_depends_on_the_seed_and_the_step_alone() -> None:
    whole = list(feed().batches(0, 6))  # of three epochs, of two steps each
    for epoch in range(3):
        order = torch.randperm(10, generator=generator_for(3, "order", epoch))
        for step in range(2):
            wave_BVT, index_B = whole[2 * epoch + step]
            assert torch.equal(index_B, order[4 * step : 4 * step + 4])
            generator = generator_for(3, "crops", 2 * epoch + step)
            assert torch.equal(wave_BVT, CORPUS.crops(index_B, 1000, 2, generator))
    later = list(feed().batches(3, 6))
    assert all(torch.equal(x, y) for a, b in zip(whole[3:], later, strict=True) for x, y in zip(a, b, strict=True))


def test_batches_that_a_thread_cuts_ahead_are_the_same_whatever_the_step_draws() -> None:
    for cut, expected in zip(ahead(feed().batches(0, 6)), feed().batches(0, 6), strict=True):
        torch.manual_seed(0)
        torch.rand(1000)
        assert all(torch.equal(x, y) for x, y in zip(cut, expected, strict=True))


def test_one_item_is_made_ahead_by_another_thread() -> None:
    made: list[int] = []
    second = threading.Event()

    def items() -> Iterator[int]:
        for number in range(4):
            assert threading.current_thread() is not threading.main_thread()
            made.append(number)
            if number == 1:
                second.set()
            yield number

    with closing(ahead(items())) as coming:  # type: ignore[type-var]
        assert next(coming) == 0
        assert second.wait(10)  # while the first one is used
        assert made == [0, 1]
        assert list(coming) == [1, 2, 3]


def test_what_a_thread_cannot_make_is_told_where_it_is_needed() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise OSError("the disk is gone")

    coming = ahead(items())
    assert next(coming) == 0
    with pytest.raises(OSError, match="the disk is gone"):
        next(coming)
