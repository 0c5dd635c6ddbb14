"""The pretraining loop.

A step depends only on the weights, the seed and the step's number, so an interrupted run ends where an unbroken one
would. A checkpoint is written half a minute after the last one, and when the process is asked to stop, but only if
losses are finite and embeddings have not collapsed. If the best epoch is kept, its net is part of the checkpoint, and
replaces the trained net at the end. Of several ranks all do the same steps, and the first one writes.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from benchmark.jobs.feed import Feed
from benchmark.jobs.model import Device
from benchmark.jobs.stopping import Paused, Stop, stop_signals
from benchmark.jobs.watch import Probe, look
from benchmark.memory import shortage
from benchmark.progress import Progress
from benchmark.store.files import json_text, replace_file, set_aside
from benchmark.trackers import UNTRACKED, Tracking
from registry.audio import Recordings
from registry.errors import Damaged, Interrupted, Mistake
from registry.methods import Method
from registry.metrics import Metric
from registry.net import load_net, net_state
from registry.optimizers import make_optimizer, set_learning_rate
from registry.ranks import ALONE, Ranks
from registry.seeding import seed_everything
from registry.tensors import read_tensors, write_tensors
from registry.training import Pretraining

_CHECKPOINT_SECONDS = 30.0
_EQUAL = 1e-6  # share by which the weights of ranks may differ
_ALIKE = 1e-2  # share by which their losses may differ, by rounding and what follows from it
_COLLAPSED = 1e-3  # deviation of unit embeddings; nine nets with random weights have 0.09 to 0.84


@dataclass(frozen=True)
class Log:
    """How a pretraining went.

    Args:
        epochs: one row for each epoch: ``epoch``, ``learning_rate``, the means of the loss and of the method's scalars,
            the geometry of the embeddings, and ``knn``, the probe's figure, in epochs with a probe.
        steps_per_second: since the last start, without the time for looks and probes.
        kept: the epoch whose weights the encoder has at the end.
    """

    epochs: list[dict[str, float]]
    steps_per_second: float
    kept: int


class _Run:
    """A running pretraining: everything that a checkpoint contains, and the checkpoint's path."""

    def __init__(
        self,
        method: Method,
        training: Pretraining,
        device: Device,
        checkpoint: Path,
        tracking: Tracking,
        require: Callable[[], None],
        ranks: Ranks,
    ) -> None:
        self.method, self.training, self.device, self.checkpoint = method, training, device, checkpoint
        self.tracking, self.require, self.ranks = tracking, require, ranks
        self.optimizer = make_optimizer(method, training)
        method.chunk, method.autocast, method.ranks = training.chunk, device.autocast, ranks
        method.train()
        self.step = 0
        self.metrics: list[dict[str, float]] = []
        self.sums: dict[str, Tensor] = {}  # of the current epoch, on the device: reading them would wait for it
        self.best: dict[str, Tensor] = {}  # the net after the epoch with the best probe, if that is kept

    def do_step(self, wave_BVT: Tensor, index_B: Tensor, learning_rate: float) -> None:
        """Does one step of the optimiser on a batch on the device; nothing in it waits for the device."""
        set_learning_rate(self.optimizer, learning_rate)
        loss, scalars = self.method(wave_BVT, index_B)
        self.optimizer.zero_grad()
        loss.backward()
        self.ranks.average(self.method.parameters())
        self.optimizer.step()
        self.method.after_step()
        for name, value in {"loss": loss, **scalars}.items():
            self.sums[name] = self.sums.get(name, 0) + value.detach().float()
        self.step += 1

    def check(self, seen: dict[str, float]) -> None:
        """Raises a Mistake if the training failed; the last checkpoint stays unchanged."""
        kept = f"the state before is kept in {self.checkpoint}" if self.checkpoint.exists() else "no state is kept"
        loss, deviation = self.sums["loss"].item(), seen["deviation"]
        self.ranks.require_alike([loss, deviation], _ALIKE, "the losses and deviations differ")
        if not math.isfinite(loss + deviation):
            what = "embeddings are" if math.isfinite(loss) else "loss is"
            raise Mistake(
                f"the {what} no longer a number by step {self.step}; {kept}",
                fix="lower the learning rate or raise the temperature, and run again",
            )
        if deviation < _COLLAPSED:
            raise Mistake(
                f"the embeddings collapsed by step {self.step}: they deviate by {deviation:.1e} from their "
                f"mean, of norm 1; {kept}",
                fix="lower the learning rate, use stronger augmentation or a larger batch, and run again",
            )

    def end_epoch(self, steps: int, seen: dict[str, float], probe: Probe | None, rate: float) -> str:
        """Closes an epoch of so many steps: probes if it is due, adds a row to the log, and returns a status.

        Trackers get the row, with the rate in steps a second; it is 0 if it is not known.
        """
        epoch = self.step // steps
        row = {"epoch": epoch, "learning_rate": self.optimizer.param_groups[0]["lr"]}
        row |= {name: value.item() / steps for name, value in self.sums.items()} | seen
        if probe and epoch % probe.every == 0:
            row["knn"] = probe.figure(self.method)
            if self.training.keep == "best":
                self._note_best(row["knn"], probe.metric)
        self.metrics.append(row)
        self.sums = {}
        scalars = {name: value for name, value in row.items() if name != "epoch"}
        self.tracking.scalars(epoch, scalars | ({"steps_per_second": rate} if rate else {}))
        return ", ".join(f"{name} {row[name]:.3f}" for name in ("loss", "knn") if name in row)

    def _note_best(self, figure: float, metric: Metric) -> None:
        """Copies the net's tensors, unless an earlier probe was as good."""
        before = [row["knn"] for row in self.metrics if "knn" in row]
        if metric.best([*before, figure]) == len(before):
            tensors = net_state(self.method.encoder, self.method.views.frontend).items()
            self.best = {name: value.detach().to("cpu", copy=True) for name, value in tensors}

    def left_in_probe(self, steps: int) -> bool:
        """Whether a probe was interrupted, so that the epoch is still to be closed; all is as it was at its end."""
        if not self.step or self.step % steps or len(self.metrics) == self.step // steps:
            return False
        self.method.epoch = self.step // steps - 1
        set_learning_rate(self.optimizer, self.training.learning_rate_at((self.step - 1) / steps))
        return True

    def end(self, probe: Probe | None) -> int:
        """Puts the tensors that are kept into the net, and returns their epoch."""
        if self.training.keep == "last" or probe is None:
            return self.training.epochs
        load_net(self.method.encoder, self.method.views.frontend, self.best)
        probed = [row for row in self.metrics if "knn" in row]
        return int(probed[probe.metric.best([row["knn"] for row in probed])]["epoch"])

    @contextmanager
    def pausing(self, stop: Stop) -> Iterator[None]:
        """In this block long work besides steps stops soon after a signal, with a checkpoint of the last step.

        Raises:
            Interrupted: after such a signal.
        """

        def pause() -> None:
            asked = self.ranks.most(stop.number)[0]
            if asked:
                raise Paused(asked)

        self.method.pause = pause
        try:
            yield
        except Paused as paused:
            self.save()
            raise Interrupted(paused.number) from None

    def save(self) -> None:
        """Writes the checkpoint, if this is the first rank; the older one stays whole until the new one is.

        Raises:
            Lost: if another run has taken the pretraining over.
        """
        if self.ranks.rank or not self.step:
            return
        tensors = {f"method.{key}": value for key, value in self.method.state_dict().items()}
        tensors |= {f"sum.{key}": value for key, value in self.sums.items()}
        tensors |= {f"best.{key}": value for key, value in self.best.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{key}": torch.as_tensor(value) for key, value in state.items()}
        metadata = {"of": self.checkpoint.name, "step": str(self.step), "metrics": json_text(self.metrics)}

        def write(path: Path) -> None:
            write_tensors(path, tensors, metadata)
            self.require()  # after the longest part: what another run has saved meanwhile stays

        replace_file(self.checkpoint, write)

    def resume(self, progress: Progress) -> None:
        """Goes on from the checkpoint, if there is one. A damaged one is set aside, with a line about it.

        The first rank reads it before the others, so that they do not meet a damaged one.

        Raises:
            Mistake: on every rank, if some have no checkpoint, or other weights.
        """
        for turn in (True, False):
            if turn == (self.ranks.rank == 0):
                self._resume(progress)
            self.ranks.most(0)  # which waits for all
        weights = sum(p.detach().double().abs().sum().item() for p in self.method.parameters())
        self.ranks.require_alike([self.step, weights], _EQUAL, "the steps and weights to begin with differ")

    def _resume(self, progress: Progress) -> None:
        if not self.checkpoint.exists():
            return
        try:
            self._load()
        except Damaged as damage:
            aside = set_aside(self.checkpoint, self.checkpoint.parent)
            progress.say(f"{damage.what}; it is kept in {aside}, and the pretraining begins anew")

    def _load(self) -> None:
        """Reads the checkpoint.

        Raises:
            Damaged: if it is not what was written, or is of another pretraining; nothing is changed then.
        """
        try:
            tensors, metadata = read_tensors(self.checkpoint)
            by_kind: dict[str, dict[str, Tensor]] = {"method": {}, "sum": {}, "best": {}, "optimizer": {}}
            for key, value in tensors.items():
                kind, name = key.split(".", 1)
                by_kind[kind][name] = value
            step, metrics = int(metadata["step"]), _metrics(metadata["metrics"])
            foreign = metadata.get("of", self.checkpoint.name) != self.checkpoint.name
            state = self._optimizer_state(by_kind["optimizer"])
        except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError, SafetensorError) as error:
            if shortage(error):
                raise
            raise Damaged(f"{self.checkpoint.name} cannot be read: {error}", self.checkpoint) from error
        net = _shapes(net_state(self.method.encoder, self.method.views.frontend))
        fits = _shapes(by_kind["method"]) == _shapes(self.method.state_dict()) and _shapes(by_kind["best"]) in ({}, net)
        if foreign or not fits:
            raise Damaged(f"{self.checkpoint.name} is of another pretraining", self.checkpoint)
        self.step, self.metrics, self.sums, self.best = step, metrics, by_kind["sum"], by_kind["best"]
        self.method.load_state_dict(by_kind["method"])
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})

    def _optimizer_state(self, tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
        """The optimiser's state of each parameter, by the parameter's place: numbers, or tensors of its shape."""
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            place, name = key.split(".", 1)
            if value.shape not in (parameters[int(place)].shape, ()):
                raise ValueError(f"{key} of the optimiser does not fit")
            state.setdefault(int(place), {})[name] = value
        return state


def _metrics(text: str) -> list[dict[str, float]]:
    """The log in a checkpoint, where null stands for a figure that is not defined.

    Raises:
        ValueError: if it is no log.
    """
    rows = json.loads(text)
    values = [value for row in rows for value in row.values()] if all(isinstance(row, dict) for row in rows) else [""]
    if not all(value is None or isinstance(value, int | float) for value in values):
        raise ValueError("its log is none")
    return [{name: math.nan if value is None else value for name, value in row.items()} for row in rows]


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}


class _Clock:
    """Counts the seconds of training, and the seconds since the last checkpoint."""

    def __init__(self) -> None:
        self.began = self.saved = time.monotonic()
        self.elsewhere = 0.0

    def save_is_due(self) -> bool:
        """Whether the last checkpoint is half a minute old."""
        return time.monotonic() - self.saved > _CHECKPOINT_SECONDS

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The time of this block does not count as training."""
        began = time.monotonic()
        yield
        self.elsewhere += time.monotonic() - began

    def rate(self, steps: int) -> float:
        """Steps a second of training."""
        return steps / (time.monotonic() - self.began - self.elsewhere) if steps else 0.0


def pretrain(
    method: Method,
    corpus: Recordings,
    training: Pretraining,
    window_samples: int,
    seed: int,
    device: Device,
    checkpoint: Path,
    progress: Progress,
    probe: Probe | None = None,
    tracking: Tracking = UNTRACKED,
    require: Callable[[], None] = lambda: None,
    ranks: Ranks = ALONE,
) -> Log:
    """Trains a method on a corpus, from its last checkpoint if there is a whole one.

    Args:
        method: on the device; its encoder is trained, and its front end if that learns.
        corpus: recordings; the method has their labels, if it uses any.
        training: budget, optimiser, schedule.
        window_samples: samples in a window.
        seed: of clip order, windows, augmentation, dropout.
        device: where, and in which precision.
        checkpoint: its path.
        progress: advances with each step.
        probe: tests the embeddings on a labelled task; ``keep: best`` needs a probe, and chooses by it.
        tracking: gets the row of each epoch, with the steps a second.
        require: is called before a checkpoint is saved; raises ``Lost`` if another run has taken the pretraining over.
        ranks: that do this together, each on its own device.

    Raises:
        Lost: as ``require`` says.
        Mistake: if the corpus is smaller than a batch, ranks do not divide a batch or do not compute alike, a loss is
            no number, or the embeddings collapse.
        Interrupted: after the current step, or within a probe or a clustering, if this process, or that of another
            rank, was asked to stop.
    """
    batch, steps = training.batch_size, _steps_an_epoch(len(corpus), training.batch_size)
    training.require_division(ranks.world)
    run = _Run(method, training, device, checkpoint, tracking, require, ranks)
    run.resume(progress)
    first, total = run.step, training.epochs * steps
    feed = Feed(corpus, window_samples, method.windows, batch, seed, device.device)
    batches, clock = feed.batches(first, total), _Clock()
    progress.expect(total, first, "steps")
    asked, seen = 0, partial(look, method, corpus, window_samples, seed, device)
    with stop_signals() as stop, run.pausing(stop), closing(batches):
        if run.left_in_probe(steps):
            run.end_epoch(steps, seen(), probe, 0.0)
        while run.step < total and not asked:
            epoch, step = divmod(run.step, steps)
            seed_everything(seed, "step", run.step)
            method.epoch = epoch
            if step == 0:
                method.before_epoch()
            run.do_step(*next(batches), training.learning_rate_at(run.step / steps))
            progress.advance()
            asked, due = ranks.most(stop.number, clock.save_is_due())
            if step + 1 < steps and not asked and not due:
                continue
            rate = clock.rate(run.step - first)
            with clock.stopped():
                run.check(now := seen())
                if step + 1 == steps:
                    progress.advance(0, run.end_epoch(steps, now, probe, rate))
                if asked or due:
                    run.save()
                    clock.saved = time.monotonic()
    if asked:
        raise Interrupted(asked)
    return Log(run.metrics, clock.rate(run.step - first), run.end(probe))


def _steps_an_epoch(clips: int, batch: int) -> int:
    """How many whole batches a corpus has."""
    if clips < batch:
        raise Mistake(f"the corpus has {clips} clips, fewer than a batch of {batch}", fix="use a smaller batch_size")
    return clips // batch
