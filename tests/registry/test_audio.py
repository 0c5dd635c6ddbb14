"""Windows cut from recordings."""

import numpy as np
import torch

from registry.audio import Recordings, window_starts


def recordings() -> Recordings:
    lengths = [100, 7, 30]
    samples = np.concatenate([np.arange(1, n + 1) for n in lengths]).astype(np.int16)
    return Recordings(samples, np.concatenate([[0], np.cumsum(lengths)]), 16000)


def as_int(wave: torch.Tensor) -> torch.Tensor:
    return (wave * 32767).round().long()


def test_crops_are_stretches_of_their_own_clip() -> None:
    generator = torch.Generator().manual_seed(0)
    crops = as_int(recordings().crops(torch.tensor([2, 0]), 20, 500, generator))
    assert crops.shape == (2, 500, 20)
    assert torch.equal(crops - crops[..., :1], torch.arange(20).expand(2, 500, 20))
    assert set(crops[0, :, 0].tolist()) == set(range(1, 12))
    assert crops[1, :, 0].min() == 1
    assert crops[1, :, 0].max() == 81


def test_a_short_clip_is_whole_and_padded_at_every_place() -> None:
    crops = as_int(recordings().crops(torch.tensor([1]), 10, 300, torch.Generator().manual_seed(0)))[0]
    starts = (crops == 1).long().argmax(1)
    assert set(starts.tolist()) == {0, 1, 2, 3}
    assert torch.equal(crops.sum(1), torch.full((300,), 28))


def test_norms_are_those_of_whole_clips_at_full_scale_1() -> None:
    expected = [(n * (n + 1) * (2 * n + 1) / 6) ** 0.5 / 32767 for n in (100, 7, 30)]  # the sum of the first n squares
    torch.testing.assert_close(recordings().norms(), torch.tensor(expected))
    some = recordings().subset(torch.tensor([2, 0]))
    torch.testing.assert_close(some.norms(), torch.tensor([expected[2], expected[0]]))
    loud = Recordings(np.full(10, -32767, np.int16), np.array([0, 10, 10]), 16000)  # squares that int16 cannot hold
    torch.testing.assert_close(loud.norms(), torch.tensor([10**0.5, 0.0]))


def test_windows_overlap_by_half_and_reach_the_end() -> None:
    assert window_starts(100, 40) == [0, 20, 40, 60]
    assert window_starts(105, 40) == [0, 20, 40, 60, 65]
    assert window_starts(30, 40) == [0]
    waves, owner = recordings().windows(torch.tensor([0, 1]), 40)
    assert owner.tolist() == [0, 0, 0, 0, 1]
    assert as_int(waves)[:4, 0].tolist() == [1, 21, 41, 61]
    assert as_int(waves)[4].tolist() == [1, 2, 3, 4, 5, 6, 7] + [0] * 33
