"""Linear probe: a head on a frozen encoder."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from registry.heads import FoldHeads, train_heads
from registry.protocols import Outcome, Protocol, Split, Subject, Tell, choose_parts
from registry.seeding import generator_for, seed_everything, seed_for
from registry.settings import Settings
from registry.targets import Objective

_CLIPS_AT_ONCE = 128


class Freeze(Protocol["Freeze.Config"]):
    """A head trained on embeddings of an encoder that is never updated, in eval mode.

    By default the embeddings are computed once, and every window of a training clip is an example. With ``augment``, a
    fresh augmented crop of every clip is embedded in each epoch. At evaluation the outputs are averaged over the
    windows of a clip. Embeddings are standardised with the mean and deviation of the training clips' windows. The heads
    of all folds train together, as one batched problem. Lin 2022 trains for at most 30 epochs and states neither
    optimiser nor rate.

    Where few shots train, an epoch has as many steps as with the whole training folds: the few clips are repeated.
    """

    source: ClassVar[str] = "Lin 2022 (freeze); Wang 2021 (mlp head); optimiser not stated"
    uses_embeddings = True

    class Config(Settings):
        epochs: int = Field(30, ge=1, description="passes over the training folds")
        batch_size: int = Field(64, ge=1, description="examples of each fold a step")
        learning_rate: float = Field(3e-3, gt=0, description="of AdamW, constant")
        weight_decay: float = Field(0.0, ge=0, description="of AdamW, on the head's weights")
        head: Literal["linear", "mlp"] = Field("linear", description="mlp: one hidden layer of 512, ReLU (Wang 2021)")
        augment: bool = Field(False, description="embed a fresh augmented crop of every clip each epoch")
        inputs: list[str] = Field(
            [], description="parts of the embedding, such as a multiformat's branches; all if none"
        )

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.uses_model = config.augment

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        config = self.config
        assert subject.embeddings is not None
        embeddings = subject.embeddings.of(config.inputs)
        window_WD, clip_W = embeddings.window_WD.to(subject.device), embeddings.clip_W
        moments = _moments(window_WD, [_rows(split.train(fold), clip_W) for fold in folds])
        if config.augment:
            examples = _fresh_crops(subject, config.inputs, seed)
        else:
            examples = _Examples(clip_W, lambda epoch: window_WD)
        heads, objective, losses = self._training(examples, moments, split, folds, seed, subject.device)
        target, tests = split.labels.target, [split.test(fold) for fold in folds]
        in_test = [_rows(test, clip_W) for test in tests]
        predicted: list[list[NDArray[Any]]] = [[] for _ in folds]
        scores: dict[int, NDArray[Any]] = {}
        for epoch, loss_F in losses:
            scalars = {f"loss/fold-{fold}": loss for fold, loss in zip(folds, loss_F, strict=True)}
            if target.every_epoch or epoch + 1 == config.epochs:
                for f, rows_W in enumerate(in_test):
                    output_WC = _outputs(heads, f, window_WD[rows_W], moments)
                    scores[f] = objective.scores(f, _clip_means(output_WC, clip_W[rows_W], tests[f])).numpy()
                    predicted[f].append(target.predict(scores[f]))
                    reached = target.figure(split.labels.label_N[tests[f]].numpy(), scores[f])
                    scalars[f"{target.chief.column}/fold-{folds[f]}"] = reached
            tell(f"epoch {epoch + 1}, loss {fmean(loss_F):.3f}", epoch + 1, scalars)
        return [
            Outcome(
                fold=fold,
                clips=tests[f].numpy(),
                scores=scores[f],
                epochs=list(range(1, config.epochs + 1)) if target.every_epoch else [],
                predicted=np.stack(predicted[f]),
            )
            for f, fold in enumerate(folds)
        ]

    def _training(
        self,
        examples: "_Examples",
        moments: tuple[Tensor, Tensor],
        split: Split,
        folds: Sequence[int],
        seed: int,
        device: torch.device,
    ) -> tuple[FoldHeads, Objective, Iterator[tuple[int, list[float]]]]:
        """New heads of all folds, their objective, and their training, which yields each epoch with its losses."""
        config = self.config
        labels = split.labels
        label_N, fold_M = labels.label_N.to(device), labels.fold_N[examples.clip_M]
        rows = [_repeated(_rows(split.train(fold), examples.clip_M), int((fold_M != fold).sum())) for fold in folds]
        # The largest of all the task's folds gives the steps: a head must not depend on which folds are run.
        largest = max(int((fold_M != fold).sum()) for fold in labels.fold_N.unique())
        seeds = [seed_for(seed, "freeze", fold) for fold in folds]
        objective = labels.target.objective([label_N[split.train(fold).to(device)] for fold in folds])
        heads = FoldHeads(config.head, moments[0].shape[2], labels.target.outputs(labels.classes), seeds).to(device)
        losses = train_heads(
            heads,
            examples.embed,
            label_N[examples.clip_M.to(device)],
            objective,
            rows,
            *moments,
            epochs=config.epochs,
            steps=math.ceil(largest / config.batch_size),
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            seeds=seeds,
        )
        return heads, objective, losses


@dataclass(frozen=True)
class _Examples:
    """The examples that heads learn from.

    Args:
        clip_M: the clip of each example.
        embed: gives the examples' embeddings ``[M, D]`` for an epoch.
    """

    clip_M: Tensor
    embed: Callable[[int], Tensor]


def _rows(clips: Tensor, clip_W: Tensor) -> Tensor:
    """The windows of some clips."""
    return torch.nonzero(torch.isin(clip_W, clips)).squeeze(1)


def _repeated(rows: Tensor, size: int) -> Tensor:
    """Repeats the rows until they are as close to ``size`` as they get: few shots fill the steps of whole folds."""
    return rows.repeat(max(1, round(size / len(rows))))


def _moments(window_WD: Tensor, rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and deviation ``[F, 1, D]`` of each fold's training windows; a constant dimension is left unscaled."""
    means = [window_WD[of_fold].mean(0, keepdim=True) for of_fold in rows]
    deviations = [window_WD[of_fold].std(0, keepdim=True) for of_fold in rows]
    scale_F1D = torch.stack(deviations)
    return torch.stack(means), torch.where(scale_F1D < 1e-6, torch.ones_like(scale_F1D), scale_F1D)


@torch.no_grad()
def _outputs(heads: FoldHeads, f: int, window_WD: Tensor, moments: tuple[Tensor, Tensor]) -> Tensor:
    """Outputs ``[W, C]`` of head f for windows, on the CPU."""
    shift_F1D, scale_F1D = moments
    return heads.one(f, (window_WD - shift_F1D[f]) / scale_F1D[f]).cpu()


def _clip_means(output_WC: Tensor, clip_W: Tensor, clips_N: Tensor) -> Tensor:
    """Outputs ``[N, C]`` of clips, averaged over their windows."""
    place_W = torch.searchsorted(clips_N, clip_W)
    sums_NC = torch.zeros(len(clips_N), output_WC.shape[1]).index_add_(0, place_W, output_WC)
    return sums_NC / torch.bincount(place_W, minlength=len(clips_N)).unsqueeze(1)


def _fresh_crops(subject: Subject, inputs: Sequence[str], seed: int) -> _Examples:
    """An augmented crop of every clip, a new one in each epoch."""
    model = subject.model
    assert model is not None
    encoder = model.encoder().eval()
    every_N = torch.arange(len(subject.recordings))

    @torch.no_grad()
    def embed(epoch: int) -> Tensor:
        embeddings = []
        for clips_B in every_N.split(_CLIPS_AT_ONCE):
            place = (seed, "freeze crops", epoch, int(clips_B[0]))
            seed_everything(*place)
            wave_BT = subject.recordings.crops(clips_B, model.window_samples, 1, generator_for(*place))[:, 0]
            with subject.autocast():
                embeddings.append(encoder.embed(model.views(wave_BT.to(subject.device))).float())
        return choose_parts(torch.cat(embeddings), encoder.parts, inputs)

    return _Examples(every_N, embed)
