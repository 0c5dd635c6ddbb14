"""COLA: which of the batch's windows belongs to this one?"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.losses import cola
from registry.methods import Corpus, Method, unit
from registry.settings import Settings
from registry.views import Views

_NOISE = 0.001  # deviation of the Gaussian noise on the positive, at full scale 1
_WEIGHT = 0.05  # deviation of the bilinear weights as drawn: what Keras calls random normal


class Cola(Method):
    """Anchors against the positives of the batch, one direction only: anchors are not contrasted with each other.

    The bilinear similarity is ``a^T W p`` of layer-normed projections in (-1, 1), without a temperature; the cosine
    form has neither W nor layer norm. The positive alone gets a little noise. The source scales each clip to unit norm
    before it cuts windows: the front end ``cola`` does so with each window. The recipe is the code's, whose epochs are
    1,000 steps; the paper's batch of 1024 and rate of 1e-4 are from memory.
    """

    source: ClassVar[str] = "Saeed et al. 2021, COLA; google-research/cola"
    version = 2  # bilinear weights were drawn with deviation 1
    windows = 2
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 100,
        "batch_size": 64,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
    }

    class Config(Settings):
        similarity: Literal["bilinear", "cosine"] = Field("bilinear", description="of anchors and positives")
        temperature: float = Field(0.2, gt=0, description="of the cosine form")
        dim: int = Field(512, ge=1, description="size of the projections")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        bilinear = config.similarity == "bilinear"
        self.temperature = 1.0 if bilinear else config.temperature
        norm = nn.LayerNorm(config.dim) if bilinear else nn.Identity()
        self.head = nn.Sequential(nn.Linear(encoder.embedding_dim, config.dim), norm, nn.Tanh())
        self.weight_DD = nn.Parameter(_WEIGHT * torch.randn(config.dim, config.dim)) if bilinear else None

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        anchor_BT, positive_BT = wave_BVT.unbind(1)
        positive_BT = positive_BT + _NOISE * torch.randn_like(positive_BT)
        projected = [self.head(self.embed(self.views(x))) for x in (anchor_BT, positive_BT)]
        a_BD, p_BD = projected if self.weight_DD is not None else map(unit, projected)
        return cola(a_BD, p_BD, self.weight_DD, self.temperature), {"spread": unit(a_BD.detach()).std(0).mean()}
