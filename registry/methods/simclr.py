"""SimCLR: contrast within a large batch."""

from collections.abc import Iterable
from copy import deepcopy
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.losses import nt_xent
from registry.methods import Corpus, Method, enqueue, follow, mlp, unit
from registry.settings import Settings
from registry.standing import Objection, Standing
from registry.views import Views


class SimClr(Method["SimClr.Config"]):
    """Finds the two of the 2 B windows of a batch that come from one clip.

    The head has two layers in version 1, and three in version 2; every hidden layer is as wide as the embedding.
    ``memory`` is version 2's: past projections of an encoder that follows by momentum are further negatives (this gains
    about 1 % in the paper; figure and momentum are from memory). Version 2 also widens the net, and keeps a layer of
    the head for fine-tuning; both are left out here. The source's LARS has the rate inside the momentum, ours outside:
    the two differ while the rate changes.
    """

    source: ClassVar[str] = "Chen et al. 2020, SimCLR and SimCLR v2; google-research/simclr"
    windows = 2
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 100,
        "batch_size": 4096,
        "optimizer": "lars",
        "learning_rate": 4.8,
        "weight_decay": 1e-4,
        "schedule": "cosine",
        "warmup_epochs": 10,
    }

    class Config(Settings):
        temperature: float = Field(0.1, gt=0, description="divides the similarities")
        dim: int = Field(128, ge=1, description="size of the projections")
        layers: Literal[2, 3] = Field(2, description="of the head: 2 in version 1, 3 in version 2")
        memory: int = Field(0, ge=0, description="past projections kept as negatives; at least a batch, or none")
        momentum: float = Field(0.999, ge=0, le=1, description="of the encoder that makes them")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.head = mlp(*[encoder.embedding_dim] * config.layers, config.dim, last_norm=True)
        if config.memory:
            self.key_encoder = deepcopy(encoder).requires_grad_(False)
            self.key_head = deepcopy(self.head).requires_grad_(False)
            self.memory_QD: Tensor
            self.register_buffer("memory_QD", unit(torch.randn(config.memory, config.dim)))
            self.next_row: Tensor
            self.register_buffer("next_row", torch.zeros((), dtype=torch.long))

    @classmethod
    def objections(cls, config: Config, standing: Standing) -> Iterable[Objection]:
        yield from super().objections(config, standing)
        if standing.batch is not None and 0 < config.memory < standing.batch:
            what = f"a memory of {config.memory} holds less than a batch of {standing.batch}"
            yield Objection("memory", what, "memory: 0, or a batch at least")

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        a, b = (self.views(wave_BT) for wave_BT in wave_BVT.unbind(1))
        a_BD, b_BD = (unit(self.head(self.embed(x))) for x in (a, b))
        loss = nt_xent(a_BD, b_BD, self.config.temperature, self.memory_QD if self.config.memory else None)
        if self.config.memory:
            self._remember(a)
        return loss, {}

    @torch.no_grad()
    def _remember(self, x_BCFN: Tensor) -> None:
        """Stores the momentum encoder's projection of the first window of each clip."""
        follow(self.key_encoder, self.encoder, self.config.momentum)
        follow(self.key_head, self.head, self.config.momentum)
        enqueue(self.memory_QD, self.next_row, unit(self.key_head(self.embed(x_BCFN, self.key_encoder))))
