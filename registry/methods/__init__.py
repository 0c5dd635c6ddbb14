"""Pretraining methods: views of clips in, a loss out."""

import itertools
from typing import ClassVar

import torch
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


def mlp(*sizes: int, last_norm: bool = False) -> nn.Sequential:
    """Linear layers of these sizes, batch norm and ReLU between them; ``last_norm``: batch norm for the last bias."""
    layers: list[nn.Module] = []
    for size_in, size_out in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(size_in, size_out), nn.BatchNorm1d(size_out), nn.ReLU(inplace=True)]
    layers.append(nn.Linear(sizes[-2], sizes[-1], bias=not last_norm))
    return nn.Sequential(*layers, *([nn.BatchNorm1d(sizes[-1])] if last_norm else []))


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, momentum: float) -> None:
    """``target = momentum * target + (1 - momentum) * source``, parameters only: batch-norm statistics stay its own."""
    for t, s in zip(target.parameters(), source.parameters(), strict=True):
        t.lerp_(s, 1 - momentum)


def unit(x: Tensor) -> Tensor:
    """Rows of unit Euclidean norm, float32."""
    return F.normalize(x.float(), dim=-1)
