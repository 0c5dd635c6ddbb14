"""Protocols. Input: embeddings or a model, labels, and folds. Output: a prediction for every test clip."""

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
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

VALUES_AT_ONCE = 2**21  # of embeddings that are computed with at once: 8 MB


@dataclass(frozen=True)
class Labels:
    """The labels, folds and sources of a task's clips.

    Args:
        label_N: the label of each clip, in the form that the target's ``tensor`` gives.
        fold_N: official fold of each clip.
        source_N: number of the recording that each clip was cut from.
        classes: the number of classes; 0 where labels are numbers.
        target: of the task.
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
        draw: number of the random draw of these clips.
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
        """Positions of the training clips, ascending: all clips of the other folds, or ``shots`` clips of each class.

        The clips of a class are put in random order, but no source comes a second time before every other source has
        come once. The first ``shots`` clips train, so that a draw with few shots is part of the same draw with more
        shots. A class with fewer clips gives all of them.

        Raises:
            Mistake: if ``shots`` is set and clips do not have one class each.
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
    """For each element, the number of elements of its group that come before it."""
    order = torch.argsort(group_N, stable=True)
    first = torch.searchsorted(group_N[order], group_N[order])
    return torch.empty_like(order).index_copy_(0, order, torch.arange(len(order)) - first)


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of every clip's windows; a clip that is embedded whole has one.

    There may be more of them than the memory holds: then they lie on the disk, and protocols read some at a time.

    Args:
        window_WD: float32.
        clip_W: the clip of each window, ascending.
        parts: the encoder's parts: by name, the size of each part of an embedding, in order; empty if there are none.
    """

    window_WD: Tensor
    clip_W: Tensor
    parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """D, of all parts."""
        return self.window_WD.shape[1]

    def counts(self, clips: int) -> Tensor:
        """``[N]`` the number of windows of each of all clips."""
        return self._places(torch.arange(clips))[1]

    def windows(self, clips_N: Tensor) -> tuple[Tensor, Tensor]:
        """``[M]`` the rows of some clips' windows, clip by clip, and ``[M]`` the position in ``clips_N`` of each."""
        first_N, count_N = self._places(clips_N)
        owner_M = torch.arange(len(clips_N)).repeat_interleave(count_N)
        return torch.arange(len(owner_M)) + (first_N - count_N.cumsum(0) + count_N)[owner_M], owner_M

    def batches(self, clips_N: Tensor, values: int) -> Sequence[Tensor]:
        """Some clips in batches, whose windows have about as many values together, or which are a single clip."""
        before_N = self._places(clips_N)[1].cumsum(0)
        rows = max(values // self.width, 1)
        sizes_B = ((before_N - 1) // rows).unique_consecutive(return_counts=True)[1]
        split: tuple[Tensor, ...] = clips_N.split(sizes_B.tolist())
        return split

    def rows(self, row_M: Tensor, inputs: Sequence[str] = ()) -> Tensor:
        """``[M, D]`` a copy of some windows: of the parts that ``inputs`` names, in that order, or of all parts."""
        return choose_parts(self.window_WD[row_M], self.parts, inputs)

    def means(self, clips_N: Tensor, inputs: Sequence[str] = ()) -> Tensor:
        """``[N, D]`` the mean over the windows of each of some clips, of the parts that ``inputs`` names."""
        row_M, owner_M = self.windows(clips_N)
        return means_of(self.rows(row_M, inputs), owner_M, len(clips_N))

    def mean(self, clips: int) -> Tensor:
        """``[N, D]``: the mean over the windows of each of all clips, in memory."""
        return torch.cat([self.means(clips_B) for clips_B in self.batches(torch.arange(clips), VALUES_AT_ONCE)])

    def _places(self, clips_N: Tensor) -> tuple[Tensor, Tensor]:
        """The first window of some clips, and the number of their windows."""
        first_N = torch.searchsorted(self.clip_W, clips_N)
        return first_N, torch.searchsorted(self.clip_W, clips_N, right=True) - first_N


def means_of(value_MC: Tensor, owner_M: Tensor, clips: int) -> Tensor:
    """``[N, C]`` the mean over the windows of each of some clips, whose position ``owner_M`` gives for every window."""
    sums_NC = torch.zeros(clips, value_MC.shape[1]).index_add_(0, owner_M, value_MC)
    return sums_NC / torch.bincount(owner_M, minlength=clips).unsqueeze(1)


def choose_parts(embedding_BD: Tensor, parts: Mapping[str, int], inputs: Sequence[str]) -> Tensor:
    """The parts of embeddings that ``inputs`` names, in that order; all parts where it names none.

    Raises:
        Mistake: if the encoder has no part of that name.
    """
    return torch.cat(chosen_parts(embedding_BD, parts, inputs), 1) if inputs else embedding_BD


def chosen_parts(embedding_BD: Tensor, parts: Mapping[str, int], inputs: Sequence[str]) -> list[Tensor]:
    """Each part that ``inputs`` names, or the whole where it names none; nothing is copied.

    Raises:
        Mistake: if the encoder has no part of that name.
    """
    if not inputs:
        return [embedding_BD]
    part_of = dict(zip(parts, embedding_BD.split(list(parts.values()), dim=1), strict=True)) if parts else {}
    for name in inputs:
        if name not in part_of:
            known = f"its parts: {', '.join(parts)}" if parts else "this encoder has none: leave inputs out"
            raise Mistake(f"the embedding has no part {name!r}", where="inputs", fix=known)
    return [part_of[name] for name in inputs]


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Args:
        embeddings: of every clip of the task; None where the protocol works on the model.
        recordings: of the task.
        device: where tensors go.
        autocast: the context of every forward pass.
        model: the front end and encoder; None where the protocol works on embeddings alone.
        scratch: makes an array like ``torch.empty``, on the CPU, for what may not fit into the memory.
        say: prints a line for people.
    """

    embeddings: Embeddings | None
    recordings: Recordings
    device: torch.device
    autocast: Callable[[], torch.autocast]
    model: "Model | None" = None
    scratch: Callable[..., Tensor] = torch.empty
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class Model:
    """A front end and an encoder, for protocols that train or embed.

    Args:
        encoder: makes a fresh copy of the encoder with its weights, on the device; the front end of both views gets its
            first weights back, too.
        views: the front end with the training augmentations.
        plain_views: the same front end without augmentations.
        window_samples: samples of a training crop, and of an evaluation window.
    """

    encoder: Callable[[], Encoder]
    views: Views
    plain_views: Views
    window_samples: int


@dataclass(frozen=True)
class Outcome:
    """Predictions for the test clips of one fold.

    Args:
        fold: the test fold.
        clips: ``[n]`` positions of the fold's clips.
        scores: ``[n, C]`` after the last epoch: logits, summed votes, or the number itself.
        epochs: the epochs that were evaluated; empty for a protocol without epochs, and for a target that is evaluated
            only after the last epoch.
        predicted: ``[max(len(epochs), 1), n]`` the target's predictions from the scores after each of these epochs.
        chosen: what the protocol chose inside the training folds, such as k.
    """

    fold: int
    clips: NDArray[np.int64]
    scores: NDArray[Any]
    epochs: list[int]
    predicted: NDArray[Any]
    chosen: dict[str, float] = field(default_factory=dict)


class Tell(typing.Protocol):
    """Tells how far a protocol is: a sentence, and, when an epoch ends, its number from 1 and its scalars by name.

    A scalar of one fold is called ``NAME/fold-FOLD``.
    """

    def __call__(self, status: str, epoch: int = 0, scalars: Mapping[str, float] = MappingProxyType({}), /) -> None: ...


class Protocol(Component[Own]):
    """Contract of a protocol.

    ``uses_embeddings`` and ``uses_model`` say what the protocol works on. The model comes with windows of one length:
    entries with ``crop: whole`` are refused. ``one_job`` says whether one job does all folds, because they share most
    of the work, or each fold is a job. ``judge`` computes the metrics; None means that the target does.
    """

    uses_embeddings: bool = False
    uses_model: bool = False
    one_job: ClassVar[bool] = True
    trains_encoder: ClassVar[bool] = False
    judge: ClassVar[Judge | None] = None

    def __init__(self, config: Own) -> None:
        self.config = config

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        """One outcome for each fold.

        Args:
            subject: what is evaluated.
            split: which of the task's clips train and which are tested for each fold, and their labels.
            folds: test folds.
            seed: of heads, order and augmentation.
            tell: gets a sentence on the progress after every step, and may get the scalars of an epoch with it.
        """
        raise NotImplementedError
