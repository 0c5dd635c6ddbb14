"""Pretraining methods: views of clips in, a loss out."""

from typing import ClassVar

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.settings import Component, Settings
from registry.views import Views


class Method(nn.Module, Component):
    """Contract of a pretraining method.

    ``windows`` says how many windows are cut from each clip a step; ``recipe`` holds the budget, optimiser and
    schedule of the source, which a suite's ``pretrain`` section overrides. Buffers and parameters are checkpointed, so
    state that must survive an interruption (queue, bank, key encoder) lives in them.

    Args:
        config: the method's own ``Config``.
        encoder: what is pretrained.
        views: turns waveforms into augmented encoder inputs.
        corpus_size: clips in the corpus, N.
    """

    windows: ClassVar[int] = 2
    recipe: ClassVar[dict[str, object]] = {}

    def __init__(self, config: Settings, encoder: Encoder, views: Views, corpus_size: int) -> None:
        super().__init__()
        self.encoder, self.views = encoder, views

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one step, and named scalars to log.

        Args:
            wave_BVT: ``windows`` windows of each clip, float32 in [-1, 1].
            index_B: the clips' positions in the corpus.
        """
        raise NotImplementedError

    def before_epoch(self, epoch: int) -> None:
        """Called before every epoch."""

    def after_step(self) -> None:
        """Called after every optimiser step."""


def projection(kind: str, encoder: Encoder, dim: int) -> nn.Module:
    """The head between embedding and loss: ``linear``, or ``mlp`` with one hidden layer of the embedding's size."""
    d = encoder.embedding_dim
    if kind == "linear":
        return nn.Linear(d, dim)
    return nn.Sequential(nn.Linear(d, d), nn.ReLU(inplace=True), nn.Linear(d, dim))


def unit(x: Tensor) -> Tensor:
    """Rows of unit Euclidean norm, float32."""
    return F.normalize(x.float(), dim=-1)
