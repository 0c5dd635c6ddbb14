"""Batches of a pretraining: the same wherever they are cut, and the next one before it is needed."""

import threading
from collections.abc import Iterator
from contextlib import closing, nullcontext

import numpy as np
import pytest
import torch

from benchmark.jobs.feed import Feed, ahead
from registry.audio import Recordings, on_device
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


class Stream:
    """A stand-in for a stream of a GPU, which says what is done on it."""

    def __init__(self, name: str, done: list[str]) -> None:
        self.name, self.done = name, done

    def record_event(self) -> str:
        self.done.append("moved")
        return "moved"

    def wait_event(self, event: str) -> None:
        self.done.append(f"waits until {event}")


def test_a_step_waits_for_the_stream_that_moves_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    waits: list[str] = []
    owners: list[object] = []
    main = Stream("main", waits)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream("side", moved))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: main)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: owners.append(stream))
    for step, (cut, expected) in enumerate(zip(feed()._streamed(range(6)), feed().batches(0, 6), strict=True)):
        assert all(torch.equal(x, y) for x, y in zip(cut, expected, strict=True))
        assert waits == ["waits until moved"] * (step + 1)
    assert len(moved) == 6
    assert owners == [main] * 12  # windows and positions of each batch


def test_what_is_cut_for_a_gpu_is_as_stored_and_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[bool] = []
    empty = torch.empty

    def unpinned(*size: int, dtype: torch.dtype, pin_memory: bool) -> torch.Tensor:
        pinned.append(pin_memory)
        return empty(*size, dtype=dtype)

    clips = torch.tensor([7, 1, 2, 5])
    crops = CORPUS.crops(clips, 1000, 2, torch.Generator().manual_seed(0))
    windows, owners = CORPUS.windows(clips, 1000)
    monkeypatch.setattr(torch, "empty", unpinned)
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    stored = CORPUS.crops(clips, 1000, 2, torch.Generator().manual_seed(0), gpu)
    assert stored.dtype == torch.int16
    assert torch.equal(on_device(stored, cpu), crops)
    stored, of = CORPUS.windows(clips, 1000, gpu)
    assert torch.equal(on_device(stored, cpu), windows)
    assert torch.equal(of, owners)
    assert pinned == [True, True]
    assert CORPUS.clips_at_once(cpu, 16) == 16
    assert CORPUS.clips_at_once(gpu, 16) == 2**24 // 5000
