"""Linear probe: a head on a frozen encoder."""

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.heads import FoldHeads, train_heads
from registry.protocols import Labels, Model, Outcome, Protocol, Subject, choose_parts
from registry.seeding import generator_for, seed_everything, seed_for
from registry.settings import Settings

_CLIPS_AT_ONCE = 128


class Freeze(Protocol["Freeze.Config"]):
    """A head trained on embeddings of an encoder that is never updated, in eval mode.

    By default the embeddings are computed once, and every window of a training clip is an example. ``augment`` instead
    embeds a fresh augmented crop of every clip each epoch. At evaluation the logits are averaged over the windows of a
    clip. Embeddings are standardised with the mean and deviation of the training folds' windows. The heads of all folds
    train together, as one batched problem. Lin 2022 trains for at most 30 epochs and states neither optimiser nor rate.

    Of few shots an epoch has as many steps as of the whole training folds: the clips that train, and whose mean and
    deviation standardise, are repeated.
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

    def evaluate(
        self, subject: Subject, labels: Labels, folds: Sequence[int], seed: int, tell: Callable[[str], None]
    ) -> list[Outcome]:
        config = self.config
        assert subject.embeddings is not None
        embeddings = subject.embeddings.of(config.inputs)
        window_WD, clip_W = embeddings.window_WD.to(subject.device), embeddings.clip_W
        in_training = [_rows(labels.train(fold), clip_W) for fold in folds]
        in_test = [_rows(labels.test(fold), clip_W) for fold in folds]
        shift_F1D, scale_F1D = _moments(window_WD, in_training)

        if config.augment:
            assert subject.model is not None
            model = subject.model
            encoder = model.encoder().eval()
            label_M, rows = labels.label_N, [labels.train(fold) for fold in folds]
            example_fold_M = labels.fold_N
        else:
            label_M, rows = labels.label_N[clip_W], in_training
            example_fold_M = labels.fold_N[clip_W]
        label_M = label_M.to(subject.device)
        rows = [_repeated(own, int((example_fold_M != fold).sum())) for own, fold in zip(rows, folds, strict=True)]

        def examples(epoch: int) -> tuple[Tensor, Tensor]:
            if not config.augment:
                return window_WD, label_M
            x_ND = _augmented(subject, model, encoder, seed, epoch)
            return choose_parts(x_ND, encoder.parts, config.inputs), label_M

        seeds = [seed_for(seed, "freeze", fold) for fold in folds]
        heads = FoldHeads(config.head, window_WD.shape[1], labels.classes, seeds).to(subject.device)
        epochs = train_heads(
            heads,
            examples,
            rows,
            shift_F1D,
            scale_F1D,
            epochs=config.epochs,
            # From all of the task's folds: a head must not depend on which of them are run.
            steps=math.ceil(
                max(int((example_fold_M != fold).sum()) for fold in labels.fold_N.unique()) / config.batch_size
            ),
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            seeds=seeds,
        )
        tests = [labels.test(fold) for fold in folds]
        predicted: list[list[Tensor]] = [[] for _ in folds]
        scores: list[Tensor] = []
        for epoch, loss in epochs:
            tell(f"epoch {epoch + 1}, loss {loss:.3f}")
            if labels.several and epoch + 1 < config.epochs:
                continue
            scores = [
                _clip_logits(heads, f, (window_WD[rows_W] - shift_F1D[f]) / scale_F1D[f], clip_W[rows_W], tests[f])
                for f, rows_W in enumerate(in_test)
            ]
            for f, logits_NC in enumerate(scores):
                predicted[f].append(logits_NC.argmax(1))
        return [
            Outcome(
                fold=fold,
                clips=tests[f].numpy(),
                scores=scores[f].numpy(),
                epochs=[] if labels.several else list(range(1, config.epochs + 1)),
                predicted=torch.stack(predicted[f]).numpy(),
            )
            for f, fold in enumerate(folds)
        ]


def _rows(clips: Tensor, clip_W: Tensor) -> Tensor:
    """The windows of some clips."""
    return torch.nonzero(torch.isin(clip_W, clips)).squeeze(1)


def _repeated(rows: Tensor, size: int) -> Tensor:
    """Rows, each as often as brings them closest to ``size``: few shots fill the steps of the whole training folds."""
    return rows.repeat(max(1, round(size / len(rows))))


def _moments(window_WD: Tensor, rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and deviation ``[F, 1, D]`` of each fold's training windows; a constant dimension is left unscaled."""
    means = [window_WD[own].mean(0, keepdim=True) for own in rows]
    deviations = [window_WD[own].std(0, keepdim=True) for own in rows]
    scale_F1D = torch.stack(deviations)
    return torch.stack(means), torch.where(scale_F1D < 1e-6, torch.ones_like(scale_F1D), scale_F1D)


@torch.no_grad()
def _clip_logits(heads: FoldHeads, f: int, x_WD: Tensor, clip_W: Tensor, clips_N: Tensor) -> Tensor:
    """Logits ``[N, C]`` of the clips, averaged over their windows, on the CPU."""
    logits_WC = heads.one(f, x_WD).cpu()
    place_W = torch.searchsorted(clips_N, clip_W)
    sums_NC = torch.zeros(len(clips_N), logits_WC.shape[1]).index_add_(0, place_W, logits_WC)
    return sums_NC / torch.bincount(place_W, minlength=len(clips_N)).unsqueeze(1)


@torch.no_grad()
def _augmented(subject: Subject, model: Model, encoder: Encoder, seed: int, epoch: int) -> Tensor:
    """Embeddings ``[N, D]`` of one augmented crop of every clip."""
    parts = []
    for clips_B in torch.arange(len(subject.recordings)).split(_CLIPS_AT_ONCE):
        place = (seed, "freeze crops", epoch, int(clips_B[0]))
        seed_everything(*place)
        wave_BT = subject.recordings.crops(clips_B, model.window_samples, 1, generator_for(*place))[:, 0]
        with subject.autocast():
            parts.append(encoder.embed(model.views(wave_BT.to(subject.device))).float())
    return torch.cat(parts)
