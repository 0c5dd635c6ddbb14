"""Protocols: embeddings or a model, labels and folds in, a prediction of every test clip out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from registry.audio import Recordings
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.metrics import Judge
from registry.seeding import generator_for
from registry.settings import Component, Own
from registry.targets import Target
from registry.targets.one_label import OneLabel
from registry.views import Views


@dataclass(frozen=True)
class Labels:
    """What is known of the clips of a task.

    Args:
        label_N: the label of each clip, as its target's ``tensor`` gives it.
        fold_N: official fold of each clip.
        source_N: number of the recording each clip was cut from.
        classes: how many; 0 of numbers.
        target: what a label is.
    """

    label_N: Tensor
    fold_N: Tensor
    source_N: Tensor
    classes: int
    target: Target = field(default_factory=OneLabel)


@dataclass(frozen=True)
class Split:
    """Which clips train and which are tested when a fold is held out.

    Args:
        labels: of the clips.
        shots: how many clips of each class train; None for all.
        draw: which of the random subsets of so many.
        seed: of the draws.
    """

    labels: Labels
    shots: int | None = None
    draw: int = 0
    seed: int = 0

    def test(self, fold: int) -> Tensor:
        """Positions of a fold's clips."""
        return torch.nonzero(self.labels.fold_N == fold).squeeze(1)

    def train(self, fold: int) -> Tensor:
        """Positions of the training clips, ascending: those of every other fold, or ``shots`` of each class of them.

        A class's clips are in random order, but no source comes a second time before every other has come once. The
        first ``shots`` train, so that a draw of few is part of the same draw of more; a class with fewer gives all.

        Raises:
            Mistake: if clips are to be drawn by class, and do not have one each.
        """
        label_N, source_N = self.labels.label_N, self.labels.source_N
        train = torch.nonzero(self.labels.fold_N != fold).squeeze(1)
        if self.shots is None:
            return train
        if not self.labels.target.by_class:
            raise Mistake(
                f"clips are drawn class by class, and this task has {self.labels.target.holds}",
                where="shots",
                fix="leave shots out for this task",
            )
        train = train[torch.randperm(len(train), generator=generator_for(self.seed, "shots", fold, self.draw))]
        of_class_and_source = label_N * (source_N.max() + 1) + source_N
        train = train[torch.argsort(_place_in_group(of_class_and_source[train]), stable=True)]
        return train[_place_in_group(label_N[train]) < self.shots].sort().values


def _place_in_group(group_N: Tensor) -> Tensor:
    """For each element how many of its group stand before it."""
    order = torch.argsort(group_N, stable=True)
    first = torch.searchsorted(group_N[order], group_N[order])
    return torch.empty_like(order).index_copy_(0, order, torch.arange(len(order)) - first)


@dataclass(frozen=True)
class Embeddings:
    """Windows of every clip, embedded.

    Args:
        window_WD: float32.
        clip_W: the clip of each window, in order.
        parts: sizes by name of the stretches that an embedding consists of, where an encoder has several.
    """

    window_WD: Tensor
    clip_W: Tensor
    parts: Mapping[str, int] = field(default_factory=dict)

    def of(self, inputs: Sequence[str]) -> "Embeddings":
        """Some parts alone, in the order named; all where none are."""
        return Embeddings(choose_parts(self.window_WD, self.parts, inputs), self.clip_W) if inputs else self

    def mean(self, clips: int) -> Tensor:
        """``[N, D]``: the mean over the windows of each clip."""
        sums_ND = torch.zeros(clips, self.window_WD.shape[1]).index_add_(0, self.clip_W, self.window_WD)
        return sums_ND / torch.bincount(self.clip_W, minlength=clips).unsqueeze(1)


def choose_parts(embedding_BD: Tensor, parts: Mapping[str, int], inputs: Sequence[str]) -> Tensor:
    """The stretches of embeddings that ``inputs`` names, in that order; all where none are.

    Raises:
        Mistake: if the encoder has no part of that name.
    """
    if not inputs:
        return embedding_BD
    stretches = dict(zip(parts, embedding_BD.split(list(parts.values()), dim=1), strict=True)) if parts else {}
    for name in inputs:
        if name not in stretches:
            known = f"its parts: {', '.join(parts)}" if parts else "this encoder has none: leave inputs out"
            raise Mistake(f"the embedding has no part {name!r}", where="inputs", fix=known)
    return torch.cat([stretches[name] for name in inputs], 1)


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Args:
        embeddings: of every clip of the task; None where the protocol works on the model.
        recordings: of the task.
        device: where tensors go.
        autocast: the context of every forward pass.
        model: the front end and encoder; None where the protocol works on embeddings alone.
    """

    embeddings: Embeddings | None
    recordings: Recordings
    device: torch.device
    autocast: Callable[[], torch.autocast]
    model: "Model | None" = None


@dataclass(frozen=True)
class Model:
    """A front end and an encoder, for protocols that train or embed.

    Args:
        encoder: makes a fresh copy of the encoder with its weights, on the device; the front end of both views gets its
            own weights anew, too.
        views: the front end with the training augmentations.
        plain_views: the same front end alone.
        window_samples: of a training crop and of an evaluation window.
    """

    encoder: Callable[[], Encoder]
    views: Views
    plain_views: Views
    window_samples: int


@dataclass(frozen=True)
class Outcome:
    """Predictions for the test clips of one fold.

    Args:
        fold: which.
        clips: ``[n]`` positions of its clips.
        scores: ``[n, C]`` after the last epoch: logits, summed votes, or the number itself.
        epochs: the epochs that were evaluated; empty for a protocol without epochs, and for a target that is evaluated
            after the last epoch alone.
        predicted: ``[max(len(epochs), 1), n]`` what the target predicts by the scores after each of them.
        facts: what was chosen inside the training folds, such as k.
    """

    fold: int
    clips: NDArray[np.int64]
    scores: NDArray[Any]
    epochs: list[int]
    predicted: NDArray[Any]
    facts: dict[str, float] = field(default_factory=dict)


class Protocol(Component[Own]):
    """Contract of a protocol.

    ``uses_embeddings`` and ``uses_model`` say what it works on; ``one_job`` whether one job does all folds (they share
    most of the work) or one does each. ``judge`` computes metrics of its own, where it brings some, instead of the
    target's.
    """

    uses_embeddings: bool = False
    uses_model: bool = False
    one_job: ClassVar[bool] = True
    trains_encoder: ClassVar[bool] = False
    judge: ClassVar[Judge | None] = None

    def __init__(self, config: Own) -> None:
        self.config = config

    def evaluate(
        self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Callable[[str], None]
    ) -> list[Outcome]:
        """One outcome a fold.

        Args:
            subject: what is evaluated.
            split: which of the task's clips train and are tested for each fold, and their labels.
            folds: test folds.
            seed: of heads, order and augmentation.
            tell: told, in words, how far it is, after every step.
        """
        raise NotImplementedError
