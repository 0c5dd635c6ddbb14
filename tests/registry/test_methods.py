"""MoCo and NPID: their state after known steps, and what gradients reach."""

import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from registry.audio import Recordings
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends.logmel import LogMel
from registry.lookup import METHODS
from registry.losses import info_nce
from registry.methods import Corpus, unit
from registry.methods.moco import MoCo
from registry.methods.npid import Npid, _Similarity
from registry.settings import Settings
from registry.views import Views
from tests.conftest import SHARED


class Linear(Encoder):
    """Averages the frames and maps them linearly: small enough to follow by hand."""

    def __init__(self, dim: int = 6, norm: bool = False) -> None:
        super().__init__(Settings(), 1, 32)
        self.embedding_dim = dim
        self.map = nn.Sequential(nn.Linear(32, dim), nn.BatchNorm1d(dim) if norm else nn.Identity())

    def forward(self, x_BCFN: Tensor) -> Tensor:
        out: Tensor = self.map(x_BCFN.mean((1, 3))).unsqueeze(1)
        return out


def views() -> Views:
    return Views(LogMel(LogMel.Config(n_mels=32, n_fft=512)))


def corpus(clips: int, classes: int = 4) -> Corpus:
    """Noise of 6000 samples a clip, labelled in turn."""
    samples = np.random.default_rng(0).integers(-9000, 9000, clips * 6000).astype(np.int16)
    recordings = Recordings(samples, np.arange(clips + 1) * 6000, 16000)
    return Corpus(recordings, torch.arange(clips) % classes, classes)


def method(name: str, encoder: Encoder, clips: int = 20, **settings: Any) -> Any:
    choice = METHODS.choose({"name": name, **settings})
    return METHODS.find(name)(choice.settings, encoder, views(), corpus(clips))


def waves(batch: int, windows: int, seed: int) -> Tensor:
    return torch.randn(batch, windows, 4000, generator=torch.Generator().manual_seed(seed)) / 4


def test_recipes_and_settings_default_to_the_sources() -> None:
    moco, npid = MoCo.Config(), Npid.Config()
    assert (moco.queue_size, moco.momentum, moco.temperature, moco.dim, moco.head) == (
        65536,
        0.999,
        0.07,
        128,
        "linear",
    )
    assert (npid.negatives, npid.temperature, npid.bank_momentum, npid.dim) == (4096, 0.07, 0.5, 128)
    for recipe in (MoCo.recipe, Npid.recipe):
        assert recipe["learning_rate"], recipe["batch_size"] == (0.03, 256)
        assert recipe["epochs"] == 200


def test_heads_have_the_published_sizes() -> None:
    encoder = Linear(2048)
    assert sum(p.numel() for p in method("moco", encoder, queue_size=8).query_head.parameters()) == 262_272
    assert (
        sum(p.numel() for p in method("moco", encoder, queue_size=8, head="mlp").query_head.parameters()) == 4_458_624
    )


def test_moco_queue_holds_the_last_keys_in_order() -> None:
    moco = method("moco", Linear(), queue_size=8, norm_groups=1, momentum=0.5)
    first = moco.queue_QD.clone()
    keys = []
    for step in range(3):
        wave = waves(4, 2, step)
        moco(wave, torch.arange(4))
        moco.after_step()
        with torch.no_grad():  # the linear encoder has no batch statistics, so keys can be recomputed
            keys.append(unit(moco.key_head(moco.key_encoder.embed(moco.views(wave[:, 1])))))
    assert int(moco.next_row) == 4
    torch.testing.assert_close(moco.queue_QD[4:], keys[1])
    torch.testing.assert_close(moco.queue_QD[:4], keys[2])
    assert not torch.equal(first, moco.queue_QD)


def test_moco_key_encoder_follows_in_closed_form() -> None:
    encoder = Linear()
    moco = method("moco", encoder, queue_size=8, momentum=0.9, norm_groups=1)
    start = encoder.map[0].weight.detach().clone()
    with torch.no_grad():
        encoder.map[0].weight.fill_(1.0)
    for step in range(5):
        moco(waves(4, 2, step), torch.arange(4))
    expected = 0.9**5 * start + (1 - 0.9**5)
    torch.testing.assert_close(moco.key_encoder.map[0].weight, expected)


def test_moco_gradients_reach_the_query_branch_alone() -> None:
    moco = method("moco", Linear(norm=True), queue_size=8, norm_groups=2)
    loss, _ = moco(waves(4, 2, 0), torch.arange(4))
    loss.backward()
    trained = {name for name, p in moco.named_parameters() if p.grad is not None}
    assert trained == {n for n, _ in moco.named_parameters() if n.startswith(("encoder.", "query_head."))}


def test_moco_norm_groups_have_statistics_of_their_own() -> None:
    wave = waves(8, 2, 0)
    x = views()(wave[:, 0])
    whole, split = (method("moco", Linear(norm=True), queue_size=8, norm_groups=g) for g in (1, 2))
    split.load_state_dict(whole.state_dict())
    parts = [unit(split.query_head(split.encoder.embed(part))) for part in x.chunk(2)]
    got = unit(split._project(split.encoder, split.query_head, x))
    torch.testing.assert_close(got, torch.cat(parts))
    assert not torch.allclose(got, unit(whole._project(whole.encoder, whole.query_head, x)))


def test_moco_keys_come_back_in_the_order_of_their_clips() -> None:
    moco = method("moco", Linear(), queue_size=8, norm_groups=1)
    x = views()(waves(8, 2, 0)[:, 1])
    torch.testing.assert_close(moco._shuffled_keys(x), unit(moco.key_head(moco.key_encoder.embed(x))))


def test_moco_loss_does_not_depend_on_the_order_of_the_batch() -> None:
    wave, order = waves(8, 2, 0), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    moco = method("moco", Linear(), queue_size=8, norm_groups=1, momentum=1.0)
    state = {k: v.clone() for k, v in moco.state_dict().items()}
    loss, _ = moco(wave, torch.arange(8))
    moco.load_state_dict(state)
    shuffled, _ = moco(wave[order], order)
    torch.testing.assert_close(loss, shuffled)


def test_moco_refuses_a_queue_that_the_batch_does_not_divide() -> None:
    with pytest.raises(Mistake, match="queue_size 10 is no multiple of the batch size 4"):
        method("moco", Linear(), queue_size=10)(waves(4, 2, 0), torch.arange(4))


def test_npid_bank_starts_uniform_and_is_updated_for_the_batch_alone() -> None:
    npid = method("npid", Linear(), clips=500, negatives=4, dim=8)
    bound = (8 / 3) ** -0.5
    start = npid.bank_ND.clone()
    assert start.abs().max() <= bound
    assert start.std() == pytest.approx(bound / 3**0.5, rel=0.05)
    wave, index = waves(4, 1, 0), torch.tensor([3, 400, 7, 0])
    npid(wave, index)
    assert torch.equal(npid.bank_ND, start)  # which the backward pass reads
    npid.after_step()
    z = unit(npid.head(npid.encoder.embed(npid.views(wave[:, 0]))))
    expected = start.clone()
    expected[index] = F.normalize(0.5 * start[index] + 0.5 * z, dim=1)
    torch.testing.assert_close(npid.bank_ND, expected)


def test_npid_bank_update_equals_the_test_vectors() -> None:
    path = SHARED / "reference" / "golden.json"
    if not path.is_file():
        pytest.skip(f"no test vectors at {path}")
    golden = json.loads(path.read_text())
    npid = method("npid", Linear(), clips=6, negatives=4, dim=3)
    npid.bank_ND = torch.tensor(golden["npid_memory"])
    npid._update_bank(torch.tensor(golden["za"]), torch.arange(4))
    torch.testing.assert_close(npid.bank_ND[:4], torch.tensor(golden["npid_memory_after_update_rows0-3 (m=0.5)"]))


def test_npid_constant_is_set_by_the_first_batch_and_kept() -> None:
    npid = method("npid", Linear(), negatives=16)
    assert npid.constant_z == 0
    npid(waves(4, 1, 0), torch.arange(4))
    constant = npid.constant_z.clone()
    assert constant > 0
    npid(waves(4, 1, 1), torch.arange(4, 8))
    assert npid.constant_z == constant


def test_npid_without_negatives_is_the_full_softmax() -> None:
    npid = method("npid", Linear(), negatives=0, temperature=0.1)
    wave, index, bank = waves(4, 1, 0), torch.tensor([2, 5, 11, 19]), npid.bank_ND.clone().double()
    loss, _ = npid(wave, index)
    z = unit(npid.head(npid.encoder.embed(npid.views(wave[:, 0])))).double()
    scores = (z @ bank.T / 0.1).exp()
    expected = -(scores[torch.arange(4), index] / scores.sum(1)).log().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_npid_proximal_term_is_the_squared_distance_to_the_bank() -> None:
    wave, index = waves(4, 1, 0), torch.arange(4)
    plain = method("npid", Linear(), negatives=0)
    pulled = method("npid", plain.encoder, negatives=0, proximal=3.0)
    pulled.load_state_dict(plain.state_dict())
    distance = unit(plain.head(plain.encoder.embed(plain.views(wave[:, 0])))) - plain.bank_ND[:4]
    difference = pulled(wave, index)[0] - plain(wave, index)[0]
    assert difference.item() == pytest.approx(3 * distance.square().sum(1).mean().item(), rel=1e-4)


def test_npid_noise_is_gathered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.methods.npid._GATHERED", 2 * 5 * 3)  # two embeddings at a time
    generator = torch.Generator().manual_seed(0)
    bank_ND = torch.randn(9, 3, generator=generator, dtype=torch.float64)
    drawn_BK = torch.randint(9, (5, 5), generator=generator)
    z_BD = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    weight_BK = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    got = _Similarity.apply(z_BD, bank_ND, drawn_BK)  # type: ignore[no-untyped-call]
    expected = (z_BD[:, None] * bank_ND[drawn_BK]).sum(2)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(*(torch.autograd.grad((x * weight_BK).sum(), z_BD)[0] for x in (got, expected)))


def test_moco_backward_pass_reads_the_queue_of_the_forward_pass() -> None:
    moco = method("moco", Linear(), queue_size=4, norm_groups=1)
    wave = waves(4, 2, 0)
    loss, _ = moco(wave, torch.arange(4))
    query = unit(moco.query_head(moco.encoder.embed(moco.views(wave[:, 0]))))
    expected = info_nce(query, moco.key_BD, moco.queue_QD.clone(), moco.config.temperature)
    parameters = list(moco.query_head.parameters())
    for got, wanted in zip(*(torch.autograd.grad(x, parameters) for x in (loss, expected)), strict=True):
        torch.testing.assert_close(got, wanted)
    moco.after_step()
    assert torch.equal(moco.queue_QD, moco.key_BD)


def test_npid_bank_takes_no_gradient() -> None:
    npid = method("npid", Linear(), negatives=8)
    npid(waves(4, 1, 0), torch.arange(4))[0].backward()
    assert not npid.bank_ND.requires_grad
    assert all(p.grad is not None for p in npid.parameters())
