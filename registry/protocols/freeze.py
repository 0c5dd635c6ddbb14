"""Linear probe: a head on a frozen encoder."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from statistics import fmean
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from registry.audio import on_device
from registry.halving import Halving
from registry.heads import FoldHeads, train_heads
from registry.protocols import (
    VALUES_AT_ONCE,
    Embeddings,
    Outcome,
    Protocol,
    Split,
    Subject,
    Tell,
    choose_parts,
    chosen_parts,
    means_of,
)
from registry.seeding import generator_for, seed_everything, seed_for
from registry.settings import Settings
from registry.targets import Objective

_CLIPS_AT_ONCE = 128
_COLUMNS = 64  # whose means are computed together: with fewer, torch may add up in another order


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
        embeddings = subject.embeddings
        rows = _Rows.of(embeddings, config.inputs, subject.device)
        moments = _moments(rows, [split.train(fold) for fold in folds], embeddings)
        if config.augment:
            examples = _fresh_crops(subject, config.inputs, seed)
        else:
            examples = _Examples(embeddings, lambda epoch: rows)
        heads, objective, losses = self._training(examples, moments, split, folds, seed, subject.device)
        evaluation = _Evaluation(heads, embeddings, rows, moments, Halving("windows", subject.say))
        target, tests = split.labels.target, [split.test(fold) for fold in folds]
        predicted: list[list[NDArray[Any]]] = [[] for _ in folds]
        scores: dict[int, NDArray[Any]] = {}
        for epoch, loss_F in losses:
            scalars = {f"loss/fold-{fold}": loss for fold, loss in zip(folds, loss_F, strict=True)}
            if target.every_epoch or epoch + 1 == config.epochs:
                for f, test in enumerate(tests):
                    scores[f] = objective.scores(f, evaluation.outputs(f, test)).numpy()
                    predicted[f].append(target.predict(scores[f]))
                    reached = target.figure(split.labels.label_N[test].numpy(), scores[f])
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
        label_N, count_N = labels.label_N.to(device), examples.of.counts(len(labels.label_N))
        others = {fold: int(count_N[labels.fold_N != fold].sum()) for fold in labels.fold_N.unique().tolist()}
        rows = [_repeated(examples.of.windows(split.train(fold))[0], others[fold]) for fold in folds]
        # The largest of all the task's folds gives the steps: a head must not depend on which folds are run.
        largest = max(others.values())
        seeds = [seed_for(seed, "freeze", fold) for fold in folds]
        objective = labels.target.objective([label_N[split.train(fold).to(device)] for fold in folds])
        heads = FoldHeads(config.head, moments[0].shape[2], labels.target.outputs(labels.classes), seeds).to(device)
        losses = train_heads(
            heads,
            examples.rows,
            label_N,
            examples.of.clip_W,
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
        of: has the clip of each example.
        rows: gives the examples' embeddings of an epoch.
    """

    of: Embeddings
    rows: "Callable[[int], _Rows]"


@dataclass(frozen=True)
class _Rows:
    """Reads embeddings: by rows ``[M]``, ``[M, D]`` on the device."""

    window_WD: Tensor
    parts: Mapping[str, int]
    inputs: Sequence[str]
    device: torch.device

    @classmethod
    def of(cls, embeddings: Embeddings, inputs: Sequence[str], device: torch.device) -> "_Rows":
        """Reads them where they are; on a GPU, if they take no more than half of the memory that is free there."""
        window_WD = embeddings.window_WD
        if device.type == "cuda" and window_WD.nbytes <= torch.cuda.mem_get_info(device)[0] // 2:
            window_WD = window_WD.to(device)
        return cls(window_WD, embeddings.parts, inputs, device)

    def __call__(self, row_M: Tensor) -> Tensor:
        return choose_parts(self._at(row_M, self.window_WD), self.parts, self.inputs)

    def moments(self, row_M: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation ``[1, D]``, computed some columns and some rows at a time."""
        columns = max(VALUES_AT_ONCE // len(row_M) // _COLUMNS, 1) * _COLUMNS
        pieces = row_M.tensor_split(math.ceil(len(row_M) * columns / VALUES_AT_ONCE))
        moments = [
            reduce(_joined, (_moments_of(self._at(piece, column_WD)) for piece in pieces))
            for part_WD in chosen_parts(self.window_WD, self.parts, self.inputs)
            for column_WD in part_WD.split(columns, dim=1)
        ]
        means, deviations = [mean for _, mean, _ in moments], [deviation for _, _, deviation in moments]
        return torch.cat(means, 1), torch.cat(deviations, 1)

    def _at(self, row_M: Tensor, window_WD: Tensor) -> Tensor:
        return window_WD.index_select(0, row_M.to(window_WD.device)).to(self.device)


def _repeated(rows: Tensor, size: int) -> Tensor:
    """Repeats the rows until they are as close to ``size`` as they get: few shots fill the steps of whole folds."""
    times = max(1, round(size / len(rows)))
    return rows.repeat(times) if times > 1 else rows


def _moments(rows: _Rows, trains: Sequence[Tensor], embeddings: Embeddings) -> tuple[Tensor, Tensor]:
    """Mean and deviation ``[F, 1, D]`` of each fold's training windows; a constant dimension is left unscaled."""
    means, deviations = zip(*(rows.moments(embeddings.windows(train)[0]) for train in trains), strict=True)
    scale_F1D = torch.stack(deviations)
    scale_F1D = torch.where(scale_F1D < 1e-6, torch.ones_like(scale_F1D), scale_F1D)
    return torch.stack(means).to(rows.device), scale_F1D.to(rows.device)


_Moments = tuple[int, Tensor, Tensor]  # the number of windows, their mean [1, D] and their deviation [1, D]


def _moments_of(window_MD: Tensor) -> _Moments:
    return len(window_MD), window_MD.mean(0, keepdim=True).cpu(), window_MD.std(0, keepdim=True).cpu()


def _joined(a: _Moments, b: _Moments) -> _Moments:
    """The moments of two groups of windows together (Chan et al. 1979)."""
    n, apart_1D = a[0] + b[0], b[1].double() - a[1].double()
    mean_1D = a[1].double() + apart_1D * (b[0] / n)
    squares_1D = a[2].double().square() * (a[0] - 1) + b[2].double().square() * (b[0] - 1)
    deviation_1D = ((squares_1D + apart_1D.square() * (a[0] * b[0] / n)) / (n - 1)).sqrt()
    return n, mean_1D.float(), deviation_1D.float()


@dataclass(frozen=True)
class _Evaluation:
    """Heads on the windows of clips, a batch after the other."""

    heads: FoldHeads
    embeddings: Embeddings
    rows: _Rows
    moments: tuple[Tensor, Tensor]
    halving: Halving

    @torch.no_grad()
    def outputs(self, f: int, clips_N: Tensor) -> Tensor:
        """Outputs ``[N, C]`` of head f for clips, averaged over their windows, on the CPU."""
        shift_1D, scale_1D = self.moments[0][f], self.moments[1][f]

        def of_windows(row_M: Tensor) -> Tensor:
            return self.heads.one(f, self.rows(row_M).sub_(shift_1D).div_(scale_1D)).cpu()

        outputs = []
        for clips_B in self.embeddings.batches(clips_N, VALUES_AT_ONCE):
            row_M, owner_M = self.embeddings.windows(clips_B)
            outputs.append(means_of(torch.cat(self.halving(of_windows, row_M)), owner_M, len(clips_B)))
        return torch.cat(outputs)


def _fresh_crops(subject: Subject, inputs: Sequence[str], seed: int) -> _Examples:
    """An augmented crop of every clip, a new one in each epoch."""
    model = subject.model
    assert model is not None
    encoder = model.encoder().eval()
    halving = Halving("crops", subject.say)
    every_N = torch.arange(len(subject.recordings))
    crops = Embeddings(subject.scratch(len(every_N), encoder.embedding_dim), every_N, encoder.parts)

    def embed(x_BCFN: Tensor) -> Tensor:
        return encoder.embed(x_BCFN).float().cpu()

    @torch.no_grad()
    def rows(epoch: int) -> _Rows:
        for clips_B in every_N.split(_CLIPS_AT_ONCE):
            place = (seed, "freeze crops", epoch, int(clips_B[0]))
            seed_everything(*place)
            drawn = generator_for(*place)
            wave_B1T = subject.recordings.crops(clips_B, model.window_samples, 1, drawn, subject.device)
            with subject.autocast():  # what is drawn belongs to the whole batch, so only the encoder's work is halved
                embedded = halving(embed, model.views(on_device(wave_B1T[:, 0], subject.device)))
            crops.window_WD[clips_B[0] : clips_B[-1] + 1] = torch.cat(embedded)
        return _Rows.of(crops, inputs, subject.device)

    return _Examples(crops, rows)
