"""Feeds a pretraining with batches, which depend on the seed and the step alone, wherever and whenever they are cut.

On a CPU a batch is cut when its step begins. On a GPU the samples of the whole corpus lie in the device's memory, if
they take a quarter at most of what is free when the training begins: more would be wanting where a step is as large as
it can be. Otherwise a thread cuts the next batch and moves it while the device does a step.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor

from registry.audio import Recordings, to_float
from registry.resident import Resident, moved, nbytes
from registry.seeding import generator_for

T = TypeVar("T")
Batch = tuple[Tensor, Tensor]  # windows [B, V, T] float32 and the clips' positions [B], on the device
Batches = Generator[Batch, None, None]
_SHARE = 4  # of the free memory, the samples may take one


@dataclass(frozen=True)
class Feed:
    """The batches of a pretraining.

    Args:
        corpus: recordings.
        samples: of a window.
        windows: of each clip.
        batch: clips in a batch.
        seed: of the clips' order and of the windows.
        device: where the batches go.
    """

    corpus: Recordings
    samples: int
    windows: int
    batch: int
    seed: int
    device: torch.device

    def batches(self, first: int, total: int) -> Batches:
        """The batches of the steps from ``first`` on, up to ``total``."""
        steps = range(first, total)
        if self.device.type != "cuda":
            return self._cut(steps, self._from_host)
        if nbytes(self.corpus) > torch.cuda.mem_get_info(self.device)[0] // _SHARE:
            return self._streamed(steps)
        return self._cut(steps, Resident(self.corpus, self.samples, self.device).crops)

    def _cut(self, steps: range, crops: Callable[[Tensor, int, torch.Generator], Tensor]) -> Batches:
        steps_an_epoch = len(self.corpus) // self.batch
        for number in steps:
            epoch, step = divmod(number, steps_an_epoch)
            index_B = _order(len(self.corpus), self.seed, epoch)[step * self.batch : (step + 1) * self.batch]
            wave_BVT = crops(index_B, self.windows, generator_for(self.seed, "crops", number))
            yield wave_BVT, moved(index_B, self.device)

    def _from_host(self, clips: Tensor, crops: int, generator: torch.Generator) -> Tensor:
        """Windows on the device; on a GPU as stored, which takes half of the memory until its step begins."""
        cut = self.corpus.crops(clips, self.samples, crops, generator, self.device)
        return cut.to(self.device, non_blocking=True)

    def _streamed(self, steps: range) -> Batches:
        """Batches that a thread cuts and moves, on a stream of its own, beside the step before."""
        side = torch.cuda.Stream(self.device)

        def moving() -> Iterator[tuple[Batch, torch.cuda.Event]]:
            cut = self._cut(steps, self._from_host)
            for _ in steps:
                with torch.cuda.stream(side):
                    batch = next(cut)
                yield batch, side.record_event()

        for (wave_BVT, index_B), ready in ahead(moving()):
            stream = torch.cuda.current_stream(self.device)
            stream.wait_event(ready)
            for tensor in (wave_BVT, index_B):
                tensor.record_stream(stream)  # its memory is the other stream's, and not free before this one is done
            yield to_float(wave_BVT), index_B


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, in their order; a thread makes the next one while one is used."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item  # type: ignore[misc]  # the end is no item


@lru_cache(1)
def _order(clips: int, seed: int, epoch: int) -> Tensor:
    """The order of the clips in an epoch; it is remembered for the epoch's other steps."""
    return torch.randperm(clips, generator=generator_for(seed, "order", epoch))
