"""The pretraining loop: determinism, resumption, schedules, and what stops it."""

import random
import signal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from benchmark.jobs.loop import pretrain
from benchmark.jobs.model import choose_device
from benchmark.jobs.packing import Pack
from benchmark.jobs.watch import Probe, look
from benchmark.progress import Progress
from benchmark.signals import STOP_SIGNALS
from benchmark.store.leases import Lost
from benchmark.trackers import UNTRACKED, Tracking
from registry.encoders.cnn10 import Cnn10
from registry.errors import Damaged, Interrupted, Mistake
from registry.frontends.logmel import LogMel
from registry.lookup import AUGMENTATIONS, ENCODERS, METHODS
from registry.methods import Method
from registry.protocols import Labels
from registry.ranks import ALONE, Ranks
from registry.seeding import seed_everything
from registry.settings import Settings
from registry.tensors import read_tensors, write_tensors
from registry.training import Pretraining, Training
from registry.views import Views
from tests.registry.test_methods import corpus


class Interrupts(Progress):
    """Sends the signal of Ctrl-C, or of a batch system, at a step."""

    def __init__(self, step: int, number: int = signal.SIGINT) -> None:
        self.left, self.signal = step, number

    def advance(self, steps: int = 1, status: str = "") -> None:
        self.left -= steps
        if self.left == 0:
            signal.raise_signal(self.signal)


class Overtaken(Interrupts):
    """Another run takes the pretraining over at a step, and saves its state; from then on it is not this run's."""

    def __init__(self, step: int, checkpoint: Path, stops: bool) -> None:
        super().__init__(step + 1 if stops else 0)
        self.step, self.checkpoint = step, checkpoint

    def advance(self, steps: int = 1, status: str = "") -> None:
        self.step -= steps
        if self.step == 0:
            self.checkpoint.write_text("the other's")
        super().advance(steps, status)

    def require(self) -> None:
        if self.step <= 0:
            raise Lost(self.checkpoint)


CORPUS = corpus(40)


def build(name: str) -> Method:
    seed_everything(0, "weights")
    views = Views(
        LogMel(LogMel.Config(n_mels=32, hop_length=200)),
        [AUGMENTATIONS.find("mix")(AUGMENTATIONS.choose("mix").settings)],
    )
    encoder = Cnn10(ENCODERS.choose({"name": "cnn10", "width": 2, "dropout": 0.3}).settings, 1, 32)
    references: dict[str, dict[str, Any]] = {
        "moco": {"queue_size": 16, "norm_groups": 2, "dim": 8},
        "npid": {"negatives": 8, "dim": 8},
        "simclr": {"dim": 8},
        "byol": {"dim": 8, "hidden": 16},
        "deepcluster": {"clusters": 4, "components": 2},
    }
    choice = METHODS.choose({"name": name, **references[name]})
    method: Method = METHODS.find(name)(choice.settings, encoder, views, CORPUS)
    return method


def train(
    name: str,
    folder: Path,
    progress: Progress | None = None,
    seed: int = 0,
    tracking: Tracking = UNTRACKED,
    ranks: Ranks = ALONE,
    **settings: Any,
) -> tuple[Method, list[dict[str, float]]]:
    options = {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "optimizer": "adamw", **settings}
    method, device, checkpoint = build(name), choose_device("cpu", "fp32"), folder / "checkpoint"
    training = Pretraining(**options)
    place = device, checkpoint, progress or Progress()
    log = pretrain(method, CORPUS.recordings, training, 4000, seed, *place, tracking=tracking, ranks=ranks)
    return method, log.epochs


def same(a: Method, b: Method) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        *((name, optimizer) for name in ("moco", "npid") for optimizer in ("sgd", "adamw")),
        ("simclr", "lars"),
        ("byol", "larc"),
        ("byol", "adam"),
    ],
)
def test_an_interrupted_run_ends_where_an_unbroken_one_does(name: str, optimizer: str, tmp_path: Path) -> None:
    unbroken, log = train(name, tmp_path / "a", optimizer=optimizer)
    for step, asked in ((3, signal.SIGINT), (6, signal.SIGTERM)):  # in the first epoch, and again in a later one
        with pytest.raises(KeyboardInterrupt):
            train(name, tmp_path / "b", Interrupts(step, asked), optimizer=optimizer)
    assert (tmp_path / "b" / "checkpoint").exists()
    resumed, log_again = train(name, tmp_path / "b", optimizer=optimizer)
    assert same(unbroken, resumed)
    assert log == log_again
    assert [row["epoch"] for row in log] == [1, 2, 3]


@pytest.mark.parametrize("asked", STOP_SIGNALS)
def test_every_signal_that_asks_to_stop_leaves_a_checkpoint(asked: signal.Signals, tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as stopped:
        train("npid", tmp_path, Interrupts(2, asked))
    assert stopped.value.status == 128 + asked
    assert read_tensors(tmp_path / "checkpoint")[1]["step"] == "2"


class Told(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


class Broken(NamedTuple):
    method: Method
    log: list[dict[str, float]]
    checkpoint: bytes


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Broken:
    """What an unbroken run ends with, and the checkpoint of one that was interrupted."""
    folder = tmp_path_factory.mktemp("broken")
    method, log = train("moco", folder / "unbroken")
    with pytest.raises(KeyboardInterrupt):
        train("moco", folder, Interrupts(6))
    return Broken(method, log, (folder / "checkpoint").read_bytes())


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "no tensors", "of another seed", "of another method"])
def test_a_damaged_checkpoint_is_kept_and_the_pretraining_begins_anew(
    harm: str, broken: Broken, tmp_path: Path
) -> None:
    checkpoint, content = tmp_path / "checkpoint", broken.checkpoint
    checkpoint.write_bytes(content)
    if harm == "flip":
        checkpoint.write_bytes(content[:-100] + bytes([content[-100] ^ 1]) + content[-99:])
    elif harm == "of another method":
        checkpoint.unlink()
        with pytest.raises(KeyboardInterrupt):
            train("npid", tmp_path, Interrupts(6))
    elif harm == "of another seed":  # whose checkpoint has another key, of which the name is made, and was copied here
        tensors, metadata = read_tensors(checkpoint)
        write_tensors(checkpoint, tensors, {**metadata, "of": "another"})
    else:
        checkpoint.write_bytes({"cut": content[:-1], "empty": b"", "no tensors": b"PK not safetensors"}[harm])
    harmed, told = checkpoint.read_bytes(), Told()
    again, log = train("moco", tmp_path, told)
    assert same(broken.method, again)
    assert broken.log == log
    assert (tmp_path / "checkpoint.1").read_bytes() == harmed
    (line,) = told.lines
    assert line.startswith("checkpoint ")
    assert f"kept in {tmp_path / 'checkpoint.1'}" in line


def test_any_flipped_bit_of_a_checkpoint_is_noticed(broken: Broken, tmp_path: Path) -> None:
    def step(path: Path) -> str:
        return read_tensors(path)[1]["step"]

    whole, rng, harmed = broken.checkpoint, random.Random(0), tmp_path / "harmed"
    harmed.write_bytes(whole)
    assert step(harmed) == "6"
    header = 8 + int.from_bytes(whole[:8], "little")
    for place in [*(rng.randrange(len(whole)) for _ in range(50)), *(rng.randrange(header) for _ in range(50))]:
        harmed.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :])
        with pytest.raises((Damaged, SafetensorError, KeyError)):
            step(harmed)


def test_a_checkpoint_without_a_digest_is_still_read(broken: Broken, tmp_path: Path) -> None:
    checkpoint, told = tmp_path / "checkpoint", Told()
    checkpoint.write_bytes(broken.checkpoint)
    tensors, metadata = read_tensors(checkpoint)
    save_file(tensors, checkpoint, {name: metadata[name] for name in ("step", "metrics")})
    again, log = train("moco", tmp_path, told)
    assert told.lines == []
    assert same(broken.method, again)
    assert broken.log == log


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(broken: Broken, tmp_path: Path) -> None:
    again, other = (train("moco", tmp_path / str(seed), seed=seed)[0] for seed in (0, 1))
    assert same(broken.method, again)
    assert not same(broken.method, other)


def test_a_corpus_smaller_than_a_batch_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="40 clips, fewer than a batch of 64"):
        train("npid", tmp_path, batch_size=64)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="no longer a number by step 5"):
        train("npid", tmp_path, optimizer="sgd", learning_rate=1e30)


@pytest.mark.parametrize("stops", [False, True])
def test_a_run_that_lost_its_pretraining_saves_nothing_over_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: bool
) -> None:
    """A run that was asked to stop stops."""
    checkpoint, device = tmp_path / "checkpoint", choose_device("cpu", "fp32")
    progress = Overtaken(7, checkpoint, stops)
    monkeypatch.setattr("benchmark.jobs.loop._CHECKPOINT_SECONDS", 1e9 if stops else 0)
    training = Pretraining(epochs=3, batch_size=8, learning_rate=0.01)
    given = (CORPUS.recordings, training, 4000, 0, device, checkpoint, progress)
    with pytest.raises(KeyboardInterrupt if stops else Lost):
        pretrain(build("npid"), *given, require=progress.require)
    assert checkpoint.read_text() == "the other's"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


class Constant(Method):
    """Drives every embedding to one point, from the second epoch on."""

    windows = 1

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        z_BD = self.embed(self.views(wave_BVT[:, 0]))
        return z_BD.square().mean() if self.epoch == 0 else (z_BD - 1).square().mean() * 1e3, {}


def test_a_collapse_stops_the_run_and_keeps_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.jobs.loop._CHECKPOINT_SECONDS", 0)  # a checkpoint after every step that is sound
    built = build("npid")
    method = Constant(Settings(), built.encoder, built.views, CORPUS)
    training = Pretraining(epochs=60, batch_size=8, learning_rate=0.3, optimizer="adamw", schedule="constant")
    checkpoint, device = tmp_path / "checkpoint", choose_device("cpu", "fp32")
    with pytest.raises(Mistake, match="the embeddings collapsed by step") as caught:
        pretrain(method, CORPUS.recordings, training, 4000, 0, device, checkpoint, Progress())
    assert str(checkpoint) in caught.value.what
    tensors, metadata = read_tensors(checkpoint)
    method.load_state_dict({name.removeprefix("method."): t for name, t in tensors.items() if name[:7] == "method."})
    assert look(method, CORPUS.recordings, 4000, 0, device)["deviation"] > 1e-3
    assert f"by step {int(metadata['step']) + 1}" in caught.value.what


def test_a_loss_that_is_no_number_leaves_the_last_finite_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.jobs.loop._CHECKPOINT_SECONDS", 0)
    with pytest.raises(Mistake, match="the state before is kept in"):
        train("npid", tmp_path, optimizer="sgd", learning_rate=1e30, warmup_epochs=3)
    assert all(t.isfinite().all() for t in read_tensors(tmp_path / "checkpoint")[0].values())


def test_every_epoch_tells_how_the_embeddings_lie(broken: Broken) -> None:
    for row in broken.log:
        assert 0 < row["deviation"] <= 1
        assert 1 <= row["rank"] <= 39
        assert row["alignment"] >= 0
        assert row["uniformity"] <= 0


class Numbered(Method):
    """Logs the mean position of a batch's clips in the corpus, as a scalar that carries gradients."""

    windows = 1

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.embed(self.views(wave_BVT[:, 0])).square().mean()
        return loss, {"position": index_B.float().mean() + 0 * loss}


def test_the_log_has_the_means_of_a_methods_scalars_over_each_epoch(tmp_path: Path) -> None:
    built = build("npid")
    method = Numbered(Settings(), built.encoder, built.views, CORPUS)
    training, device = Pretraining(epochs=2, batch_size=8, learning_rate=0.01), choose_device("cpu", "fp32")
    log = pretrain(method, CORPUS.recordings, training, 4000, 0, device, tmp_path / "checkpoint", Progress()).epochs
    assert [row["position"] for row in log] == [19.5, 19.5]  # an epoch has all 40 clips


def test_the_probe_is_asked_when_it_is_due_and_changes_nothing(broken: Broken, tmp_path: Path) -> None:
    device = choose_device("cpu", "fp32")
    folds = torch.arange(40) % 5
    pack = Pack(
        CORPUS.recordings,
        pa.array(map(str, range(40))),
        CORPUS.label_N.numpy(),
        folds.numpy(),
        pa.array([], "string"),
        lambda: pa.array([], "string"),
        ("a",) * 4,
        "",
        (),
    )
    labels = Labels(CORPUS.label_N, folds, torch.arange(40), 4)
    method = build("moco")
    probe = Probe(pack, labels, (0, 1, 2, 3, 4), 4000, device, every=2)
    training = Pretraining(epochs=3, batch_size=8, learning_rate=0.01)
    log = pretrain(method, CORPUS.recordings, training, 4000, 0, device, tmp_path / "b", Progress(), probe).epochs
    assert ["knn" in row for row in log] == [False, True, False]
    assert 0 <= log[1]["knn"] <= 1
    assert same(broken.method, method)


def test_learning_rates_follow_the_schedules() -> None:
    def at(epochs: list[float], **settings: Any) -> list[float]:
        training = Training(epochs=200, batch_size=8, learning_rate=0.03, **settings)
        return [training.learning_rate_at(e) for e in epochs]

    assert at([0, 119, 120, 160], schedule="step") == pytest.approx([0.03, 0.03, 0.003, 0.0003])
    assert at([0, 100, 200], schedule="cosine") == pytest.approx([0.03, 0.015, 0])
    assert at([5, 10, 105], schedule="cosine", warmup_epochs=10) == pytest.approx([0.015, 0.03, 0.015])
    assert at([0, 199], schedule="constant") == [0.03, 0.03]
    # A cosine from 0.03 to 0.003 is halfway at 0.0165; half of a warm-up from 0.006 is at 0.018.
    shares = {"schedule": "cosine", "warmup_epochs": 10, "warmup_from": 0.2, "final_rate": 0.1}
    assert at([0, 5, 10, 105, 200], **shares) == pytest.approx([0.006, 0.018, 0.03, 0.0165, 0.003])


def test_the_rate_of_wang_2021_falls_from_1e_4_to_1e_6() -> None:
    recipe = Training.model_validate(METHODS.find("multiformat").recipe)
    assert [recipe.learning_rate_at(epoch) for epoch in (0, 200)] == pytest.approx([1e-4, 1e-6])
