"""Fine-tuning: the head, the encoder, and a front end with parameters train together."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from registry.audio import on_device
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.halving import Halving
from registry.optimizers import make_optimizer, set_learning_rate
from registry.protocols import Outcome, Protocol, Split, Subject, Tell, means_of
from registry.resident import moved
from registry.seeding import generator_for, seed_everything, seed_for
from registry.training import Training

_CLIPS_AT_ONCE = 16  # on a CPU


class Finetune(Protocol["Finetune.Config"]):
    """One linear layer on the embedding, trained together with the whole encoder on augmented crops, fold by fold.

    The target gives the loss, and says whether the test clips are evaluated after every epoch or only after the last.
    Evaluation cuts a clip into windows of the training crop's length, which overlap by half, and averages the outputs.
    Lin 2022 trains for at most 30 epochs and states neither batch size, optimiser nor rate.
    """

    source: ClassVar[str] = "Lin 2022 (fine-tune); Wang 2021 (windows); optimiser not stated"
    uses_model = True
    trains_encoder = True
    one_job = False

    class Config(Training):
        epochs: int = Field(30, ge=1, description="passes over the training folds, one crop a clip")
        batch_size: int = Field(64, ge=2, description="clips a step")
        learning_rate: float = Field(1e-3, gt=0, description="at its peak, of encoder and head")

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        return [self._fold(subject, split, fold, seed, tell) for fold in folds]

    def _fold(self, subject: Subject, split: Split, fold: int, seed: int, tell: Tell) -> Outcome:
        config = self.config
        labels, target = split.labels, split.labels.target
        fold_seed = seed_for(seed, "finetune", fold)
        assert subject.model is not None
        encoder = subject.model.encoder()
        seed_everything(fold_seed, "head")  # after the encoder, because making it seeds the generators, too
        views, window = subject.model.views, subject.model.window_samples
        head = nn.Linear(encoder.embedding_dim, target.outputs(labels.classes))
        model = nn.ModuleDict({"frontend": views.frontend, "encoder": encoder, "head": head})
        model.to(subject.device)
        optimizer = make_optimizer(model, config)
        train, test = split.train(fold), split.test(fold)
        objective = target.objective([labels.label_N[train].to(subject.device)])
        steps = math.ceil(len(train) / config.batch_size)
        predicted: list[NDArray[Any]] = []
        scores_NC = torch.empty(0)
        for epoch in range(config.epochs):
            model.train()
            order = train[torch.randperm(len(train), generator=generator_for(fold_seed, "order", epoch))]
            total = torch.zeros((), device=subject.device)
            for step, clips_B in enumerate(order.tensor_split(steps)):
                place = (fold_seed, "step", epoch, step)
                seed_everything(*place)
                wave_B1T = subject.recordings.crops(clips_B, window, 1, generator_for(*place), subject.device)
                label_B = moved(labels.label_N[clips_B], subject.device)
                set_learning_rate(optimizer, config.learning_rate_at(epoch + step / steps))
                with subject.autocast():
                    x_BCFN = views(on_device(wave_B1T[:, 0], subject.device))
                    output_BC = head(encoder.embed(x_BCFN)).float()
                    loss = objective.loss(output_BC[None], label_B[None]).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach()
            scalars = {f"loss/fold-{fold}": total.item() / steps}
            progress = f"fold {fold}, epoch {epoch + 1}, loss {total.item() / steps:.3f}"
            if target.every_epoch or epoch + 1 == config.epochs:
                scores_NC = objective.scores(0, clip_outputs(subject, encoder, head, test))
                if not scores_NC.isfinite().all():
                    raise Mistake(
                        f"fine-tuning ended in scores that are not finite: fold {fold}, epoch {epoch + 1}, loss "
                        f"{total.item() / steps:.3f}",
                        fix="a lower learning_rate",
                    )
                predicted.append(target.predict(scores_NC.numpy()))
                reached = target.figure(labels.label_N[test].numpy(), scores_NC.numpy())
                scalars[f"{target.chief.column}/fold-{fold}"] = reached
                progress += f", {target.chief.name} {target.chief.write(reached)[0]}"
            tell(progress, epoch + 1, scalars)
        return Outcome(
            fold=fold,
            clips=test.numpy(),
            scores=scores_NC.numpy(),
            epochs=list(range(1, config.epochs + 1)) if target.every_epoch else [],
            predicted=np.stack(predicted),
        )


@torch.no_grad()
def clip_outputs(subject: Subject, encoder: Encoder, head: nn.Module, clips_N: Tensor) -> Tensor:
    """Outputs ``[N, C]`` of clips, averaged over their windows, on the CPU; the net is put in eval mode."""
    model = subject.model
    assert model is not None
    encoder.eval()
    model.plain_views.frontend.eval()
    halving = Halving("windows", subject.say)

    def of_windows(wave_WT: Tensor) -> Tensor:
        with subject.autocast():
            output_WC: Tensor = head(encoder.embed(model.plain_views(on_device(wave_WT, subject.device))))
        return output_WC.float().cpu()

    outputs = []
    for clips_B in clips_N.split(subject.recordings.clips_at_once(subject.device, _CLIPS_AT_ONCE)):
        wave_WT, owner_W = subject.recordings.windows(clips_B, model.window_samples, subject.device)
        outputs.append(means_of(torch.cat(halving(of_windows, wave_WT)), owner_W, len(clips_B)))
    return torch.cat(outputs)
