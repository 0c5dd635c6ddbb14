"""Memory that is too small: what to do is told, what is finished stays, and nothing counts as damaged for it."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch

from benchmark.jobs.loop import _Run
from benchmark.jobs.pretrain import PretrainJob
from benchmark.ledger.upkeep import examine
from benchmark.memory import shortage
from benchmark.store.integrity import reading
from benchmark.store.job import AnyJob
from benchmark.store.store import Store
from registry.tensors import read_tensors
from registry.training import Pretraining
from tests.audiobench.test_run import Call, results
from tests.jobs import evaluate_job, measure_job, pack_job, pretrain_job

BEYOND = 2**46  # numbers: more bytes than a process can address


def device_is_full() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def system_is_full() -> None:
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


FULL: dict[str, tuple[Callable[[], object], str]] = {
    "torch": (lambda: torch.empty(BEYOND), "the memory"),
    "numpy": (lambda: np.empty(BEYOND), "the memory"),
    "python": (lambda: bytearray(BEYOND), "the memory"),
    "pyarrow": (lambda: pyarrow.allocate_buffer(BEYOND * 2**15), "the memory"),
    "system": (system_is_full, "the memory"),
    "device": (device_is_full, "the GPU's memory"),
}


@pytest.mark.parametrize("library", FULL)
def test_shortage_is_recognised_and_is_no_damage_of_what_was_read(library: str, tmp_path: Path) -> None:
    allocate, told = FULL[library]
    with pytest.raises((RuntimeError, MemoryError, OSError)) as caught, reading("embed", tmp_path, "embeddings"):
        allocate()
    assert shortage(caught.value) == told


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), OSError(errno.ENOSPC, "full"), ValueError()])
def test_another_error_is_no_shortage(error: Exception) -> None:
    assert shortage(error) == ""


def pretraining(method: str, batch_size: int, **settings: int) -> AnyJob:
    job = pretrain_job("c", method)
    training = Pretraining(epochs=1, batch_size=batch_size, learning_rate=1, **settings)
    return PretrainJob(job.config.model_copy(update={"training": training}), job.needs)


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (pretraining("moco", 64), "set chunk: 32, with which gradients stay exact; or set batch_size: 32, for which"),
        (
            pretraining("moco", 64, chunk=16),
            "set chunk: 8, with which gradients stay exact; or set batch_size: 32, for",
        ),
        (pretraining("cpc", 64), "set batch_size: 32, for which the learning rate may be too high; or end other"),
        (pretraining("simclr", 2), "set chunk: 1, with which gradients stay exact; or end other programs"),
        (pack_job(), "several recordings are in memory at once"),
        (measure_job(), "set a shorter crop"),
        (evaluate_job("p", "e"), "end other programs"),
        (evaluate_job("p", protocol="freeze", batch_size=32, epochs=1), "set batch_size: 16 of freeze; or end other"),
    ],
)
def test_the_advice_fits_the_job(job: AnyJob, told: str) -> None:
    assert told in job.lighter


def test_a_pretraining_short_of_memory_keeps_its_checkpoint_and_goes_on(
    finished: tuple[Path, Path], tmp_path: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    for kind in ("pack", "plans"):
        shutil.copytree(finished[1] / kind, runs / kind, copy_function=shutil.copy2)
    asked = ("run", finished[0], "--runs", runs, "--entry", "npid", "--protocol", "knn", "--track", "none")
    plain = _Run.do_step

    for step, library in ((4, "torch"), (8, "device")):

        def short(run: _Run, *given: object, step: int = step, library: str = library) -> None:
            if run.step == step:
                FULL[library][0]()
            plain(run, *given)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr("benchmark.jobs.loop._CHECKPOINT_SECONDS", 0.0)
            patched.setattr(_Run, "do_step", short)
            answer = audiobench(*asked)
        assert answer.status == 1
        (checkpoint,) = runs.glob(".partial/*.checkpoint")
        assert read_tensors(checkpoint)[1]["step"] == str(step)
        assert f"npid on sounds: failed: {FULL[library][1]} was too small: " in answer.err
        assert f"the state before is kept in {checkpoint}\n  to do: set chunk: 8, with which gradients" in answer.err
        assert "internal error" not in answer.err
    assert audiobench(*asked).status == 0
    for kind in ("pretrain", "embed", "evaluate"):
        made = results(runs, kind)
        assert made
        assert made == {key: results(finished[1], kind)[key] for key in made}


def test_a_table_short_of_memory_is_told(
    finished: tuple[Path, Path], audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.table.make_table", lambda *given, **named: bytearray(BEYOND))
    answer = audiobench("leaderboard", "tiny", "--runs", finished[1])
    assert answer.status == 2
    assert answer.err == (
        "audiobench: the memory was too small\n  to do: end other programs, or run it where there is more memory\n"
    )


def test_a_checkpoint_that_memory_does_not_hold_is_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "a.checkpoint").write_bytes(b"x")
    monkeypatch.setattr("benchmark.ledger.upkeep.read_tensors", lambda path: bytearray(BEYOND))
    with pytest.raises(MemoryError):
        examine(Store(tmp_path))
