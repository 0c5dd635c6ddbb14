"""A MoCo and an NPID of real size, trained on made sounds for as long as there is time."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark.jobs.loop import pretrain
from benchmark.jobs.model import build_views
from benchmark.jobs.packing import Pack
from benchmark.jobs.watch import Probe
from benchmark.progress import Progress
from registry.audio import Recordings
from registry.lookup import AUGMENTATIONS, FRONTENDS, METHODS
from registry.methods import Corpus
from registry.seeding import seed_everything
from registry.tasks.sounds import RATE, Sounds
from registry.training import Pretraining
from tests.speed_gpu.bench import RESNET50, SMALL_NET, Bench, Row, Training, fresh, named, tidy


def real_moco(bench: Bench) -> Iterator[Row]:
    """MoCo on made sounds for the time that is left to this part."""
    yield _real(bench, {"name": "moco", **({"queue_size": 64, "norm_groups": 2} if bench.small else {})})


def real_npid(bench: Bench) -> Iterator[Row]:
    """NPID likewise."""
    yield _real(bench, {"name": "npid", **({"negatives": 16} if bench.small else {})})


def _real(bench: Bench, method: dict[str, Any]) -> Row:
    """Trains on made sounds, and says by how much neighbours tell them apart better than before."""
    net, batch = (SMALL_NET, 16) if bench.small else (RESNET50, 256)
    pack = _sounds(2 if bench.small else 40)
    training = Training(bench, method, net, {"name": "logmel"}, 1.0, batch)
    rate = 1 / bench.by_turns(training.step)[0]
    del training
    tidy()
    seed_everything(0, "weights")
    views = build_views(FRONTENDS.choose({"name": "logmel"}), [AUGMENTATIONS.choose("mix")])
    labels = pack.known()
    corpus = Corpus(pack.recordings, labels.label_N, labels.classes)
    built = METHODS.choose(method).build(fresh(net, views.frontend, bench.device), views, corpus)
    built = built.to(bench.device.device)
    probe = Probe(pack, labels, Sounds.folds, RATE, bench.device, every=10**6)
    began = time.monotonic()
    before = probe.figure(built)
    spent = time.monotonic() - began
    steps = len(pack.recordings) // batch
    epochs = 1 if bench.small else max(1, min(200, int((bench.left() - 2 * spent - 10) * rate * 0.7 / steps)))
    recipe = {**METHODS.find(method["name"]).recipe, "batch_size": batch, "epochs": epochs}
    training_settings = Pretraining.model_validate(recipe)
    with TemporaryDirectory() as folder:
        log = pretrain(
            built, pack.recordings, training_settings, RATE, 0, bench.device, Path(folder) / "checkpoint", Progress()
        )
    after, losses = probe.figure(built), [row["loss"] for row in log.epochs]
    note = (
        f"{epochs} epochs of {steps} steps, the recipe's rate; loss {losses[0]:.3f} to {losses[-1]:.3f}; "
        f"neighbours' accuracy {before:.3f} to {after:.3f}"
    )
    return Row(
        f"{method['name']} on {len(pack.recordings):,} made sounds, {named(net)}, batch {batch}",
        log.steps_per_second * batch,
        note=note,
    )


def _sounds(clips: int) -> Pack:
    """So many made sounds of each class in each fold."""
    task = Sounds(Sounds.Config(clips=clips))
    listed = task.clips(None)
    waves = [np.round(task.read(clip)[0] * 32767).astype(np.int16) for clip in listed]
    offsets = np.concatenate([[0], np.cumsum([len(wave) for wave in waves])])
    return Pack(
        recordings=Recordings(np.concatenate(waves), offsets, RATE),
        ids=pa.array(clip.id for clip in listed),
        labels=np.array([clip.label for clip in listed]),
        folds=np.array([clip.fold for clip in listed]),
        sources=pa.array(clip.source for clip in listed),
        hashes=lambda: pa.array(clip.id for clip in listed),
        classes=Sounds.classes,
        content_hash="",
        skipped=(),
        target="one-label",
    )
