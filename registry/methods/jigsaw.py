"""Jigsaw: predicts the order of a sound's tiles."""

import itertools
from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.methods import Corpus, Method
from registry.methods.rotation import Rotation
from registry.settings import Settings
from registry.standing import Objection, Standing
from registry.views import Views

_TILES = 9
_HIDDEN = 1000  # values of each tile between encoder and classifier


class Jigsaw(Method["Jigsaw.Config"]):
    """Predicts which permutation of a set nine tiles are in. Each tile passes through the encoder by itself.

    The audio form is ours: tiles are nine stretches of time, of a spectrogram or a waveform, or three by three patches
    of time and frequency, which are stretched to the encoder's bins. A tile lies at a random place in its cell, whose
    sides are a third longer (64 of 85 pixels in the source), so that edges do not betray neighbours. Nine tiles need
    long windows. The source has 2,000 permutations. That its rate and schedule are rotation's is from memory.
    """

    source: ClassVar[str] = "Noroozi and Favaro 2016; facebookresearch/vissl; audio form ours"
    windows = 1
    fewest = 1
    recipe = Rotation.recipe

    class Config(Settings):
        tiles: Literal["time", "grid"] = Field("time", description="nine in time, or three by three in time and pitch")
        permutations: int = Field(100, ge=2, le=10_000, description="classes; far apart, and the same in every run")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.grid = config.tiles == "grid"
        self.tile_head = nn.Sequential(nn.Linear(encoder.embedding_dim, _HIDDEN), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(_TILES * _HIDDEN, config.permutations)
        self.permutation_K9: Tensor
        self.register_buffer("permutation_K9", _far_apart(config.permutations), persistent=False)

    @classmethod
    def objections(cls, config: Config, standing: Standing) -> Iterable[Objection]:
        yield from super().objections(config, standing)
        if standing.gives == "waveform" and config.tiles == "grid":
            what = "tiles: grid cuts spectrograms, and the front end gives a waveform"
            yield Objection("tiles", what, "use tiles: time, or a spectral front end")

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tiles = self._tiles(self.views(wave_BVT[:, 0]))
        label_B = torch.randint(len(self.permutation_K9), (len(tiles),), device=tiles.device)
        shuffled = tiles[torch.arange(len(tiles), device=tiles.device)[:, None], self.permutation_K9[label_B]]
        embedding = self.embed(shuffled.flatten(0, 1))
        score_BK = self.classifier(self.tile_head(embedding).view(len(tiles), -1))
        return F.cross_entropy(score_BK, label_B), {}

    def _tiles(self, x: Tensor) -> Tensor:
        """Encoder inputs ``[B, 9, ...]`` in order of time; in a grid, three patches of one time follow each other."""
        tiles = _cut(x, 3 if self.grid else _TILES, x.ndim - 1)
        if tiles.shape[-1] < self.encoder.shortest:
            raise Mistake(
                f"a tile has a length of {tiles.shape[-1]}, and {type(self.encoder).__name__} needs at least "
                f"{self.encoder.shortest}",
                where="jigsaw",
                fix="use longer windows, a shorter hop" + ("" if self.grid else ", or tiles: grid"),
            )
        if not self.grid:
            return tiles
        patches = _cut(tiles.flatten(0, 1), 3, 2).flatten(0, 1)
        stretched = F.interpolate(patches, size=(x.shape[2], patches.shape[3]), mode="bilinear")
        return stretched.view(len(x), _TILES, *stretched.shape[1:])


def _cut(x: Tensor, count: int, axis: int) -> Tensor:
    """Cuts an axis into equal cells, and three quarters out of each at a random place: ``[B, count, ...]``."""
    cell = x.shape[axis] // count
    size = cell * 3 // 4
    offset_BP = torch.randint(cell - size + 1, (len(x), count), device=x.device)
    first_BP = torch.arange(count, device=x.device) * cell + offset_BP
    position_BPn = first_BP[..., None] + torch.arange(size, device=x.device)
    return x.movedim(axis, 1)[torch.arange(len(x), device=x.device)[:, None, None], position_BPn].movedim(2, axis + 1)


def _far_apart(count: int) -> Tensor:
    """Permutations ``[count, 9]``: the identity, then each time the farthest one (mean Hamming distance) from those."""
    flat = itertools.chain.from_iterable(itertools.permutations(range(_TILES)))
    every_9M = np.fromiter(flat, np.uint8).reshape(-1, _TILES).T.copy()
    agreed_M = np.zeros(every_9M.shape[1], np.int32)  # places where it equals a chosen one, summed over these
    chosen = [0]
    while len(chosen) < count:
        for places_M in every_9M:
            agreed_M += places_M == places_M[chosen[-1]]
        agreed_M[chosen[-1]] = np.iinfo(np.int32).max // 2
        chosen.append(int(agreed_M.argmin()))
    return torch.from_numpy(every_9M.T[chosen].astype(np.int64))
