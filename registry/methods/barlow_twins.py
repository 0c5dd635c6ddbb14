"""Barlow Twins: the cross-correlation of two views is the identity."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.losses import barlow_twins
from registry.methods import Corpus, Method, mlp
from registry.settings import Settings
from registry.views import Views


class BarlowTwins(Method):
    """Each dimension of the projections agrees between two windows of a clip, and differs from every other dimension.

    The recipe is the source's for ImageNet: per 256 clips of a batch the rate is 0.2, and 0.0048 for biases and norms,
    which are neither decayed nor adapted. The source states no recipe for audio.
    """

    source: ClassVar[str] = "Zbontar et al. 2021; facebookresearch/barlowtwins:main.py"
    version = 2  # version 1 cut deviations at 1e-5; the source adds 1e-5 to variances
    windows = 2
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 1000,
        "batch_size": 2048,
        "optimizer": "lars",
        "learning_rate": 1.6,
        "norm_rate": 0.024,  # 0.0384
        "weight_decay": 1e-6,
        "schedule": "cosine",
        "warmup_epochs": 10,
        "final_rate": 0.001,
    }

    class Config(Settings):
        redundancy: float = Field(0.0051, gt=0, description="weight of the off-diagonal terms")
        dim: int = Field(8192, ge=1, description="width of the three layers of the projector")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.redundancy = config.redundancy
        self.projector = mlp(encoder.embedding_dim, *[config.dim] * 3)

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        a_BD, b_BD = (self.embed(self.views(wave_BVT[:, v])) for v in (0, 1))
        loss = barlow_twins(self.projector(a_BD), self.projector(b_BD), self.redundancy)
        return loss, {}
