"""What is computed a tile, a batch or a piece at a time is what would be computed at once."""

import numpy as np
import pytest
import torch

from benchmark.jobs.model import choose_device
from registry.audio import Recordings
from registry.protocols import Embeddings, Labels, Outcome, Split, Subject, _neighbours, freeze
from registry.protocols.freeze import Freeze
from registry.protocols.knn import Knn

CPU = choose_device("cpu", "fp32")
NONE = Recordings(np.empty(0, np.int16), np.zeros(1, np.int64), 1)


@pytest.mark.parametrize("tile", [1, 7, 64])
@pytest.mark.parametrize("ties", [False, True])
def test_the_nearest_of_all_tiles_are_the_nearest_of_the_bank(
    monkeypatch: pytest.MonkeyPatch, tile: int, ties: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    unit_ND = torch.nn.functional.normalize(torch.randn(150, 5, generator=generator), dim=1)
    if ties:
        unit_ND = unit_ND[torch.arange(150) % 20]
    monkeypatch.setattr(_neighbours, "_BANK_AT_ONCE", tile)
    monkeypatch.setattr(_neighbours, "_UNITS_AT_ONCE", 15)
    banks = [torch.arange(0, 100), torch.arange(3, 150, 3), torch.tensor([9])]
    query_BD = unit_ND[100:140]
    found = _neighbours.Banks(unit_ND, banks, [12, 49, 4], CPU.device).nearest(query_BD)
    every_BN = (query_BD.double() @ unit_ND.double().T).numpy()
    for bank, k, (similarity_BK, place_BK) in zip(banks, (12, 49, 1), found, strict=True):
        assert place_BK.shape == (40, k)
        expected = -np.sort(-every_BN[:, bank.numpy()], axis=1)[:, :k]
        np.testing.assert_allclose(similarity_BK, expected, atol=1e-6)
        np.testing.assert_allclose(np.take_along_axis(every_BN, place_BK.numpy(), 1), expected, atol=1e-6)
        assert set(place_BK.flatten().tolist()) <= set(bank.tolist())
        assert all(len(set(places)) == k for places in place_BK.tolist())


def evaluated(protocol: Knn | Freeze, folds: int = 5, clips: int = 300) -> list[Outcome]:
    generator = torch.Generator().manual_seed(1)
    label_N = torch.randint(4, (clips,), generator=generator)
    centre_CD = torch.randn(4, 70, generator=generator)
    clip_W = torch.arange(clips).repeat_interleave(torch.arange(clips) % 3 + 1)
    window_WD = 9 + centre_CD[label_N[clip_W]] + 2 * torch.randn(len(clip_W), 70, generator=generator)
    labels = Labels(label_N, torch.arange(clips) % folds + 1, torch.arange(clips), 4)
    subject = Subject(Embeddings(window_WD, clip_W, {"a": 30, "b": 40}), NONE, CPU.device, CPU.autocast)
    return protocol.evaluate(subject, Split(labels), list(range(1, folds + 1)), 0, lambda *told: None)


@pytest.mark.parametrize("inputs", [[], ["b", "a"]])
@pytest.mark.parametrize("protocol", [Knn, Freeze])
def test_scores_do_not_depend_on_what_is_computed_at_once(
    monkeypatch: pytest.MonkeyPatch, protocol: type[Knn] | type[Freeze], inputs: list[str]
) -> None:
    made = protocol(protocol.Config(inputs=inputs, **({"epochs": 2} if protocol is Freeze else {})))  # type: ignore[arg-type]
    at_once = evaluated(made)
    monkeypatch.setattr(_neighbours, "_BANK_AT_ONCE", 40)
    monkeypatch.setattr(_neighbours, "_SIMILARITIES", 400)
    monkeypatch.setattr(_neighbours, "_UNITS_AT_ONCE", 700)
    monkeypatch.setattr(freeze, "VALUES_AT_ONCE", 2000)
    for piecewise, whole in zip(evaluated(made), at_once, strict=True):
        np.testing.assert_allclose(piecewise.scores, whole.scores, rtol=1e-3, atol=1e-3)
        assert np.array_equal(piecewise.predicted, whole.predicted)
        assert piecewise.chosen == whole.chosen


def test_moments_of_pieces_are_those_of_all_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    window_WD = 100 + torch.randn(501, 130, generator=torch.Generator().manual_seed(0))
    rows = freeze._Rows(window_WD, {}, (), CPU.device)
    row_M = torch.arange(1, 500, 2)
    known = [moment.clone() for moment in rows.moments(row_M)]
    assert torch.equal(known[0], window_WD[row_M].mean(0, keepdim=True))
    assert torch.equal(known[1], window_WD[row_M].std(0, keepdim=True))
    for at_once in (64 * 250, 64 * 7):
        monkeypatch.setattr(freeze, "VALUES_AT_ONCE", at_once)
        mean_1D, deviation_1D = rows.moments(row_M)
        exact = window_WD[row_M].double()
        torch.testing.assert_close(mean_1D.double(), exact.mean(0, keepdim=True), rtol=1e-6, atol=0)
        torch.testing.assert_close(deviation_1D.double(), exact.std(0, keepdim=True), rtol=1e-5, atol=0)


def test_batches_of_clips_hold_few_windows_and_every_clip_once() -> None:
    clip_W = torch.arange(40).repeat_interleave(torch.arange(40) % 7 + 1)
    embeddings = Embeddings(torch.randn(len(clip_W), 3), clip_W)
    clips_N = torch.arange(1, 40, 2)
    batches = embeddings.batches(clips_N, 30)
    assert torch.equal(torch.cat(list(batches)), clips_N)
    assert max(len(embeddings.windows(clips_B)[0]) for clips_B in batches) <= 10 + 7
    means_ND = torch.cat([embeddings.means(clips_B) for clips_B in batches])
    expected = torch.stack([embeddings.window_WD[clip_W == clip].mean(0) for clip in clips_N])
    torch.testing.assert_close(means_ND, expected)
    torch.testing.assert_close(embeddings.mean(40)[clips_N], expected)
