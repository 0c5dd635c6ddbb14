"""Every method trains for a minute on made sounds, and then tells them apart better than random weights do."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.jobs.loop import pretrain
from benchmark.jobs.model import Device, build_encoder, build_views, choose_device, place
from benchmark.jobs.packing import Pack, make_pack, open_pack
from benchmark.jobs.watch import Probe
from benchmark.progress import Progress
from registry.lookup import AUGMENTATIONS, ENCODERS, FRONTENDS, METHODS
from registry.methods import Corpus, Method
from registry.tasks.sounds import Sounds
from registry.training import Pretraining

MIX = ("gain", "mix")
LOGMEL = {"name": "logmel", "hop_length": 320}
CNN10 = {"name": "cnn10", "width": 8, "dropout": 0.0}
RAW = {"name": "conv320", "width": 32}
FORMATS = {
    "name": "multiformat",
    "branches": {
        "waveform": {"frontend": "waveform", "encoder": RAW},
        "logmel": {"frontend": LOGMEL, "encoder": {"name": "cnn10", "width": 4}},
    },
}


@dataclass(frozen=True)
class Trial:
    """What trains within 150 steps on a narrow net."""

    settings: dict[str, Any] = field(default_factory=dict)
    learning_rate: float = 1e-3
    augmentations: tuple[Any, ...] = MIX
    frontend: Any = field(default_factory=lambda: LOGMEL)
    encoder: dict[str, Any] = field(default_factory=lambda: CNN10)


TRIALS: dict[str, Trial] = {
    "barlow-twins": Trial({"dim": 128}),
    "byol": Trial({"dim": 64, "hidden": 256, "momentum": 0.9}),
    "clar": Trial({"dim": 64, "hidden": 256}),
    "clar/labelled": Trial({"dim": 64, "hidden": 256, "labelled": 0.5}),
    "cld": Trial({"base": {"name": "npid", "negatives": 0, "dim": 64, "temperature": 0.1}, "clusters": 10}),
    "cld/moco": Trial(
        {"base": {"name": "moco", "queue_size": 320, "momentum": 0.99, "dim": 64, "norm_groups": 1}, "clusters": 10},
        3e-3,
    ),
    "cola": Trial({"dim": 128, "similarity": "cosine"}),
    "colorization": Trial(),
    "cpc": Trial(frontend="waveform", encoder=RAW),
    # Its labels are what random features hold: of a log-mel, averaged over its bands, little, so that it gains from
    # -0.06 to +0.14 from one seed to the next; of raw audio enough, for three seeds of three.
    "deepcluster": Trial(
        {"clusters": 40, "classifier_rate": 0.3, "components": 16, "reassign": 4}, frontend="waveform", encoder=RAW
    ),
    "deepcluster-v2": Trial({"clusters": 40, "iterations": 10, "dim": 64, "hidden": 256, "short": 0}),
    "jigsaw": Trial({"permutations": 24}, augmentations=("gain",), frontend={"name": "logmel", "hop_length": 80}),
    "metric/contrastive": Trial({"loss": "contrastive", "dim": 64}),
    "metric/lifted-structure-smooth": Trial({"loss": "lifted-structure-smooth", "dim": 64}),
    "metric/n-pair": Trial({"loss": "n-pair", "dim": 64}, 3e-3),
    "metric/labels": Trial({"loss": "triplet", "dim": 64, "labels": True}),
    "moco": Trial({"queue_size": 320, "momentum": 0.99, "dim": 64, "norm_groups": 1}, 3e-3),
    "multiformat": Trial({"dim": 64}, 3e-3, ("gain",), "waveform", FORMATS),
    "npid": Trial({"negatives": 0, "temperature": 0.1, "bank_momentum": 0}),
    "rotation": Trial(),
    "simclr": Trial({"dim": 64}),
    "supervised": Trial(),
    "swav": Trial(
        {"short": 0, "prototypes": 100, "dim": 64, "hidden": 256, "epsilon": 0.03, "queue_size": 384, "queue_epoch": 2}
    ),
    "triplet": Trial({"dim": 64}),
    "vicreg": Trial({"dim": 128}),
}


def test_every_method_has_a_trial() -> None:
    assert {name.split("/")[0] for name in TRIALS} == set(METHODS.names())


@pytest.fixture(autouse=True)
def _all_cores() -> Iterator[None]:
    """These nets are large enough for it."""
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("sounds")
    task = Sounds(Sounds.Config(clips=8))
    made = make_pack(task, task.clips(None), 16000, folder, Progress())
    (folder / "result.json").write_text(made.model_dump_json())
    return open_pack(folder)


def build(name: str, corpus: Corpus, device: Device) -> Method:
    """A method of ``TRIALS`` on a device."""
    trial = TRIALS[name]
    torch.manual_seed(0)
    chosen = [AUGMENTATIONS.choose(augmentation) for augmentation in trial.augmentations]
    views = build_views(FRONTENDS.choose(trial.frontend), chosen)
    encoder = build_encoder(ENCODERS.choose(trial.encoder), views.frontend)
    choice = METHODS.choose({"name": name.split("/")[0], **trial.settings})
    method: Method = place(METHODS.find(choice.name)(choice.settings, encoder, views, corpus), device)
    return method


@pytest.mark.slow
@pytest.mark.parametrize("name", TRIALS)
def test_a_minute_of_training_beats_random_features(name: str, sounds: Pack, tmp_path: Path) -> None:
    device, labels = choose_device("cpu", "fp32"), sounds.known()
    method = build(name, Corpus(sounds.recordings, labels.label_N, labels.classes), device)
    probe = Probe(sounds, labels, Sounds.folds, 16000, device, every=12)
    before = probe.figure(method)
    budget = {"epochs": 12, "batch_size": 32, "learning_rate": TRIALS[name].learning_rate, "warmup_epochs": 1}
    training = Pretraining.model_validate(budget)
    checkpoint = tmp_path / "checkpoint"
    log = pretrain(method, sounds.recordings, training, 16000, 0, device, checkpoint, Progress(), probe).epochs
    print(f"{name}: loss {log[0]['loss']:.3f} to {log[-1]['loss']:.3f}, knn {before:.3f} to {log[-1]['knn']:.3f}")
    # Queues begin with random directions, which are easy negatives: at first MoCo's loss rises.
    assert log[-1]["loss"] < max(row["loss"] for row in log[:3])
    assert log[-1]["deviation"] > 0.05  # no collapse: 0 for a single point
    assert log[-1]["rank"] > 2
    assert log[-1]["knn"] > before + 0.05
