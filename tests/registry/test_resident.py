"""Windows cut from a device's memory: those that are cut from the host's, to the bit."""

import numpy as np
import pytest
import torch

from registry.audio import Recordings, to_float
from registry.resident import Resident, nbytes

CPU = torch.device("cpu")
LENGTHS = [5000, 40, 1200, 1000, 999, 1, 1001, 900]  # of windows of 1,000: longer, shorter and as long


def noise(dtype: str) -> Recordings:
    drawn = np.random.default_rng(0).integers(-32768, 32768, sum(LENGTHS))
    samples = drawn.astype(np.int16) if dtype == "int16" else (drawn / 30000).astype(np.float32)
    return Recordings(samples, np.concatenate([[0], np.cumsum(LENGTHS)]), 16000)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("chosen", [None, [7, 0, 0, 5, 3]])  # all; the last and the first, one of them twice
def test_crops_are_those_that_the_host_cuts(dtype: str, chosen: list[int] | None) -> None:
    clips = noise(dtype)
    corpus = clips if chosen is None else clips.subset(torch.tensor(chosen))
    resident, order = Resident(corpus, 1000, CPU), torch.randperm(len(corpus))
    for seed in range(20):
        ours, theirs = (torch.Generator().manual_seed(seed) for _ in range(2))
        assert torch.equal(resident.crops(order, 3, ours), corpus.crops(order, 1000, 3, theirs))


def test_a_batch_of_long_clips_and_one_of_short_clips() -> None:
    clips = noise("int16")
    resident = Resident(clips, 1000, CPU)
    for chosen in ([0, 2, 6], [1, 5], [3]):
        ours, theirs = (torch.Generator().manual_seed(0) for _ in range(2))
        expected = clips.crops(torch.tensor(chosen), 1000, 2, theirs)
        assert torch.equal(resident.crops(torch.tensor(chosen), 2, ours), expected)


def test_the_bytes_are_those_of_the_clips_that_count_each_once() -> None:
    assert nbytes(noise("int16")) == 2 * sum(LENGTHS)
    assert nbytes(noise("float32").subset(torch.tensor([1, 5, 1]))) == 4 * 41


def test_floats_are_quotients_in_float32() -> None:
    stored = np.arange(-32768, 32768).astype(np.int16)
    quotients = stored.astype(np.float32) / np.float32(32767)
    assert torch.equal(to_float(torch.from_numpy(stored)), torch.from_numpy(quotients))
    clip = Recordings(stored, np.array([0, len(stored)]), 16000)
    assert torch.equal(clip.windows(torch.tensor([0]), len(stored))[0][0], torch.from_numpy(quotients))
