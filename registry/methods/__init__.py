"""Pretraining methods: from views of clips to a loss."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from registry.audio import Recordings
from registry.encoders import Encoder
from registry.ranks import ALONE, Compute, Ranks, directly
from registry.settings import Component, Own, Settings
from registry.standing import Objection, Standing, refuse
from registry.targets import Target
from registry.targets.one_label import OneLabel
from registry.views import Views


@dataclass(frozen=True)
class Corpus:
    """The N clips that a method trains on.

    Args:
        recordings: their audio.
        label_N: the label of each clip, as its target's ``tensor`` gives it.
        classes: how many; 0 for a corpus without labels, or of numbers.
        target: what a label is.
    """

    recordings: Recordings
    label_N: Tensor
    classes: int
    target: Target = field(default_factory=OneLabel)

    def __len__(self) -> int:
        return len(self.recordings)


class Method(nn.Module, Component[Own]):
    """Contract of a pretraining method.

    ``windows`` is the number of windows that a step cuts from each clip. ``recipe`` is the budget, optimiser and
    schedule of the source; a suite's ``pretrain`` section overrides it. ``fewest`` is the smallest batch that the
    method can learn from. ``one_label`` says that it needs one label of each clip, where it ``uses_labels``.
    ``on_frames`` says that it trains on frames; gradients are not cached then.

    Buffers and parameters are checkpointed: state that must survive an interruption (queue, bank, key encoder) must be
    one of them. The training loop sets ``epoch`` (the current one, from 0), ``chunk`` (the most clips in the encoder at
    once), ``autocast`` (the context of the encoder), ``ranks`` (the devices that share the encoder's work) and
    ``pause`` (work that takes longer than a step calls it now and then; it raises if the process is asked to stop).
    Heads and losses compute in float32, in any precision of the encoder.

    Args:
        config: the method's own ``Config``.
        encoder: the net to pretrain.
        views: turns waveforms into augmented encoder inputs.
        corpus: the clips to pretrain on.

    Raises:
        Mistake: if the method objects to the front end or the corpus.
    """

    windows: int = 2
    fewest: ClassVar[int] = 2
    one_label: ClassVar[bool] = False
    on_frames: ClassVar[bool] = False
    recipe: ClassVar[dict[str, object]] = {}

    def __init__(self, config: Settings, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__()
        standing = Standing(views.frontend.gives, clips=len(corpus), classes=corpus.classes, target=corpus.target)
        refuse(self.objections(config, standing), type(self).__name__)
        self.encoder, self.views = encoder, views
        self.epoch = 0
        self.chunk: int | None = None
        self.autocast: Callable[[], AbstractContextManager[object]] = nullcontext
        self.ranks: Ranks = ALONE
        self.pause: Callable[[], None] = lambda: None

    @classmethod
    def objections(cls, config: Any, standing: Standing) -> Iterable[Objection]:
        """Objects to a batch or corpus that is too small, missing labels, and chunks if it trains on frames."""
        if standing.batch is not None and standing.batch < cls.fewest:
            what = f"{cls.__name__} learns from batches of {cls.fewest} clips or more, not of {standing.batch}"
            yield Objection("batch_size", what, f"batch_size: {cls.fewest} at least")
        if standing.batch is not None and standing.clips is not None and standing.clips < standing.batch:
            what = f"the corpus has {standing.clips} clips, fewer than a batch of {standing.batch}"
            yield Objection("batch_size", what, "use a smaller batch_size")
        if standing.chunk is not None and cls.on_frames:
            yield frames_not_cached(cls.__name__)
        target = standing.target
        if target is None or not cls.uses_labels(config):
            return
        if standing.classes is not None and not target.outputs(standing.classes):
            what = "the corpus has no labels, and the method learns from them"
            yield Objection("corpus", what, "pretrain on a labelled task")
        if cls.one_label and not target.by_class:
            what = f"the corpus has {target.holds}, and the method learns from one label a clip"
            yield Objection("corpus", what, "choose another corpus")

    @classmethod
    def uses_labels(cls, config: Any) -> bool:
        """Whether the method learns from the labels of the corpus, with these settings."""
        return False

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of one step, and named scalars to log.

        Args:
            wave_BVT: ``windows`` windows of each clip, float32 in [-1, 1].
            index_B: the clips' positions in the corpus.
        """
        raise NotImplementedError

    def embed(self, x_BCFN: Tensor, encoder: Encoder | None = None, groups: int = 1) -> Tensor:
        """Embeddings ``[B, D]`` of encoder inputs, float32; by default the trained encoder computes them.

        If ``chunk`` is set, gradients are cached: no activation is kept between chunks, and the backward pass computes
        each chunk once more. Gradients are exact; a batch norm sees the statistics of a chunk, not of the batch.

        Several devices share the rows, and all get all embeddings.

        Args:
            x_BCFN: from the views.
            encoder: computes them.
            groups: of clips, of whose rows alone a batch norm takes its statistics, as if each had its own GPU.
        """
        net = encoder or self.encoder

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), _statistics_kept(net)

        def cached(compute: Compute, chunk: Tensor) -> Tensor:
            return checkpoint(compute, chunk, use_reentrant=False, context_fn=contexts)  # type: ignore[no-any-return]

        passes = _passes([len(group) for group in x_BCFN.chunk(groups)], self.chunk or len(x_BCFN))
        call = cached if len(passes) > 1 and torch.is_grad_enabled() else directly
        chunks = x_BCFN.split([sum(sizes) for sizes in passes])
        with self.autocast():
            embedded = [
                self.ranks.divided(net.embed, chunk, net, sizes, call)
                for chunk, sizes in zip(chunks, passes, strict=True)
            ]
        return torch.cat(embedded).float()

    def before_epoch(self) -> None:
        """The loop calls this before every epoch."""

    def after_step(self) -> None:
        """The loop calls this after every step of the optimiser."""


def frames_not_cached(method: str) -> Objection:
    """The objection to ``chunk`` of a method that trains on frames."""
    what = f"{method} trains on frames, and gradients are cached for embeddings alone"
    return Objection("chunk", what, "leave chunk out, and lower the batch_size if memory is short")


def _passes(groups: Sequence[int], most: int) -> list[list[int]]:
    """The sizes of groups, in passes of at most so many rows; a larger group is cut into several."""
    passes: list[list[int]] = []
    for size in [min(most, group - done) for group in groups for done in range(0, group, most)]:
        if passes and sum(passes[-1]) + size <= most:
            passes[-1].append(size)
        else:
            passes.append([size])
    return passes


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """In this block batch norms keep their running statistics: a pass that is computed twice must count once."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted


def projection(kind: str, encoder: Encoder, dim: int) -> nn.Module:
    """The head between embedding and loss: ``linear``, or ``mlp`` with one hidden layer of the embedding's size."""
    d = encoder.embedding_dim
    if kind == "linear":
        return nn.Linear(d, dim)
    return nn.Sequential(nn.Linear(d, d), nn.ReLU(inplace=True), nn.Linear(d, dim))


def mlp(*sizes: int, last_norm: bool = False) -> nn.Sequential:
    """Linear layers of these sizes, with batch norm and ReLU between them; ``last_norm`` is in place of a last bias."""
    layers: list[nn.Module] = []
    for size_in, size_out in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(size_in, size_out), nn.BatchNorm1d(size_out), nn.ReLU(inplace=True)]
    layers.append(nn.Linear(sizes[-2], sizes[-1], bias=not last_norm))
    return nn.Sequential(*layers, *([nn.BatchNorm1d(sizes[-1])] if last_norm else []))


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, momentum: float) -> None:
    """``target = momentum * target + (1 - momentum) * source``, for parameters; the target keeps its own statistics."""
    torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), 1 - momentum)


@torch.no_grad()
def enqueue(queue_QD: Tensor, next_row: Tensor, key_BD: Tensor) -> None:
    """Overwrites the oldest rows of a queue, from ``next_row`` on, and moves ``next_row``. The queue is a ring."""
    rows_B = (next_row + torch.arange(len(key_BD), device=key_BD.device)) % len(queue_QD)
    queue_QD[rows_B] = key_BD.to(queue_QD.dtype)
    next_row.add_(len(key_BD)).remainder_(len(queue_QD))


def unit(x: Tensor) -> Tensor:
    """Rows of unit Euclidean norm, float32."""
    return F.normalize(x.float(), dim=-1)
