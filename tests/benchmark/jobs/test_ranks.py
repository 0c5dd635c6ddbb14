"""Pretraining on several ranks: it goes on from the checkpoint of another number of ranks, and they stop together."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from registry.errors import Interrupted
from registry.tensors import read_tensors
from tests.benchmark.jobs.test_loop import Interrupts, train


@pytest.mark.slow
def test_a_checkpoint_goes_on_with_another_number_of_ranks(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train("moco", tmp_path / "from one", Interrupts(3))
    commands = [[sys.executable, "-m", "tests.benchmark.jobs._two_ranks", str(rank), str(tmp_path)] for rank in (0, 1)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    told = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(told)
    (first, status), (second, other_status) = (json.loads((tmp_path / f"told.{r}.json").read_text()) for r in (0, 1))
    assert status == other_status == 128 + signal.SIGUSR2
    assert read_tensors(tmp_path / "from two" / "checkpoint")[1]["step"] == "3"
    for rank in (0, 1):
        assert "the steps and weights to begin with differ" in (tmp_path / f"refused.{rank}").read_text()
    _, unbroken = train("moco", tmp_path / "unbroken")
    _, from_two = train("moco", tmp_path / "from two")
    for log in (first, second, from_two):
        assert len(log) == len(unbroken)
        for row, expected in zip(log, unbroken, strict=True):
            assert row == pytest.approx(expected, rel=1e-3)
