"""Which epoch's weights are kept, and probes and clusterings that are interrupted."""

import signal
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmark.jobs.loop import pretrain
from benchmark.jobs.model import choose_device
from benchmark.jobs.watch import Probe
from benchmark.progress import Progress
from registry.errors import Interrupted
from registry.methods import Method
from registry.methods.deepcluster import DeepCluster
from registry.protocols import Labels
from registry.targets import Target
from registry.targets.number import Number
from registry.targets.one_label import OneLabel
from registry.tensors import read_tensors
from registry.training import Pretraining
from tests.benchmark.jobs.test_loop import CORPUS, Interrupts, build, same, train


class Scripted(Probe):
    """Answers by the epoch alone, and remembers every encoder that it was asked about."""

    def __init__(self, answers: list[float], target: Target | None = None) -> None:
        labels = Labels(CORPUS.label_N, torch.arange(40), torch.arange(40), 4, target or OneLabel())
        vars(self).update(every=1, answers=answers, seen={}, labels=labels)

    def figure(self, method: Method) -> float:
        vars(self)["seen"][method.epoch] = {k: v.clone() for k, v in method.encoder.state_dict().items()}
        answer: float = vars(self)["answers"][method.epoch]
        return answer


KEEPING = Pretraining(epochs=4, batch_size=8, learning_rate=0.01, keep="best")


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Tensor]]:
    """The encoder of each epoch, from 0, of a pretraining that nothing interrupts."""
    probe, checkpoint = Scripted([0.0] * 4), tmp_path_factory.mktemp("unbroken") / "checkpoint"
    device = choose_device("cpu", "fp32")
    pretrain(build("moco"), CORPUS.recordings, KEEPING, 4000, 0, device, checkpoint, Progress(), probe)
    seen: dict[int, dict[str, Tensor]] = vars(probe)["seen"]
    return seen


@pytest.mark.parametrize(
    ("answers", "best"), [([0.2, 0.5, 0.5, 0.3], 2), ([0.4, 0.3, 0.2, 0.1], 1), ([0.1, 0.0, 0.0, 0.2], 4)]
)
@pytest.mark.parametrize("interrupts", [(), (7,), (12, 3), (4, 9, 4)])  # steps into each sitting; an epoch has five
def test_the_best_epoch_is_kept_through_interruptions(
    answers: list[float],
    best: int,
    interrupts: tuple[int, ...],
    encoders: dict[int, dict[str, Tensor]],
    tmp_path: Path,
) -> None:
    train_on = (CORPUS.recordings, KEEPING, 4000, 0, choose_device("cpu", "fp32"))
    for step in interrupts:
        with pytest.raises(KeyboardInterrupt):
            pretrain(build("moco"), *train_on, tmp_path / "b", Interrupts(step), Scripted(answers))
    method = build("moco")
    log = pretrain(method, *train_on, tmp_path / "b", Progress(), Scripted(answers))
    assert log.kept == best
    assert [row["knn"] for row in log.epochs] == answers
    assert all(torch.equal(value, encoders[best - 1][name]) for name, value in method.encoder.state_dict().items())


class Asked(Scripted):
    """Is asked to stop in the probe of an epoch, once."""

    def __init__(self, answers: list[float], epoch: int) -> None:
        super().__init__(answers)
        vars(self)["asked"] = epoch

    def figure(self, method: Method) -> float:
        if vars(self)["asked"] == method.epoch:
            vars(self)["asked"] = None
            signal.raise_signal(signal.SIGTERM)
            method.pause()
        return super().figure(method)


@pytest.mark.parametrize("epoch", [0, 3])
def test_a_probe_that_is_interrupted_is_made_when_the_run_goes_on(epoch: int, tmp_path: Path) -> None:
    train_on = (CORPUS.recordings, KEEPING, 4000, 0, choose_device("cpu", "fp32"))
    unbroken = pretrain(build("moco"), *train_on, tmp_path / "a", Progress(), Scripted([0.1, 0.4, 0.2, 0.3]))
    probe = Asked([0.1, 0.4, 0.2, 0.3], epoch)
    with pytest.raises(Interrupted):
        pretrain(build("moco"), *train_on, tmp_path / "b", Progress(), probe)
    assert read_tensors(tmp_path / "b")[1]["step"] == str(5 * (epoch + 1))
    resumed = pretrain(build("moco"), *train_on, tmp_path / "b", Progress(), probe)
    assert (resumed.epochs, resumed.kept) == (unbroken.epochs, unbroken.kept)


def test_a_clustering_that_is_interrupted_is_made_when_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken, log = train("deepcluster", tmp_path / "a")
    cluster = DeepCluster.cluster

    def interrupted(method: DeepCluster, wave_BVT: Tensor) -> None:
        if method.epoch == 1:
            signal.raise_signal(signal.SIGTERM)
        cluster(method, wave_BVT)

    with monkeypatch.context() as patched:
        patched.setattr(DeepCluster, "cluster", interrupted)
        with pytest.raises(Interrupted):
            train("deepcluster", tmp_path / "b")
    assert read_tensors(tmp_path / "b" / "checkpoint")[1]["step"] == "5"
    resumed, log_again = train("deepcluster", tmp_path / "b")
    assert same(unbroken, resumed)
    assert log == log_again


def test_of_errors_the_lowest_is_the_best_and_the_first_of_equals(tmp_path: Path) -> None:
    training, device = (
        Pretraining(epochs=3, batch_size=8, learning_rate=0.01, keep="best"),
        choose_device("cpu", "fp32"),
    )
    for answers, best in (([3.0, 1.0, 2.0], 2), ([1.0, 2.0, 1.0], 1)):
        probe, path = Scripted(answers, Number()), tmp_path / str(best)
        log = pretrain(build("moco"), CORPUS.recordings, training, 4000, 0, device, path, Progress(), probe)
        assert log.kept == best


def test_without_being_asked_the_last_epoch_is_kept(tmp_path: Path) -> None:
    probe, method = Scripted([0.9, 0.1]), build("moco")
    training, device = Pretraining(epochs=2, batch_size=8, learning_rate=0.01), choose_device("cpu", "fp32")
    log = pretrain(method, CORPUS.recordings, training, 4000, 0, device, tmp_path / "a", Progress(), probe)
    assert log.kept == 2
    expected = vars(probe)["seen"][1]
    assert all(torch.equal(value, expected[name]) for name, value in method.encoder.state_dict().items())
