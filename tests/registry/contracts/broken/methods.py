"""Methods of which each fails the one check that it is called after."""

import random
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.methods import Corpus, Method, unit
from registry.settings import Settings
from registry.standing import Objection, Standing
from registry.views import Views


class _Agree(Method):
    """Two windows of a clip point the same way, those of other clips another."""

    source: ClassVar[str] = "ours"
    recipe: ClassVar[dict[str, object]] = {"epochs": 10, "batch_size": 32, "learning_rate": 1e-3}

    def __init__(self, config: Settings, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.head = nn.Linear(encoder.embedding_dim, 4)

    def embedded(self, wave_BT: Tensor) -> Tensor:
        return self.embed(self.views(wave_BT))

    def agreement(self, wave_BVT: Tensor) -> Tensor:
        a_BD, b_BD = (unit(self.head(self.embedded(wave_BVT[:, v]))) for v in (0, 1))
        return (a_BD - b_BD).square().sum(1).mean() + (a_BD @ b_BD.T).exp().mean()

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.agreement(wave_BVT)
        return loss, {"agreement": loss.detach()}


class Whole(_Agree):
    """Keeps its contract."""

    name = "whole"


class Endless(_Agree):
    """Has an infinite loss."""

    name = "losses_are_finite"

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.agreement(wave_BVT) + torch.inf, {}


class ByClip(_Agree):
    """Gives a loss a clip."""

    name = "losses_are_finite-2"

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.agreement(wave_BVT).view(1), {}


class Numbers(_Agree):
    """Logs a number that is no tensor."""

    name = "scalars_are_tensors"

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Any]]:
        return self.agreement(wave_BVT), {"clips": len(wave_BVT)}


class OfClips(_Agree):
    """Logs a number of every clip."""

    name = "scalars_are_tensors-2"

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.agreement(wave_BVT), {"clips": index_B.float()}


class HeadAlone(_Agree):
    """Trains its head alone."""

    name = "teaches_the_encoder"

    def embedded(self, wave_BT: Tensor) -> Tensor:
        return super().embedded(wave_BT).detach()


class Elsewhere(_Agree):
    """Draws from Python's generator."""

    name = "draws_from_torch"

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.agreement(wave_BVT) * (1 + random.random()), {}


class Counting(_Agree):
    """Keeps count outside of its state."""

    name = "goes_on_from_a_checkpoint"

    def __init__(self, config: Settings, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.steps = 0

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.agreement(wave_BVT) * (1 + self.steps), {}

    def after_step(self) -> None:
        self.steps += 1


class TakesAll(_Agree):
    """Objects to nothing."""

    name = "objects_as_its_contract_does"

    @classmethod
    def objections(cls, config: Any, standing: Standing) -> Iterable[Objection]:
        return ()


class Unlabelled(_Agree):
    """Learns from labels, and does not mind that there are none."""

    name = "objects_as_its_contract_does-2"

    @classmethod
    def uses_labels(cls, config: Any) -> bool:
        return True

    @classmethod
    def objections(cls, config: Any, standing: Standing) -> Iterable[Objection]:
        return [objection for objection in super().objections(config, standing) if objection.key != "corpus"]


class Rounded(_Agree):
    """Has its head in half precision."""

    name = "loses_in_full_precision"

    def agreement(self, wave_BVT: Tensor) -> Tensor:
        a_BD, b_BD = (self.embedded(wave_BVT[:, v]) for v in (0, 1))
        with self.autocast():
            far_BD: Tensor = self.head(a_BD) - self.head(b_BD)
            return far_BD.square().mean().to(far_BD.dtype)


class AtOnce(_Agree):
    """Goes past ``embed``, and so past chunks."""

    name = "takes_chunks"

    def embedded(self, wave_BT: Tensor) -> Tensor:
        with self.autocast():
            return self.encoder.embed(self.views(wave_BT)).float()


class Looking(_Agree):
    """Reads the loss."""

    name = "waits_for_nothing"

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.agreement(wave_BVT)
        return loss / max(loss.item(), 1.0), {}


class Misspelt(_Agree):
    """Has a recipe of another word."""

    name = "recipe_is_a_budget"
    recipe: ClassVar[dict[str, object]] = {"epoch": 10}
