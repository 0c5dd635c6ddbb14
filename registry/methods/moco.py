"""MoCo: momentum contrast."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.losses import info_nce
from registry.methods import Corpus, Method, enqueue, follow, projection, unit
from registry.settings import Settings
from registry.standing import Objection, Standing, refuse
from registry.views import Views


class MoCo(Method["MoCo.Config"]):
    """Finds the key of a query among a queue of past keys. A momentum encoder makes the keys.

    The defaults are version 1. Version 2 is ``head: mlp, temperature: 0.2`` with ``schedule: cosine`` and stronger
    augmentation. The key encoder's parameters follow the query encoder's by momentum; its batch-norm statistics are its
    own. Negatives are past keys only (Lin 2022, section 1.2, says queries and keys).
    """

    source: ClassVar[str] = "He et al. 2020; Chen et al. 2020 (v2); moco:moco/builder.py"
    windows = 2
    fewest = 1
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 200,
        "batch_size": 256,
        "optimizer": "sgd",
        "learning_rate": 0.03,
        "weight_decay": 1e-4,
        "decay_norms": True,
        "schedule": "step",
    }

    class Config(Settings):
        queue_size: int = Field(65536, ge=1, description="keys kept as negatives; a multiple of the batch size")
        momentum: float = Field(0.999, ge=0, le=1, description="of the key encoder")
        temperature: float = Field(0.07, gt=0, description="divides the similarities")
        dim: int = Field(128, ge=1, description="size of queries and keys")
        head: Literal["linear", "mlp"] = Field("linear", description="projection: linear (v1) or mlp (v2)")
        norm_groups: int = Field(8, ge=1, description="groups with separate batch statistics, as on the source's GPUs")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.query_head = projection(config.head, encoder, config.dim)
        self.key_encoder = deepcopy(encoder).requires_grad_(False)
        self.key_head = deepcopy(self.query_head).requires_grad_(False)
        self.queue_QD: Tensor
        self.register_buffer("queue_QD", unit(torch.randn(config.queue_size, config.dim)))
        self.next_row: Tensor
        self.register_buffer("next_row", torch.zeros((), dtype=torch.long))

    @classmethod
    def objections(cls, config: Config, standing: Standing) -> Iterable[Objection]:
        yield from super().objections(config, standing)
        if standing.batch is not None and config.queue_size % standing.batch:
            what = f"queue_size {config.queue_size} is no multiple of the batch size {standing.batch}"
            yield Objection("queue_size", what, "choose a queue_size that the batch size divides")

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        query_BD = unit(self._project(self.encoder, self.query_head, self.views(wave_BVT[:, 0])))
        return self.contrast([query_BD], wave_BVT[:, 1]), {}

    def contrast(self, queries: Sequence[Tensor], wave_BT: Tensor) -> Tensor:
        """Moves the key encoder, and returns the mean loss of queries that share one key.

        Args:
            queries: ``[B, dim]`` of unit norm, one for each view of the clips.
            wave_BT: windows of the same clips, for the keys.
        """
        refuse(self.objections(self.config, Standing(batch=len(wave_BT))), "moco")
        with torch.no_grad():
            follow(self.key_encoder, self.encoder, self.config.momentum)
            follow(self.key_head, self.query_head, self.config.momentum)
            key_BD = self._shuffled_keys(self.views(wave_BT))
        self.key_BD = key_BD
        losses = [info_nce(query_BD, key_BD, self.queue_QD, self.config.temperature) for query_BD in queries]
        return torch.stack(losses).mean()

    def after_step(self) -> None:
        """Puts the keys in the queue: not before, because the backward pass reads the queue."""
        enqueue(self.queue_QD, self.next_row, self.key_BD)

    def _project(self, encoder: Encoder, head: nn.Module, x_BCFN: Tensor) -> Tensor:
        """Projections ``[B, dim]``."""
        projected_BD: Tensor = head(self.embed(x_BCFN, encoder, self.config.norm_groups))
        return projected_BD

    def _shuffled_keys(self, x_BCFN: Tensor) -> Tensor:
        """Keys ``[B, dim]``, computed in a shuffled order, so that batch statistics do not betray the pairs."""
        order_B = torch.randperm(len(x_BCFN), device=x_BCFN.device)
        return unit(self._project(self.key_encoder, self.key_head, x_BCFN[order_B]))[order_B.argsort()]
