"""NPID: non-parametric instance discrimination."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.losses import npid_nce
from registry.methods import Corpus, Method, projection, unit
from registry.settings import Settings
from registry.views import Views


class Npid(Method["Npid.Config"]):
    """Tells every clip of the corpus from all others, by a memory bank with one embedding of each clip.

    The denominator runs over all N instances, on a sphere of ``dim`` dimensions (Lin 2022, section 1.2, errs in both).
    ``negatives: 0`` is the full softmax over the bank. ``proximal`` weighs the squared distance to the bank's embedding
    of the clip. This term is in the paper, but not in the released code, which has only the bank's momentum.
    """

    source: ClassVar[str] = "Wu et al. 2018; lemniscate.pytorch"
    windows = 1
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
        negatives: int = Field(4096, ge=0, description="noise samples, drawn with replacement; 0: full softmax")
        temperature: float = Field(0.07, gt=0, description="divides the similarities")
        bank_momentum: float = Field(0.5, ge=0, lt=1, description="share of the old embedding in a bank update")
        dim: int = Field(128, ge=1, description="size of the bank's embeddings")
        head: Literal["linear", "mlp"] = Field("linear", description="projection; the source's is linear")
        proximal: float = Field(0.0, ge=0, description="weight of the proximal term")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.head = projection(config.head, encoder, config.dim)
        bound = (config.dim / 3) ** -0.5
        self.bank_ND: Tensor
        self.register_buffer("bank_ND", torch.empty(len(corpus), config.dim).uniform_(-bound, bound))
        self.constant_z: Tensor
        self.register_buffer("constant_z", torch.zeros(()))  # 0 until the first batch sets it

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        z_BD = unit(self.head(self.embed(self.views(wave_BVT[:, 0]))))
        return self.discriminate([z_BD], index_B), {}

    def discriminate(self, embeddings: Sequence[Tensor], index_B: Tensor) -> Tensor:
        """The mean loss of several views of the same clips, before the bank stores the views one by one.

        Args:
            embeddings: ``[B, dim]`` of unit norm, one for each view.
            index_B: the clips' positions in the corpus.
        """
        loss = torch.stack([self._loss(z_BD, index_B) for z_BD in embeddings]).mean()
        for z_BD in embeddings:
            self._update_bank(z_BD.detach(), index_B)
        return loss

    def _loss(self, z_BD: Tensor, index_B: Tensor) -> Tensor:
        loss = self._softmax(z_BD, index_B) if self.config.negatives == 0 else self._nce(z_BD, index_B)
        if self.config.proximal:
            loss = loss + self.config.proximal * (z_BD - self.bank_ND[index_B]).square().sum(1).mean()
        return loss

    def _softmax(self, z_BD: Tensor, index_B: Tensor) -> Tensor:
        return F.cross_entropy(z_BD @ self.bank_ND.clone().T / self.config.temperature, index_B)

    def _nce(self, z_BD: Tensor, index_B: Tensor) -> Tensor:
        instances = len(self.bank_ND)
        drawn_BK = torch.randint(instances, (len(index_B), self.config.negatives + 1), device=index_B.device)
        drawn_BK[:, 0] = index_B
        similarity_BK = torch.einsum("bd,bkd->bk", z_BD, self.bank_ND[drawn_BK])
        score_BK = (similarity_BK / self.config.temperature).exp()
        # Z is set once, from the first batch. There is no branch here, because it would wait for the device.
        first = score_BK.detach().mean() * instances
        self.constant_z.copy_(torch.where(self.constant_z == 0, first, self.constant_z))
        return npid_nce(score_BK / self.constant_z.clone(), instances)

    @torch.no_grad()
    def _update_bank(self, z_BD: Tensor, index_B: Tensor) -> None:
        """``m <- normalise(momentum * m + (1 - momentum) * z)``."""
        self.bank_ND[index_B] = unit(torch.lerp(z_BD, self.bank_ND[index_B], self.config.bank_momentum))
