"""Measures what a job costs by a few steps of its real work, on made sounds in place of the data set's.

Only packing reads the data set: it decodes some of its recordings. Each calibration is made in a process of its own, so
that the peak of its memory is its own, too.
"""

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmark.jobs import predictions, stand_ins
from benchmark.jobs.contents import Contents
from benchmark.jobs.embed import Config as ModelConfig
from benchmark.jobs.embed import EmbedJob
from benchmark.jobs.embedding import ClipEmbeddings, shortest_of
from benchmark.jobs.environment import peak_memory
from benchmark.jobs.evaluate import EvaluateJob
from benchmark.jobs.loop import pretrain
from benchmark.jobs.measure import MeasureJob
from benchmark.jobs.measuring import measure
from benchmark.jobs.model import Device, build_encoder, build_views, place
from benchmark.jobs.pack import PackJob
from benchmark.jobs.packing import make_pack
from benchmark.jobs.pretrain import PretrainJob
from benchmark.jobs.rates import Calibration, Cost
from benchmark.progress import Progress
from benchmark.store.job import AnyJob
from registry.augmentations import Augmentation
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend
from registry.lookup import WEIGHTS, Choice
from registry.methods import Corpus, Method
from registry.net import net_state
from registry.protocols import Model, Outcome, Split, Subject
from registry.views import Views
from registry.weights.own import brought
from registry.windows import Window

_DECODED = 128  # clips of a data set, spread over its list
_EMBEDDED = 16  # clips at a time: twice as many as embedding takes at once
_EVALUATED = 2048  # clips whose embeddings are evaluated
_MADE = 64  # clips of sound; further ones are these again
_ENOUGH = 1.0  # seconds of measuring
_EPOCHS = 16  # of two steps, at most
_LONG = 10.0  # seconds of a first try, beside which it does not count what only the first one does


@dataclass(frozen=True)
class Bench:
    """What a calibration works with.

    Args:
        device: where to compute.
        data: the folder of data sets.
        files: paths of weights, by what names them in keys.
        contents: of the data set that the job works on; None for packing.
        monitored: of the task that probes a pretraining, if there is one.
        dim: of the embeddings that are evaluated.
        window: that they were made of.
    """

    device: Device
    data: Path | None
    files: Mapping[str, str]
    contents: Contents | None = None
    monitored: Contents | None = None
    dim: int = 0
    window: Window = "whole"

    @property
    def clips(self) -> Contents:
        """The data set that the job works on."""
        assert self.contents
        return self.contents

    def cost(self, action: Callable[[], object]) -> Cost:
        """What one call costs."""
        began = time.perf_counter(), time.process_time()
        action()
        if self.device.device.type == "cuda":
            torch.cuda.synchronize(self.device.device)
        return Cost(seconds=time.perf_counter() - began[0], cpu_seconds=time.process_time() - began[1])

    def mean_cost(self, action: Callable[[], object]) -> Cost:
        """What a call costs in the mean of calls of a second in all, after a first one, which loads what they need.

        A long first call is enough.
        """
        first, total, calls = self.cost(action), Cost(), 0
        if first.seconds > _LONG:
            return first
        while total.seconds < _ENOUGH:
            total, calls = total.plus(self.cost(action)), calls + 1
        return total.times(1 / calls)


def calibrate(job: AnyJob, bench: Bench) -> Calibration:
    """Measures the costs of a job's work, in this process.

    Raises:
        Mistake: if the work cannot be done on so little.
    """
    measures: dict[str, Callable[[Any, Bench], Calibration]] = {
        "pack": _pack,
        "measure": _measure,
        "embed": _embed,
        "pretrain": _pretrain,
        "evaluate": _evaluate,
    }
    measured = measures[job.kind](job, bench)
    return measured.model_copy(update={"peak_memory": peak_memory(bench.device)})


def _pack(job: PackJob, bench: Bench) -> Calibration:
    import pandas as pd

    config, task = job.config, job.config.task.build()
    clips = task.clips(bench.data)
    chosen = [clips[i] for i in np.unique(np.linspace(0, len(clips) - 1, _DECODED).astype(int))]
    with TemporaryDirectory() as folder:

        def pack(name: str, count: int) -> Cost:
            (into := Path(folder) / name).mkdir()
            rate, some, nothing = config.sample_rate, chosen[:count], Progress()
            return bench.cost(lambda: make_pack(task, some, rate, into, nothing, samples=config.samples, skip_bad=True))

        pack("first", 2)  # which loads what packing needs
        cost = pack("all", len(chosen))
        file = Path(folder) / "all" / "clips.parquet"
        table, size = pd.read_parquet(file), file.stat().st_size
    seconds = table["samples"].sum() / config.sample_rate
    return Calibration(
        rates={"second of sound": cost.times(1 / seconds)},
        clips=len(chosen),
        sizes={"clip": size / len(table)},
        decoded=dict(zip(table["id"], map(int, table["samples"]), strict=True)),
    )


def _measure(job: MeasureJob, bench: Bench) -> Calibration:
    config, device, clips = job.config, bench.device.device, bench.clips.some(_EMBEDDED)
    frontend = build_views(config.frontend).frontend.to(device)
    recordings, every_N = stand_ins.recordings(clips), torch.arange(len(clips))

    def action() -> None:
        measure(frontend, recordings, every_N, config.window_samples, device, Progress())

    each = bench.mean_cost(action).times(1 / clips.amount(config.window_samples))
    return Calibration(rates={"window": each}, clips=len(clips))


def _embed(job: EmbedJob, bench: Bench) -> Calibration:
    window, device, clips = job.config.window_samples, bench.device, bench.clips.some(_EMBEDDED)
    views, encoder = _net(job.config, bench)
    recordings, names = stand_ins.recordings(clips), list(map(str, clips.names))
    shortest = shortest_of(views, encoder, recordings, device) if window == "whole" else 1

    def action() -> None:
        ClipEmbeddings(views, encoder, recordings, names, window, device, Progress(), shortest).in_memory()

    each = bench.mean_cost(action).times(1 / clips.amount(window))
    return Calibration(
        rates={"net": bench.cost(lambda: _net(job.config, bench)), "window": each},
        clips=len(clips),
        sizes={"dim": encoder.embedding_dim},
    )


def _pretrain(job: PretrainJob, bench: Bench) -> Calibration:
    """Trains a new net for an epoch of two steps, and another one for some such epochs."""
    fewest = 2 * job.config.training.batch_size
    try:
        return _trained(job, bench, min(fewest, len(bench.clips)))
    except Mistake:  # methods that cluster want more clips
        if fewest >= len(bench.clips):
            raise
        return _trained(job, bench, len(bench.clips))


def _trained(job: PretrainJob, bench: Bench, count: int) -> Calibration:
    config, device, known = job.config, bench.device, bench.clips
    clips = known.some(_MADE)
    label_N = known.labels().label_N[torch.arange(count) % len(known)]
    recordings = stand_ins.recordings(clips).subset(torch.arange(count) % len(clips))
    labels, window = known.labels(), config.window_samples

    def build() -> Method:
        views = build_views(config.frontend, config.augment, _unmeasured(config.frontend))
        encoder = build_encoder(config.encoder, views.frontend)
        corpus = Corpus(recordings, label_N, labels.classes, labels.target)
        return place(config.method.build(encoder, views, corpus), device)

    def train(method: Method, epochs: int) -> float:
        training = config.training.model_copy(update={"epochs": epochs, "keep": "last"})
        with TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "checkpoint"
            log = pretrain(method, recordings, training, window, config.seed, device, checkpoint, Progress())
        return log.steps_per_second

    first = bench.cost(lambda: train(build(), 1))
    epochs = min(max(math.ceil(_ENOUGH / first.seconds), 2), _EPOCHS)
    gc.collect()  # of the first net, which hangs in a cycle, and would count as memory
    net, method, steps_per_second = bench.cost(build), build(), 0.0

    def go_on() -> None:
        nonlocal steps_per_second
        steps_per_second = train(method, epochs)

    later = bench.cost(go_on)
    step = later.times(1 / steps_per_second / later.seconds)
    epoch = later.plus(step, -epochs * (count // config.training.batch_size)).times(1 / epochs)
    rates = {"net": net, "epoch": epoch, "step": step}
    if bench.monitored:
        probed = bench.monitored.some(_EMBEDDED)
        views, made, names = Views(method.views.frontend), stand_ins.recordings(probed), list(map(str, probed.names))
        embeddings = ClipEmbeddings(views, method.encoder, made, names, window, device, Progress())
        probe = bench.mean_cost(embeddings.in_memory)
        rates["probed window"] = probe.times(1 / probed.amount(window))
    state = net_state(method.encoder, method.views.frontend).values()
    return Calibration(rates=rates, clips=len(clips), sizes={"net": sum(tensor.nbytes for tensor in state)})


def _evaluate(job: EvaluateJob, bench: Bench) -> Calibration:
    """Evaluates for an epoch, and for some epochs more; without epochs, on all clips and on half of them."""
    protocol, clips = job.config.protocol, bench.clips
    count, run = min(len(clips), _EVALUATED), _Evaluation(job, bench)
    if job.config.model:  # as many clips as fill one batch of training
        trained = int((clips.fold_N != job.config.folds[0]).sum())
        count = min(count, max(len(clips) * getattr(protocol.settings, "batch_size", _MADE) // max(trained, 1), 8))
    cost = run.cost(count, 1)
    long = cost.seconds > _LONG
    if not long:  # the first time it loaded what it needs
        cost = run.cost(count, 1)
    each = cost.times(1 / count)
    rates = {"clip": each, "clip of an epoch": each}
    if run.epochs > 1 and not long:
        more = min(max(math.ceil(_ENOUGH / cost.seconds), 2), run.epochs - 1)
        rates["clip of an epoch"] = run.cost(count, 1 + more).plus(cost, -1).times(1 / more / count)
    elif not run.epochs and count < len(clips):
        rates = _growth(cost, run.cost(count // 2, 1), count)
    return Calibration(rates=rates, clips=count, sizes={"tested clip": run.size()})


def _growth(whole: Cost, half: Cost, count: int) -> dict[str, Cost]:
    """The rates by clip and by pair of clips that give the costs of all and of half of ``count`` clips."""
    pair = whole.plus(half, -2).times(2 / count**2)
    return {"pair of clips": pair, "clip": whole.plus(pair, -(count**2)).times(1 / count)}


class _Evaluation:
    """Evaluates a protocol on some clips, and writes their predictions."""

    def __init__(self, job: EvaluateJob, bench: Bench) -> None:
        self.job, self.bench = job, bench
        self.outcomes: list[Outcome] = []  # the last ones
        self.epochs = getattr(job.config.protocol.settings, "epochs", 0)

    def cost(self, count: int, epochs: int) -> Cost:
        """What so many clips and epochs cost."""
        config, device, clips = self.job.config, self.bench.device, self.bench.clips.some(count)
        settings = config.protocol.settings
        if self.epochs:
            settings = settings.model_copy(update={"epochs": epochs})
        protocol = config.protocol.component(settings)
        embeddings = None
        if self.job.needs.embed:
            window, dim = self.bench.window, self.bench.dim
            embeddings = stand_ins.embeddings(clips, window, dim, getattr(settings, "inputs", ()))
        model = self._model() if config.model else None
        pack = stand_ins.pack(clips if model else clips.silent())
        subject = Subject(embeddings, pack.recordings, device.device, device.autocast, model)
        split = Split(pack.known(), config.shots, 0, config.seed)

        def action() -> None:
            self.outcomes = protocol.evaluate(subject, split, config.folds, config.seed, lambda *told: None)
            with TemporaryDirectory() as folder:
                predictions.write(self.outcomes, pack, np.zeros(len(clips), bool), Path(folder))

        return self.bench.cost(action)

    def size(self) -> float:
        """Bytes of the files of predictions for each clip that is tested, by predictions for many clips."""
        clips = self.bench.clips.some(_EVALUATED).silent()
        rng, outcomes = np.random.default_rng(0), []
        for outcome in self.outcomes:
            tested = np.flatnonzero(clips.fold_N == outcome.fold)
            scores = outcome.scores[: len(tested)]
            if len(scores) < len(tested):  # rows again would take less than other rows
                scores = rng.standard_normal((len(tested), scores.shape[1])).astype(scores.dtype)
            epochs = list(range(1, self.epochs + 1)) if outcome.epochs else []
            predicted = np.resize(outcome.predicted[-1], (max(len(epochs), 1), len(tested)))
            outcomes.append(replace(outcome, clips=tested, scores=scores, epochs=epochs, predicted=predicted))
        with TemporaryDirectory() as folder:
            predictions.write(outcomes, stand_ins.pack(clips), np.zeros(len(clips), bool), Path(folder))
            written = sum(path.stat().st_size for path in Path(folder).iterdir())
        return written / sum(len(outcome.clips) for outcome in outcomes)

    def _model(self) -> Model:
        model = self.job.config.model
        assert model
        assert model.window_samples != "whole"
        views, _ = _net(model, self.bench, self.job.config.augment)
        return Model(lambda: _net(model, self.bench)[1], views, Views(views.frontend), model.window_samples)


def _net(model: ModelConfig, bench: Bench, augment: Sequence[Choice[Augmentation]] = ()) -> tuple[Views, Encoder]:
    """The views and the encoder on the device, without weights, unless it is a model that was made elsewhere."""
    views = build_views(model.frontend, augment, _unmeasured(model.frontend))
    encoder = build_encoder(model.encoder, views.frontend)
    if brought(model.encoder.component):
        named = model.weights.sha256 or model.weights.revision
        path = Path(bench.files[named]) if named else None
        WEIGHTS.find(model.weights.kind).load(encoder, views.frontend, model.weights.stated, path)
    return views.to(bench.device.device), place(encoder, bench.device)


def _unmeasured(frontend: Choice[Frontend]) -> dict[str, tuple[float, float]]:
    """Statistics in place of those that are measured later."""
    return dict.fromkeys(make_frontend(frontend).measured(), (0.0, 1.0))
