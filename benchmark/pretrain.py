"""The pretraining loop."""

import json
import math
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from benchmark.files import read_tensors, replace_file, write_tensors
from benchmark.model import Device
from benchmark.progress import Progress
from registry.audio import Recordings
from registry.errors import Mistake
from registry.methods import Method
from registry.optimizers import make_optimizer, set_learning_rate
from registry.seeding import generator_for, seed_everything
from registry.training import Training

_CHECKPOINT_SECONDS = 30.0


class _Run:
    """One pretraining under way: everything that a checkpoint holds, and where it lies."""

    def __init__(self, method: Method, optimizer: Optimizer, checkpoint: Path) -> None:
        self.method, self.optimizer, self.checkpoint = method, optimizer, checkpoint
        self.step = 0
        self.metrics: list[dict[str, float]] = []
        self.sums: dict[str, Tensor] = {}  # of the epoch under way, on the device: reading them would wait for it
        if checkpoint.exists():
            self._load()

    def save(self) -> None:
        """Writes the checkpoint; an older one stays whole until the new one is."""
        tensors = {f"method.{key}": value for key, value in self.method.state_dict().items()}
        tensors |= {f"sum.{key}": value for key, value in self.sums.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{key}": torch.as_tensor(value) for key, value in state.items()}
        facts = {"step": str(self.step), "metrics": json.dumps(self.metrics)}
        replace_file(self.checkpoint, lambda path: write_tensors(path, tensors, facts))

    def _load(self) -> None:
        tensors, facts = read_tensors(self.checkpoint)
        self.step, self.metrics = int(facts["step"]), json.loads(facts["metrics"])
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {}
        method = {}
        for key, value in tensors.items():
            kind, name = key.split(".", 1)
            if kind == "method":
                method[name] = value
            elif kind == "sum":
                self.sums[name] = value
            else:
                i, name = name.split(".", 1)
                optimizer["state"].setdefault(int(i), {})[name] = value
        self.method.load_state_dict(method)
        self.optimizer.load_state_dict(optimizer)


def pretrain(
    method: Method,
    corpus: Recordings,
    training: Training,
    crop: int,
    seed: int,
    device: Device,
    checkpoint: Path,
    progress: Progress,
) -> list[dict[str, float]]:
    """Trains a method on a corpus, from its last checkpoint if it has one.

    A step is a function of the weights, the seed and its number alone, so an interrupted run ends where an unbroken
    one would.

    Args:
        method: on the device; its encoder is what is trained.
        corpus: recordings; labels play no part.
        training: budget, optimiser, schedule.
        crop: samples of a window.
        seed: of clip order, windows, augmentation, dropout.
        device: where, and in which precision.
        checkpoint: written every half minute, and when interrupted.
        progress: told step by step.

    Returns:
        One row an epoch: epoch, learning rate, and the means of the loss and of the method's scalars.

    Raises:
        Mistake: if the corpus is smaller than a batch, or the loss is no longer a number.
    """
    batch = training.batch_size
    steps_per_epoch = len(corpus) // batch
    if steps_per_epoch == 0:
        raise Mistake(
            f"the corpus has {len(corpus)} clips, fewer than a batch of {batch}", fix="use a smaller batch_size"
        )
    run = _Run(method, make_optimizer(method, training), checkpoint)
    total = training.epochs * steps_per_epoch
    progress.expect(total, run.step)
    saved, ordered = time.monotonic(), -1
    method.train()
    try:
        while run.step < total:
            epoch, step_of_epoch = divmod(run.step, steps_per_epoch)
            seed_everything(seed, "step", run.step)
            if step_of_epoch == 0:
                method.before_epoch(epoch)
            if epoch != ordered:
                order, ordered = torch.randperm(len(corpus), generator=generator_for(seed, "order", epoch)), epoch
            index_B = order[step_of_epoch * batch : (step_of_epoch + 1) * batch]
            wave_BVT = corpus.crops(index_B, crop, method.windows, generator_for(seed, "crops", run.step))
            set_learning_rate(run.optimizer, training.learning_rate_at(run.step / steps_per_epoch))
            with device.autocast():
                loss, scalars = method(wave_BVT.to(device.device), index_B.to(device.device))
            run.optimizer.zero_grad()
            loss.backward()
            run.optimizer.step()
            method.after_step()
            for name, value in {"loss": loss, **scalars}.items():
                run.sums[name] = run.sums.get(name, 0) + value.detach().float()
            run.step += 1
            progress.advance()
            if run.step % steps_per_epoch == 0:
                row = {name: value.item() / steps_per_epoch for name, value in run.sums.items()}
                if not math.isfinite(row["loss"]):
                    raise Mistake(
                        f"the loss is {row['loss']} in epoch {epoch + 1}",
                        fix="lower the learning rate or raise the temperature, and run again",
                    )
                run.metrics.append({"epoch": epoch + 1, "learning_rate": run.optimizer.param_groups[0]["lr"], **row})
                run.sums = {}
                progress.advance(0, f"loss {row['loss']:.3f}")
            if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                run.save()
                saved = time.monotonic()
    except KeyboardInterrupt:
        run.save()
        raise
    return run.metrics
