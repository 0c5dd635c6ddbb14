"""COLA: which window of the batch is from the same clip as this one?"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.losses import cola
from registry.methods import Corpus, Method, unit
from registry.settings import Settings
from registry.views import Views

_NOISE = 0.001  # deviation of the Gaussian noise on the positive, for a whole clip of norm 1
_EPSILON = 1e-3  # of Keras's layer norm
_WEIGHT = 0.05  # deviation of the first bilinear weights, as in Keras's "random normal"


class Cola(Method):
    """Contrasts anchors with the positives of the batch, in one direction: anchors are not compared with each other.

    The bilinear similarity is ``a^T W p`` of layer-normed projections in (-1, 1), without a temperature; the cosine
    form has only a linear layer, and no W. Anchors and positives go through the encoder as one batch. Only the positive
    gets noise: the source scales each clip to unit norm, cuts windows, then adds noise of deviation 0.001. Here the
    noise is scaled to the clip, which gives the same ratio, and the front end ``cola`` scales each window. The recipe
    is that of the code, whose epochs are 1,000 steps; the paper's batch of 1024 and rate of 1e-4 are from memory.
    """

    source: ClassVar[str] = "Saeed et al. 2021, COLA; google-research/cola"
    version = 3  # version 2 scaled the noise to full scale, and gave the cosine form the other form's head
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
        after = [nn.LayerNorm(config.dim, eps=_EPSILON), nn.Tanh()] if bilinear else []
        self.head = nn.Sequential(nn.Linear(encoder.embedding_dim, config.dim), *after)
        self.weight_DD = nn.Parameter(_WEIGHT * torch.randn(config.dim, config.dim)) if bilinear else None
        self.norm_N: Tensor
        self.register_buffer("norm_N", corpus.recordings.norms(), persistent=False)

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        anchor_BT, positive_BT = wave_BVT.unbind(1)
        positive_BT = positive_BT + _NOISE * self.norm_N[index_B, None] * torch.randn_like(positive_BT)
        both = torch.cat([self.views(anchor_BT), self.views(positive_BT)])
        projected = self.head(self.embed(both)).chunk(2)
        a_BD, p_BD = projected if self.weight_DD is not None else map(unit, projected)
        return cola(a_BD, p_BD, self.weight_DD, self.temperature), {}
