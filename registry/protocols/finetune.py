"""Fine-tuning: head, encoder and a front end that learns train together."""

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.losses import classification
from registry.metrics import figure
from registry.optimizers import make_optimizer, set_learning_rate
from registry.protocols import Labels, Outcome, Protocol, Subject
from registry.seeding import generator_for, seed_everything, seed_for
from registry.training import Training

_CLIPS_AT_ONCE = 16


class Finetune(Protocol["Finetune.Config"]):
    """One linear layer on the embedding, trained together with the whole encoder on augmented crops, fold by fold.

    After every epoch the test clips are evaluated in windows of the training crop's length at half-window stride,
    logits averaged. Where clips have several labels the loss is a binary cross-entropy for every class, and the last
    epoch alone is evaluated. Lin 2022 trains for at most 30 epochs and states neither batch size, optimiser nor rate.
    """

    source: ClassVar[str] = "Lin 2022 (fine-tune); Wang 2021 (windows); optimiser not stated"
    uses_model = True
    one_job = False

    class Config(Training):
        epochs: int = Field(30, ge=1, description="passes over the training folds, one crop a clip")
        batch_size: int = Field(64, ge=2, description="clips a step")
        learning_rate: float = Field(1e-3, gt=0, description="at its peak, of encoder and head")

    def evaluate(
        self, subject: Subject, labels: Labels, folds: Sequence[int], seed: int, tell: Callable[[str], None]
    ) -> list[Outcome]:
        return [self._fold(subject, labels, fold, seed, tell) for fold in folds]

    def _fold(self, subject: Subject, labels: Labels, fold: int, seed: int, tell: Callable[[str], None]) -> Outcome:
        config = self.config
        own_seed = seed_for(seed, "finetune", fold)
        assert subject.model is not None
        encoder = subject.model.encoder()
        seed_everything(own_seed, "head")  # after the encoder, whose making seeds its own weights
        views, window = subject.model.views, subject.model.window_samples
        head = nn.Linear(encoder.embedding_dim, labels.classes)
        model = nn.ModuleDict({"frontend": views.frontend, "encoder": encoder, "head": head})
        model.to(subject.device)
        optimizer = make_optimizer(model, config)
        train, test = labels.train(fold), labels.test(fold)
        steps = math.ceil(len(train) / config.batch_size)
        predicted: list[Tensor] = []
        scores_NC = torch.empty(0)
        for epoch in range(config.epochs):
            model.train()
            order = train[torch.randperm(len(train), generator=generator_for(own_seed, "order", epoch))]
            total = torch.zeros((), device=subject.device)
            for step, clips_B in enumerate(order.tensor_split(steps)):
                place = (own_seed, "step", epoch, step)
                seed_everything(*place)
                wave_BT = subject.recordings.crops(clips_B, window, 1, generator_for(*place))[:, 0]
                set_learning_rate(optimizer, config.learning_rate_at(epoch + step / steps))
                with subject.autocast():
                    x_BCFN = views(wave_BT.to(subject.device))
                    logits_BC = model["head"](encoder.embed(x_BCFN)).float()
                    loss = classification(logits_BC, labels.label_N[clips_B].to(subject.device)).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach()
            told = f"fold {fold}, epoch {epoch + 1}, loss {total.item() / steps:.3f}"
            if not labels.several or epoch + 1 == config.epochs:
                scores_NC = clip_logits(subject, encoder, model["head"], test)
                if not scores_NC.isfinite().all():
                    raise Mistake(
                        f"fine-tuning ended in scores that are not finite: fold {fold}, epoch {epoch + 1}, loss "
                        f"{total.item() / steps:.3f}",
                        fix="a lower learning_rate",
                    )
                predicted.append(scores_NC.argmax(1))
                reached = figure(labels.label_N[test].numpy(), scores_NC.numpy())
                told += f", {'mAP' if labels.several else 'accuracy'} {reached:.3f}"
            tell(told)
        return Outcome(
            fold=fold,
            clips=test.numpy(),
            scores=scores_NC.numpy(),
            epochs=[] if labels.several else list(range(1, config.epochs + 1)),
            predicted=torch.stack(predicted).numpy(),
        )


@torch.no_grad()
def clip_logits(subject: Subject, encoder: Encoder, head: nn.Module, clips_N: Tensor) -> Tensor:
    """Logits ``[N, C]`` of clips, averaged over their windows, on the CPU; the net is put in eval mode."""
    model = subject.model
    assert model is not None
    encoder.eval()
    model.plain_views.frontend.eval()
    parts = []
    for clips_B in clips_N.split(_CLIPS_AT_ONCE):
        wave_WT, owner_W = subject.recordings.windows(clips_B, model.window_samples)
        with subject.autocast():
            logits_WC = head(encoder.embed(model.plain_views(wave_WT.to(subject.device)))).float().cpu()
        sums_BC = torch.zeros(len(clips_B), logits_WC.shape[1]).index_add_(0, owner_W, logits_WC)
        parts.append(sums_BC / torch.bincount(owner_W, minlength=len(clips_B)).unsqueeze(1))
    return torch.cat(parts)
