"""BYOL for audio: from one view it predicts the projection that a slow copy of the net gives another view."""

from copy import deepcopy
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.losses import regression
from registry.methods import Corpus, Method, follow, mlp
from registry.settings import Settings
from registry.views import Views


class Byol(Method):
    """Two augmentations of one window; no negatives.

    BYOL-A cuts one window from a clip; only augmentation makes two views of it: mixup with other sounds in the log
    domain, and random resized crops. As in BYOL-A, the views of a batch are then standardised together. An evaluation
    does not standardise, so the front end should normalise its output. The target net follows the online net after
    every step. The loss is the mean of the two directions; the source's is their sum, which is twice as large.
    """

    source: ClassVar[str] = "Grill et al. 2020, BYOL; Niizumi et al. 2021, BYOL-A"
    version = 2  # version 1 did not standardise views
    windows = 1
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 100,
        "batch_size": 256,
        "optimizer": "adam",
        "learning_rate": 3e-4,
        "schedule": "constant",
    }

    class Config(Settings):
        momentum: float = Field(0.99, ge=0, le=1, description="of the target net")
        dim: int = Field(256, ge=1, description="size of projections and predictions")
        hidden: int = Field(4096, ge=1, description="hidden layer of projector and predictor")
        standardise: bool = Field(True, description="scale both views of a batch together to zero mean, unit variance")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.momentum, self.standardise = config.momentum, config.standardise
        self.projector = mlp(encoder.embedding_dim, config.hidden, config.dim)
        self.predictor = mlp(config.dim, config.hidden, config.dim)
        self.target_encoder = deepcopy(encoder).requires_grad_(False)
        self.target_projector: nn.Module = deepcopy(self.projector).requires_grad_(False)

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        a, b = self._two_views(wave_BVT[:, 0])
        with torch.no_grad():
            target_a, target_b = (self.target_projector(self.embed(x, self.target_encoder)) for x in (a, b))
        online_a, online_b = (self.predictor(self.projector(self.embed(x))) for x in (a, b))
        loss = (regression(online_a, target_b) + regression(online_b, target_a)) / 2
        return loss, {}

    def _two_views(self, wave_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder inputs of two augmentations, each channel standardised over both views of all clips."""
        both = torch.cat([self.views(wave_BT), self.views(wave_BT)])
        if self.standardise:
            among = [dim for dim in range(both.ndim) if dim != 1]
            both = both - both.mean(among, keepdim=True)
            both = both / both.std(among, keepdim=True).clamp_min(torch.finfo().eps)
        a, b = both.chunk(2)
        return a, b

    def after_step(self) -> None:
        """Lets the target net follow."""
        follow(self.target_encoder, self.encoder, self.momentum)
        follow(self.target_projector, self.projector, self.momentum)
