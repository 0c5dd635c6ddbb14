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
    exact = Recordings(np.ones(10, np.float32), np.array([0, 10]), 16000)
    torch.testing.assert_close(exact.norms(), torch.tensor([10**0.5]))


def test_samples_of_either_kind_give_the_same_within_half_a_step() -> None:
    lengths = [100, 7, 30]
    exact = np.random.default_rng(0).uniform(-1, 1, sum(lengths)).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rounded = np.round(exact * 32767).astype(np.int16)
    floats, integers = Recordings(exact, offsets, 16000), Recordings(rounded, offsets, 16000)
    clips = torch.tensor([2, 1, 0])
    crops = [one.crops(clips, 20, 50, torch.Generator().manual_seed(0)) for one in (floats, integers)]
    windows = [one.windows(clips, 40) for one in (floats, integers)]
    assert torch.equal(windows[0][1], windows[1][1])
    for of_floats, of_integers in (crops, [wave for wave, _ in windows]):
        assert of_floats.dtype == of_integers.dtype == torch.float32
        assert 0 < (of_floats - of_integers).abs().max() <= 0.5 / 32767 + 1e-7
        assert torch.equal(of_floats == 0, of_integers == 0)  # the same padding
    assert torch.equal(windows[0][0][2], torch.from_numpy(exact[:40]))  # not a bit of it changed


def test_windows_overlap_by_half_and_reach_the_end() -> None:
    assert window_starts(100, 40) == [0, 20, 40, 60]
    assert window_starts(105, 40) == [0, 20, 40, 60, 65]
    assert window_starts(30, 40) == [0]
    waves, owner = recordings().windows(torch.tensor([0, 1]), 40)
    assert owner.tolist() == [0, 0, 0, 0, 1]
    assert as_int(waves)[:4, 0].tolist() == [1, 21, 41, 61]
    assert as_int(waves)[4].tolist() == [1, 2, 3, 4, 5, 6, 7] + [0] * 33


def test_whole_clips_of_one_length_go_together_the_longest_first() -> None:
    lengths = [30, 7, 100, 30, 5, 30, 30]
    samples = np.concatenate([np.full(n, i + 1) for i, n in enumerate(lengths)]).astype(np.int16)
    several = Recordings(samples, np.concatenate([[0], np.cumsum(lengths)]), 16000)
    chosen = several.subset(torch.tensor([6, 5, 4, 3, 2, 1, 0]))
    made = [(as_int(wave), clips.tolist()) for wave, clips in chosen.batches(torch.arange(7), "whole", 3, shortest=10)]
    assert [(list(wave.shape), clips) for wave, clips in made] == [
        ([1, 100], [4]),
        ([3, 30], [0, 1, 3]),
        ([1, 30], [6]),
        ([2, 10], [2, 5]),
    ]
    assert [wave[:, 0].tolist() for wave, _ in made] == [[3], [7, 6, 4], [1], [5, 2]]
    assert [wave.sum(1).tolist() for wave, _ in made] == [[300], [210, 180, 120], [30], [25, 14]]


def test_a_batch_of_whole_clips_has_few_samples_however_many_clips_there_are() -> None:
    equal = Recordings(np.ones(330, np.int16), np.array([0, 100, *range(120, 340, 10)]), 16000)
    batches = equal.batches(torch.arange(23), "whole", 100, samples=80)
    assert [list(wave.shape) for wave, _ in batches] == [[1, 100], [1, 20], [8, 10], [8, 10], [5, 10]]


def test_batches_of_windows_are_windows_in_the_order_of_the_clips() -> None:
    batches = list(recordings().batches(torch.tensor([2, 0, 1]), 20, 2))
    (first, of_first), (second, of_second) = batches
    assert (of_first.tolist(), of_second.tolist()) == ([2, 2, *[0] * 9], [1])
    assert torch.equal(first, recordings().windows(torch.tensor([2, 0]), 20)[0])
    assert torch.equal(second, recordings().windows(torch.tensor([1]), 20)[0])
