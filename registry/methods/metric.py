"""Metric learning: windows of one clip, or of one class, should be near, and all others far."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from registry import losses
from registry.encoders import Encoder
from registry.methods import Corpus, Method, projection, unit
from registry.settings import Settings
from registry.views import Views

_REGULARISER = 0.002 / 4  # of n-pair: weight of the mean squared norms of anchors and positives


class MetricLearning(Method["MetricLearning.Config"]):
    """One of the metric losses over a batch's pairs of windows. With ``labels`` windows of one class are positives.

    ``contrastive`` draws a positive and a random negative for every window; ``triplet`` draws a positive, and takes a
    semi-hard negative. ``lifted-structure`` uses all pairs; its hard form collapses easily, so people train with the
    smooth one. Embeddings have unit norm, except with ``n-pair``: its dot products keep their size, and Sohn's
    regulariser limits the norms (its weight is TensorFlow's, from memory). ``nce`` compares a window's partner with the
    windows of all other clips one by one, as uniform noise, and learns the constant that normalises its density. Lin
    2022 lists the losses without a margin, temperature or recipe. Here margins are those of common code (for
    ``triplet`` Jansen 2018's, from memory), the temperature is SimCLR's, and the recipe is ours.
    """

    source: ClassVar[str] = "Lin 2022, section 1.2; Hadsell 2006, Schroff 2015, Song 2016, Sohn 2016, Gutmann 2010"
    windows = 2
    one_label = True
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 200,
        "batch_size": 256,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "cosine",
    }

    class Config(Settings):
        loss: Literal[
            "contrastive",
            "triplet",
            "lifted-structure",
            "lifted-structure-smooth",
            "n-pair",
            "nce",
            "info-nce",
            "nt-xent",
        ] = Field("contrastive", description="which")
        labels: bool = Field(False, description="positives are windows of one class; only for the first four losses")
        margin: float = Field(1.0, gt=0, description="of the first four losses; 0.1 for triplet unless given")
        temperature: float = Field(0.1, gt=0, description="of nce, info-nce and nt-xent")
        dim: int = Field(128, ge=1, description="size of the embeddings")

        @model_validator(mode="before")
        @classmethod
        def _triplets_have_a_margin_of_their_own(cls, given: Any) -> Any:
            if isinstance(given, dict) and given.get("loss") == "triplet":
                return {"margin": 0.1, **given}
            return given

        @model_validator(mode="after")
        def _labels_fit_the_loss(self) -> "MetricLearning.Config":
            if self.labels and self.loss not in _BY_LABEL:
                raise ValueError(f"{self.loss} has one positive a window; labels go with {', '.join(_BY_LABEL)}")
            return self

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.head = projection("linear", encoder, config.dim)
        self.constant = nn.Parameter(torch.tensor(1 / config.temperature)) if config.loss == "nce" else None
        self.label_N: Tensor
        if config.labels:
            self.register_buffer("label_N", corpus.label_N.clone(), persistent=False)

    @classmethod
    def uses_labels(cls, config: Config) -> bool:
        return config.labels

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        a_BD, b_BD = (self.head(self.embed(self.views(wave_BT))) for wave_BT in wave_BVT.unbind(1))
        return self._loss(a_BD, b_BD, index_B), {}

    def _loss(self, a_BD: Tensor, b_BD: Tensor, index_B: Tensor) -> Tensor:
        if self.config.loss == "n-pair":
            norms = a_BD.square().sum(1).mean() + b_BD.square().sum(1).mean()
            return losses.n_pair(a_BD, b_BD) + _REGULARISER * norms
        a_BD, b_BD = unit(a_BD), unit(b_BD)
        if self.config.loss in _BY_LABEL:
            label_B = (self.label_N[index_B] if self.config.labels else index_B).repeat(2)
            return _BY_LABEL[self.config.loss](torch.cat([a_BD, b_BD]), label_B, self.config.margin)
        return self._among_others(a_BD, b_BD)

    def _among_others(self, a_BD: Tensor, b_BD: Tensor) -> Tensor:
        """The losses that contrast a pair with the batch's other clips, by cosine over temperature."""
        temperature = self.config.temperature
        if self.config.loss == "nt-xent":
            return losses.nt_xent(a_BD, b_BD, temperature)
        if self.config.loss == "info-nce":
            return losses.cola(a_BD, b_BD, None, temperature)
        assert self.constant is not None
        others = len(a_BD) - 1
        density_BB = a_BD @ b_BD.T / temperature - self.constant
        noise_BK = density_BB.flatten()[1:].view(others, -1)[:, :-1].reshape(-1, others)  # all but the diagonal
        even = torch.full_like(noise_BK, 1 / others).log()
        return losses.nce(density_BB.diagonal(), noise_BK, even[:, 0], even)


def _contrastive(z_MD: Tensor, label_M: Tensor, margin: float) -> Tensor:
    """A positive and a negative pair for every window; two positive pairs if all windows are of its class."""
    same_MM = label_M[:, None] == label_M
    other_M = torch.cat([_draw(_but_itself(same_MM)), _draw(~same_MM)])
    return losses.contrastive(z_MD.repeat(2, 1), z_MD[other_M], label_M.repeat(2) == label_M[other_M], margin)


def _triplet(z_MD: Tensor, label_M: Tensor, margin: float) -> Tensor:
    """A random positive and a semi-hard negative for every window."""
    same_MM = label_M[:, None] == label_M
    positive_MD = z_MD[_draw(_but_itself(same_MM))]
    return losses.triplet(z_MD, positive_MD, z_MD[losses.semi_hard(z_MD, positive_MD, z_MD, ~same_MM)], margin)


def _but_itself(same_MM: Tensor) -> Tensor:
    return same_MM & ~torch.eye(len(same_MM), dtype=torch.bool, device=same_MM.device)


def _draw(allowed_MM: Tensor) -> Tensor:
    """For each row the index of a random column that is true."""
    return torch.rand(allowed_MM.shape, device=allowed_MM.device).masked_fill(~allowed_MM, -1.0).argmax(1)


_BY_LABEL: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "contrastive": _contrastive,
    "triplet": _triplet,
    "lifted-structure": partial(losses.lifted_structure, smooth=False),
    "lifted-structure-smooth": partial(losses.lifted_structure, smooth=True),
}
