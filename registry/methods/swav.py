"""SwAV: swapped assignments to prototypes."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.losses import sinkhorn, swapped_prediction
from registry.methods import Corpus, Method, mlp, unit
from registry.methods._multicrop import project
from registry.settings import Settings
from registry.views import Views


class SwAV(Method["SwAV.Config"]):
    """Predicts from one window of a clip the prototypes that another window was assigned to.

    Sinkhorn's iteration assigns two whole windows of each clip of a batch evenly to the prototypes; for small batches
    it also includes past embeddings from a queue. Short windows only predict. In the first epochs the prototypes do not
    train. The queue begins with random directions. Lin 2022, section 1.2, divides by the temperature outside the
    exponent.
    """

    source: ClassVar[str] = "Caron et al. 2020, SwAV; facebookresearch/swav:main_swav.py"
    windows = 8
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 400,
        "batch_size": 4096,
        "optimizer": "larc",
        "learning_rate": 4.8,
        "weight_decay": 1e-6,
        "schedule": "cosine",
        "warmup_epochs": 10,
        "warmup_from": 0.0625,  # 0.3
        "final_rate": 0.001,  # 0.0048
    }

    class Config(Settings):
        prototypes: int = Field(3000, ge=1, description="how many")
        temperature: float = Field(0.1, gt=0, description="divides the scores that predict")
        epsilon: float = Field(0.05, gt=0, description="sharpness of the assignments; lower is harder")
        iterations: int = Field(3, ge=1, description="of Sinkhorn")
        dim: int = Field(128, ge=1, description="size of the projections")
        hidden: int = Field(2048, ge=1, description="hidden layer of the head")
        short: int = Field(6, ge=0, description="short windows of each clip")
        short_length: float = Field(0.43, gt=0, le=1, description="share of a whole window; 96 of 224 pixels")
        freeze_epochs: int = Field(1, ge=0, description="first epochs, in which the prototypes do not train")
        queue_size: int = Field(0, ge=0, description="past embeddings that are assigned, too; 3840 for batches of 256")
        queue_epoch: int = Field(15, ge=0, description="the first epoch that uses the queue")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.windows = 2 + config.short
        self.head = mlp(encoder.embedding_dim, config.hidden, config.dim)
        self.prototype_KD = nn.Parameter(unit(torch.randn(config.prototypes, config.dim)))
        self.queue_VQD: Tensor
        self.register_buffer("queue_VQD", unit(torch.randn(2, config.queue_size, config.dim)))

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            self.prototype_KD.copy_(unit(self.prototype_KD))
        # Detached prototypes have no gradient at all, so the optimiser skips them, with decay and momentum.
        frozen = self.epoch < self.config.freeze_epochs
        prototype_KD = self.prototype_KD.detach() if frozen else self.prototype_KD
        z_VBD = project(self, self.head, wave_BVT, self.config.short_length)
        score_VBK = z_VBD @ prototype_KD.T
        losses = []
        for v, assignment_BK in enumerate(self._assign(z_VBD[:2].detach())):
            others = [score_BK for i, score_BK in enumerate(score_VBK) if i != v]
            losses += [swapped_prediction(assignment_BK, other, self.config.temperature) for other in others]
        return torch.stack(losses).mean(), {}

    @torch.no_grad()
    def _assign(self, z_VBD: Tensor) -> list[Tensor]:
        """The assignments ``[B, K]`` of both whole windows; their embeddings then enter the queue, newest first."""
        config, assigned = self.config, z_VBD
        if config.queue_size and self.epoch >= config.queue_epoch:
            assigned = torch.cat([z_VBD, self.queue_VQD], 1)
        score_VNK = assigned @ self.prototype_KD.T
        self.queue_VQD.copy_(torch.cat([z_VBD, self.queue_VQD], 1)[:, : config.queue_size])
        return [sinkhorn(score, config.epsilon, config.iterations)[: z_VBD.shape[1]] for score in score_VNK]
