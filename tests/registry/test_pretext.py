"""Rotation, jigsaw and colorization: their puzzles, their labels, and what trains."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend
from registry.lookup import ENCODERS, FRONTENDS, METHODS
from registry.methods.jigsaw import Jigsaw
from registry.methods.rotation import Rotation
from registry.settings import Settings
from registry.training import Training
from registry.views import Views
from tests.registry.test_methods import Linear, corpus, method, waves


class Given(Frontend):
    """Gives the encoder what it is told to, whatever the waveform."""

    channels, bins, sample_rate = 1, 32, 16000

    def __init__(self, x: Tensor) -> None:
        super().__init__(Settings())
        self.x = x

    def forward(self, wave_BT: Tensor) -> Tensor:
        return self.x


class Corners(Encoder):
    """Hears the four corners alone: enough to tell a corner's place, and nothing else."""

    embedding_dim = 4

    def forward(self, x_BCFN: Tensor) -> Tensor:
        return x_BCFN[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]].unsqueeze(1)


class Framewise(Encoder):
    """A net over each frame by itself, in half as many frames."""

    def __init__(self) -> None:
        super().__init__(Settings(), 1, 32)
        self.embedding_dim = 16
        self.net = nn.Sequential(nn.Linear(32, 16), nn.ReLU())

    def forward(self, x_BCFN: Tensor) -> Tensor:
        pooled: Tensor = nn.functional.avg_pool1d(x_BCFN.squeeze(1), 2)
        out: Tensor = self.net(pooled.transpose(1, 2))
        return out


def puzzle(name: str, encoder: Encoder, x: Tensor, **settings: Any) -> Any:
    """A method whose encoder is given ``x``."""
    choice = METHODS.choose({"name": name, **settings})
    return METHODS.find(name)(choice.settings, encoder, Views(Given(x)), corpus(20))


def loss_of(trained: Any, batch: int) -> float:
    loss, _ = trained(torch.zeros(batch, 1, 100), torch.arange(batch))
    return float(loss.detach())


def recorded(encoder: Encoder) -> list[Tensor]:
    """What goes into the encoder from now on."""
    seen: list[Tensor] = []
    encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0].clone()))
    return seen


def train(trained: Any, batch: int, steps: int, rate: float) -> float:
    """The last loss."""
    optimizer = torch.optim.Adam(trained.parameters(), rate)
    for _ in range(steps):
        loss, _ = trained(torch.zeros(batch, 1, 100), torch.arange(batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


SMALL: dict[str, dict[str, Any]] = {
    "rotation": {},
    "jigsaw": {"permutations": 5},
    "colorization": {"bands": 2, "levels": 4},
}


def small(name: str) -> Any:
    return method(name, Framewise() if name == "colorization" else Linear(), **SMALL[name])


@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_all_that_trains(name: str) -> None:
    torch.manual_seed(0)
    trained = small(name)
    wave = waves(8, 1, 0)
    with torch.autocast("cpu", torch.bfloat16):
        half, _ = trained(wave, torch.arange(8))
    assert half.dtype == torch.float32
    loss, _ = trained(wave, torch.arange(8))
    loss.backward()
    assert loss.isfinite()
    for parameter_name, p in trained.named_parameters():
        assert p.grad is not None, parameter_name
        assert p.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", ["rotation", "colorization"])
def test_the_loss_does_not_depend_on_the_order_of_the_batch(name: str) -> None:
    trained = small(name)
    wave, order = waves(8, 1, 0), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(trained(wave, torch.arange(8))[0], trained(wave[order], order)[0])


def test_recipes_drop_where_the_source_does() -> None:
    for name in SMALL:
        recipe = Training.model_validate(METHODS.find(name).recipe)
        rates = [recipe.learning_rate_at(epoch) for epoch in (29, 30, 59, 60, 89, 90, 99, 100)]
        assert rates == pytest.approx([1e-1, 1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5])
    assert Rotation.recipe["weight_decay"] == 1e-4


def test_the_four_rotations_of_a_known_array() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])[None, None]
    encoder = Corners(Settings(), 1, 2)
    seen = recorded(encoder)
    loss_of(puzzle("rotation", encoder, x), 1)
    assert seen[0][:, 0].tolist() == [
        [[1, 2, 3], [4, 5, 6]],
        [[3, 2, 1], [6, 5, 4]],
        [[4, 5, 6], [1, 2, 3]],
        [[6, 5, 4], [3, 2, 1]],
    ]


def test_a_rotation_is_told_by_where_the_corner_went() -> None:
    """A classifier that reads the marked corner's place is right; one that reads two places the other way is wrong."""
    x = torch.zeros(3, 1, 8, 8)
    x[:, :, 0, 0] = 50.0
    rotation = puzzle("rotation", Corners(Settings(), 1, 8), x)
    with torch.no_grad():
        rotation.classifier.bias.zero_()
        rotation.classifier.weight.copy_(torch.eye(4))  # corners in the order: as is, end of time, top, both
    assert loss_of(rotation, 3) < 1e-6
    with torch.no_grad():
        rotation.classifier.weight.copy_(torch.eye(4)[[1, 0, 2, 3]])
    assert loss_of(rotation, 3) == pytest.approx(25.0)


def conv320() -> Encoder:
    encoder: Encoder = ENCODERS.find("conv320")(ENCODERS.choose({"name": "conv320", "width": 4}).settings, 1, 0)
    return encoder


def raw(name: str, **settings: Any) -> Any:
    choice = METHODS.choose({"name": name, **settings})
    views = Views(make_frontend(FRONTENDS.choose("waveform")))
    return METHODS.find(name)(choice.settings, conv320(), views, corpus(8))


def permutations(count: int) -> Tensor:
    return method("jigsaw", Linear(), permutations=count).permutation_K9  # type: ignore[no-any-return]


def test_the_first_nine_permutations_agree_nowhere() -> None:
    """A Latin square: a rectangle of rows that agree nowhere can always be completed to one."""
    square = permutations(9)
    assert square[0].tolist() == list(range(9))
    for lines in (square, square.T):
        assert torch.equal(lines.sort(1).values, torch.arange(9).expand(9, 9))


def test_permutations_are_distinct_and_nearly_as_far_apart_as_can_be() -> None:
    """At best every tile stands at every place equally often: 100 = 9 * 11 + 1."""
    chosen = permutations(100)
    assert torch.equal(chosen.sort(1).values, torch.arange(9).expand(100, 9))
    assert len(chosen.unique(dim=0)) == 100
    apart = (chosen[:, None] != chosen).sum(2)[*torch.triu_indices(100, 100, 1)].double().mean()
    agreements = 9 * (8 * 11 * 10 / 2 + 12 * 11 / 2)
    assert apart <= 9 - agreements / (100 * 99 / 2)
    assert apart > 0.995 * (9 - agreements / (100 * 99 / 2))
    assert torch.equal(permutations(9), chosen[:9])


class Time(Encoder):
    """The mean over the tile of each bin: with a ramp, where in time a tile lies."""

    embedding_dim = 1

    def forward(self, x_BCFN: Tensor) -> Tensor:
        return x_BCFN.mean((1, 2, 3)).view(-1, 1, 1)


@pytest.mark.parametrize("tiles", ["time", "grid"])
def test_the_label_is_the_permutation_that_the_tiles_are_in(tiles: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorting the tiles by what they hold gives the permutation that is asked for."""
    torch.manual_seed(0)
    size = 36
    row, column = torch.arange(size).view(1, 1, size, 1), torch.arange(size).view(1, 1, 1, size)
    time_first = 1000.0 * (column // 12) + row  # a grid's tiles lie by times, then by bins
    x = (column + 0.0 * row if tiles == "time" else time_first).expand(5, 1, size, size).float()
    encoder = Time(Settings(), 1, size)
    jigsaw = puzzle("jigsaw", encoder, x, tiles=tiles, permutations=7)
    seen, asked = recorded(encoder), []
    original = nn.functional.cross_entropy

    def listen(score: Tensor, label: Tensor) -> Tensor:
        asked.append(label)
        return original(score, label)

    monkeypatch.setattr("registry.methods.jigsaw.F.cross_entropy", listen)
    loss_of(jigsaw, 5)
    place_B9 = encoder(seen[0]).view(5, 9)
    assert torch.equal(place_B9.argsort(1).argsort(1), jigsaw.permutation_K9[asked[0]])


def test_tiles_are_three_quarters_of_their_cells_at_random_places() -> None:
    torch.manual_seed(0)
    jigsaw = puzzle("jigsaw", Time(Settings(), 1, 2), torch.zeros(1), permutations=2)
    x = torch.arange(9 * 8 + 5.0).expand(400, 1, 2, -1)
    tiles = jigsaw._tiles(x)
    assert tiles.shape == (400, 9, 1, 2, 6)
    assert torch.equal(tiles.diff(dim=-1), torch.ones(400, 9, 1, 2, 5))
    offset = tiles[:, :, 0, 0, 0] - 8 * torch.arange(9)
    assert offset.unique().tolist() == [0, 1, 2]
    assert offset.mean() == pytest.approx(1.0, abs=0.1)


def test_a_grids_tiles_are_stretched_to_all_bins() -> None:
    jigsaw = puzzle("jigsaw", Linear(), torch.zeros(1), tiles="grid", permutations=2)
    x = torch.linspace(0, 1, 32).view(1, 1, 32, 1).expand(2, 1, 32, 24)
    tiles = jigsaw._tiles(x)
    assert tiles.shape == (2, 9, 1, 32, 6)
    low, middle, high = (tiles[:, i::3].mean() for i in range(3))
    assert low < middle < high
    assert (tiles.diff(dim=3) >= 0).all()


def test_jigsaw_is_solved_where_tiles_tell_their_place_and_not_where_they_do_not() -> None:
    ramp = torch.linspace(-1, 1, 45).expand(16, 1, 2, 45)
    for x, solved in ((ramp, True), (torch.ones_like(ramp), False)):
        torch.manual_seed(0)
        loss = train(puzzle("jigsaw", Time(Settings(), 1, 2), x, permutations=3), 16, 20, 1e-2)
        assert (loss < 0.1) if solved else (loss > 0.7)


def test_jigsaw_takes_waveforms_in_time_alone() -> None:
    loss, _ = raw("jigsaw", permutations=3)(torch.randn(2, 1, 12_000), torch.arange(2))
    assert loss.isfinite()
    with pytest.raises(Mistake, match="the front end gives a waveform"):
        raw("jigsaw", tiles="grid")
    with pytest.raises(Mistake, match="a tile has a length of 333, and Conv320 needs at least 955"):
        raw("jigsaw", permutations=3)(waves(2, 1, 0), torch.arange(2))


def test_rotation_refuses_waveforms() -> None:
    with pytest.raises(Mistake, match="rotation flips spectrograms"):
        raw("rotation")


def test_jigsaws_gradients_are_the_same_from_chunks() -> None:
    torch.manual_seed(0)
    trained = method("jigsaw", Linear(), permutations=3)
    gradients = []
    for chunk in (None, 10):
        trained.chunk = chunk
        trained.zero_grad()
        torch.manual_seed(1)
        trained(waves(4, 1, 0), torch.arange(4))[0].backward()
        gradients.append(trained.encoder.map[0].weight.grad.clone())
    torch.testing.assert_close(*gradients)


def test_colorization_hides_the_upper_bins() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 1, 32, 20)
    louder = torch.cat([x[:, :, :16], 3 * x[:, :, 16:].flip(3)], 2)
    encoder = Framewise()
    seen = recorded(encoder)
    for given in (x, louder):
        loss_of(puzzle("colorization", encoder, given), 4)
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0][:, :, :16], x[:, :, :16])
    torch.testing.assert_close(seen[0][:, :, 31], x[:, :, :16].mean(2))


def test_frames_that_a_mask_made_equal_have_one_colour() -> None:
    """Their means over bands of bins differ by rounding alone, and an edge must not lie between them."""
    from registry.methods.colorization import _levels

    torch.manual_seed(0)
    x_BFN = torch.randn(64, 44, 16)
    x_BFN[:, :, 4:] = x_BFN.mean((1, 2), keepdim=True)
    loudness_BKN = F.adaptive_avg_pool2d(x_BFN, (8, 11))  # of one frame, or of two
    loudness_BKN = loudness_BKN - loudness_BKN.mean(2, keepdim=True)
    masked_BKM = loudness_BKN[:, :, 3:]
    assert (masked_BKM.amax(2) > masked_BKM.amin(2)).any()
    level_BKM = _levels(loudness_BKN, 8)[:, :, 3:]
    assert torch.equal(level_BKM, level_BKM[:, :, :1].expand_as(level_BKM))


def test_colours_are_levels_of_equal_frequency_in_each_band() -> None:
    """Of 5 clips of 8 frames a band has 40 values: the lowest 10 are level 0, and so on, whatever the band's range."""
    from registry.methods.colorization import _levels

    generator = torch.Generator().manual_seed(0)
    loudness = torch.stack([torch.randperm(40, generator=generator).view(5, 8) * s for s in (1.0, 100.0)], 1)
    level = _levels(loudness, 4)
    assert torch.equal(level, (loudness / torch.tensor([1.0, 100.0]).view(2, 1) / 10).floor().long())


def test_colours_are_learnt_where_low_tells_high_and_not_where_it_does_not() -> None:
    generator = torch.Generator().manual_seed(0)
    low, other = torch.randn(2, 32, 1, 1, 16, generator=generator).repeat_interleave(2, 4)
    low = low - low.mean(3, keepdim=True)
    for high, learnt in ((low, True), (other, False)):
        torch.manual_seed(0)
        x = torch.cat([low.expand(-1, -1, 16, -1), high.expand(-1, -1, 16, -1)], 2)
        loss = train(puzzle("colorization", Framewise(), x, bands=1, levels=2), 32, 60, 3e-2)
        assert (loss < 0.1) if learnt else (loss > 0.55)


def test_steady_noise_in_the_upper_bins_colours_nothing() -> None:
    torch.manual_seed(0)
    x, steady = torch.randn(8, 1, 32, 20), torch.randn(8, 1, 32, 1)
    steady[:, :, :16] = 0
    encoder = Framewise()
    quiet = puzzle("colorization", encoder, x, bands=4)
    noisy = puzzle("colorization", encoder, x + 5 * steady, bands=4)
    noisy.load_state_dict(quiet.state_dict())
    assert loss_of(noisy, 8) == pytest.approx(loss_of(quiet, 8), rel=1e-6)


def test_colorization_refuses_too_few_bins_or_frames_and_gradient_caching() -> None:
    with pytest.raises(Mistake, match="needs one channel of at least 16 bins"):
        raw("colorization")
    with pytest.raises(Mistake, match="a window gives one frame"):
        loss_of(puzzle("colorization", Framewise(), torch.zeros(4, 1, 32, 3), bands=2), 4)
    trained = method("colorization", Linear())
    trained.chunk = 2
    with pytest.raises(Mistake, match="trains on frames"):
        trained(waves(4, 1, 0), torch.arange(4))


def test_defaults() -> None:
    assert (Jigsaw.Config().tiles, Jigsaw.Config().permutations) == ("time", 100)
