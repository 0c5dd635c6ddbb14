"""CLAR: contrasts augmented sounds, and classifies the labelled ones."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.losses import labelled_cross_entropy, nt_xent
from registry.methods import Corpus, Method, mlp, unit
from registry.seeding import generator_for
from registry.settings import Settings
from registry.views import Views


class Clar(Method["Clar.Config"]):
    """SimCLR's contrast of two augmentations of one window, and cross-entropy if ``labelled`` is not 0.

    With ``labelled``, a share of each class's clips, the same in every run, keeps its labels; the source draws it
    from all clips. Batch norm, ReLU and a linear layer predict the class from the projection of each view. The three
    losses are summed; the head has one hidden layer instead of two, as in the source. The source's augmentations are
    the pipeline ``clar``. The source wraps LARS around Adam, which nearly undoes the scaling of layers; ours wraps SGD
    with momentum, at the source's rate.
    """

    source: ClassVar[str] = "Al-Tahan & Mohsenzadeh 2021, CLAR; haideraltahan/CLAR"
    windows = 1
    one_label = True
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 1020,
        "batch_size": 256,
        "optimizer": "lars",
        "learning_rate": 1.0,
        "weight_decay": 1e-6,
        "schedule": "cosine",
        "warmup_epochs": 10,
    }

    class Config(Settings):
        temperature: float = Field(0.5, gt=0, description="divides the similarities")
        dim: int = Field(128, ge=1, description="size of the projections")
        hidden: int = Field(512, ge=1, description="hidden layers of the head")
        labelled: float = Field(0.0, ge=0, le=1, description="share of each class's clips whose labels are used")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.temperature = config.temperature
        self.classifier: nn.Module | None = None
        if not config.labelled:
            self.head = mlp(encoder.embedding_dim, config.hidden, config.hidden, config.dim)
            return
        self.head = mlp(encoder.embedding_dim, config.hidden, config.dim)
        to_classes = nn.Linear(config.dim, corpus.classes, bias=False)
        self.classifier = nn.Sequential(nn.BatchNorm1d(config.dim), nn.ReLU(), to_classes)
        self.label_N: Tensor  # -1 for clips without label
        self.register_buffer("label_N", _labelled(corpus, config.labelled), persistent=False)

    @classmethod
    def uses_labels(cls, config: Config) -> bool:
        return config.labelled > 0

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        projected = [self.head(self.embed(self.views(wave_BVT[:, 0]))) for _ in range(2)]
        a_BD, b_BD = (unit(z_BD) for z_BD in projected)
        loss = nt_xent(a_BD, b_BD, self.temperature)
        if self.classifier is not None:
            label_B = self.label_N[index_B]
            loss = loss + sum(labelled_cross_entropy(self.classifier(z_BD), label_B) for z_BD in projected)
        return loss, {}


def _labelled(corpus: Corpus, share: float) -> Tensor:
    """The labels of a share of every class's clips, at least one of each, and -1 for the others."""
    label_N = torch.full_like(corpus.label_N, -1)
    for label in range(corpus.classes):
        clips = (corpus.label_N == label).nonzero().flatten()
        order = torch.randperm(len(clips), generator=generator_for(0, "labelled", label))
        label_N[clips[order[: max(1, round(share * len(clips)))]]] = label
    return label_N
