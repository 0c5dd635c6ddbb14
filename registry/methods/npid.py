"""NPID: non-parametric instance discrimination."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.losses import npid_nce
from registry.methods import Corpus, Method, projection, unit
from registry.settings import Settings
from registry.views import Views

_GATHERED = 2**19  # values of the bank, gathered at once on a CPU: 2 MB, which its cache holds


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
        """The mean loss of several views of the same clips; after the step the bank stores the views one by one.

        Args:
            embeddings: ``[B, dim]`` of unit norm, one for each view.
            index_B: the clips' positions in the corpus.
        """
        self.seen = [z_BD.detach() for z_BD in embeddings], index_B
        return torch.stack([self._loss(z_BD, index_B) for z_BD in embeddings]).mean()

    def after_step(self) -> None:
        """Updates the bank: not before, because the backward pass reads it."""
        embeddings, index_B = self.seen
        for z_BD in embeddings:
            self._update_bank(z_BD, index_B)

    def _loss(self, z_BD: Tensor, index_B: Tensor) -> Tensor:
        loss = self._softmax(z_BD, index_B) if self.config.negatives == 0 else self._nce(z_BD, index_B)
        if self.config.proximal:
            loss = loss + self.config.proximal * (z_BD - self.bank_ND[index_B]).square().sum(1).mean()
        return loss

    def _softmax(self, z_BD: Tensor, index_B: Tensor) -> Tensor:
        return F.cross_entropy(z_BD @ self.bank_ND.T / self.config.temperature, index_B)

    def _nce(self, z_BD: Tensor, index_B: Tensor) -> Tensor:
        instances = len(self.bank_ND)
        drawn_BK = torch.randint(instances, (len(index_B), self.config.negatives + 1), device=index_B.device)
        drawn_BK[:, 0] = index_B
        similarity_BK: Tensor = _Similarity.apply(z_BD, self.bank_ND, drawn_BK)  # type: ignore[no-untyped-call]
        score_BK = (similarity_BK / self.config.temperature).exp()
        # Z is set once, from the first batch. There is no branch here, because it would wait for the device.
        first = score_BK.detach().mean() * instances
        self.constant_z.copy_(torch.where(self.constant_z == 0, first, self.constant_z))
        return npid_nce(score_BK / self.constant_z.clone(), instances)

    @torch.no_grad()
    def _update_bank(self, z_BD: Tensor, index_B: Tensor) -> None:
        """``m <- normalise(momentum * m + (1 - momentum) * z)``."""
        self.bank_ND[index_B] = unit(torch.lerp(z_BD, self.bank_ND[index_B], self.config.bank_momentum))


class _Similarity(torch.autograd.Function):
    """Dot products ``[B, K]`` of embeddings with the rows of a bank that are drawn for each.

    On a CPU the rows of a few embeddings are gathered at a time, going forward and again going backward: those of a
    batch would be hundreds of megabytes.
    """

    @staticmethod
    def forward(ctx: Any, z_BD: Tensor, bank_ND: Tensor, drawn_BK: Tensor) -> Tensor:
        ctx.save_for_backward(bank_ND, drawn_BK)
        parts = zip(_parts(z_BD, drawn_BK, bank_ND), _parts(drawn_BK, drawn_BK, bank_ND), strict=True)
        return torch.cat([torch.einsum("bd,bkd->bk", z_AD, F.embedding(drawn_AK, bank_ND)) for z_AD, drawn_AK in parts])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        bank_ND, drawn_BK = ctx.saved_tensors
        parts = zip(_parts(gradients[0], drawn_BK, bank_ND), _parts(drawn_BK, drawn_BK, bank_ND), strict=True)
        of_z = [torch.bmm(of_AK.unsqueeze(1), F.embedding(drawn_AK, bank_ND)) for of_AK, drawn_AK in parts]
        return torch.cat(of_z).squeeze(1), None, None


def _parts(x: Tensor, drawn_BK: Tensor, bank_ND: Tensor) -> Sequence[Tensor]:
    """A tensor in parts of as many rows as have their bank rows gathered at once."""
    of_one = drawn_BK.shape[1] * bank_ND.shape[1]
    parts: tuple[Tensor, ...] = x.split(max(_GATHERED // of_one, 1) if x.device.type == "cpu" else len(x))
    return parts
