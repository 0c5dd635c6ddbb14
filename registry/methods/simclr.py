"""SimCLR: contrast within a large batch."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.losses import nt_xent
from registry.methods import Corpus, Method, mlp, unit
from registry.settings import Settings
from registry.views import Views


class SimClr(Method):
    """Tells which two of the 2 B windows of a batch come from one clip.

    The head is version 1's two layers or version 2's three, every hidden layer as wide as the embedding. Version 2 also
    widens the net, keeps part of the head for fine-tuning, and tries a memory of past keys; none of these is here.
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

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.temperature = config.temperature
        self.head = mlp(*[encoder.embedding_dim] * config.layers, config.dim, last_norm=True)

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        a_BD, b_BD = (unit(self.head(self.embed(self.views(wave_BVT[:, v])))) for v in (0, 1))
        return nt_xent(a_BD, b_BD, self.temperature), {"spread": a_BD.detach().std(0).mean()}
