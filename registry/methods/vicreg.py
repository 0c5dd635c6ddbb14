"""VICReg: variance, invariance and covariance of two views."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.losses import vicreg
from registry.methods import Corpus, Method, mlp
from registry.settings import Settings
from registry.views import Views


class VicReg(Method):
    """Two windows of a clip should agree, every dimension vary over the batch, and no two dimensions vary together.

    The recipe is the source's for ImageNet; the source states none for audio.
    """

    source: ClassVar[str] = "Bardes et al. 2022; recipe from memory, not verified"
    windows = 2
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 1000,
        "batch_size": 2048,
        "optimizer": "lars",
        "learning_rate": 1.6,
        "weight_decay": 1e-6,
        "schedule": "cosine",
        "warmup_epochs": 10,
    }

    class Config(Settings):
        invariance: float = Field(25.0, ge=0, description="weight of the squared distance of the views")
        variance: float = Field(25.0, ge=0, description="weight of the hinge on deviations under 1")
        covariance: float = Field(1.0, ge=0, description="weight of the squared covariances")
        dim: int = Field(8192, ge=1, description="width of the three layers of the expander")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.weights = (config.invariance, config.variance, config.covariance)
        self.expander = mlp(encoder.embedding_dim, *[config.dim] * 3)

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        a_BD, b_BD = (self.embed(self.views(wave_BVT[:, v])) for v in (0, 1))
        loss = vicreg(self.expander(a_BD), self.expander(b_BD), *self.weights)
        return loss, {}
