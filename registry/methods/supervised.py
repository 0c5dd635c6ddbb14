"""Supervised pretraining: the labels of the corpus."""

from typing import ClassVar

from torch import Tensor, nn

from registry.encoders import Encoder
from registry.methods import Corpus, Method
from registry.settings import Settings
from registry.views import Views


class Supervised(Method):
    """Predicts the labels of clips from windows of the clips. Label-free methods are compared with this method.

    The target decides the loss: cross-entropy over the classes for one label of each clip, the mean of a binary
    cross-entropy for each class for several labels, the squared error for a number. The recipe is PANNs' on AudioSet,
    from memory, with its 600,000 steps written as epochs. PANNs' mixing of two clips and their labels is left out: the
    augmentation ``mix`` keeps the labels of the louder clip.
    """

    source: ClassVar[str] = "Kong et al. 2020, PANNs; Wang 2021 (the supervised rows)"
    windows = 1
    fewest = 1
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 10,
        "batch_size": 32,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
    }

    def __init__(self, config: Settings, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.head = nn.Linear(encoder.embedding_dim, corpus.target.outputs(corpus.classes))
        self.objective = corpus.target.objective([corpus.label_N])
        self.label_N: Tensor
        self.register_buffer("label_N", corpus.label_N.clone(), persistent=False)

    @classmethod
    def uses_labels(cls, config: Settings) -> bool:
        return True

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        z_BD = self.embed(self.views(wave_BVT[:, 0]))
        loss = self.objective.loss(self.head(z_BD)[None], self.label_N[index_B][None]).mean()
        return loss, {}
