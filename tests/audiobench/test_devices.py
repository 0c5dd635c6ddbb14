"""``--devices``: a pretraining on several devices of a machine, here processes on a CPU."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.ledger.devices import _reason
from tests.audiobench.conftest import COMMAND
from tests.audiobench.test_run import results
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]

# Batch norm and dropout, and no two-dimensional images: see torch's fault in docs/several-devices.md.
HEARD = (
    TINY.replace("{name: logmel, n_fft: 512, win_length: 512, hop_length: 320, n_mels: 32}", "waveform")
    .replace("{name: frequency-shift, bins: 2}", "gain")
    .replace("{name: cnn10, width: 4, dropout: 0.1}", "{name: res1dnet31, width: 2}")
)
ODD = '''
"""Something happens to the second process in its third step."""

import os
import signal
from typing import Literal

from audiobench import Settings
from pydantic import Field
from registry.methods.npid import Npid


class Odd(Npid):
    """NPID, with an accident."""

    source = "ours"

    class Config(Npid.Config):
        how: Literal["killed", "raises", "asks"] = Field(..., description="what happens")

    steps = 0

    def after_step(self):
        self.steps += 1
        if self.steps < 3 or self.ranks.rank == 0:
            return
        if self.config.how == "raises":
            raise ArithmeticError("of the second process alone")
        os.kill(os.getpid() if self.config.how == "killed" else os.getppid(), {"killed": 9}.get(self.config.how, 12))
'''


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--devices", 3), "3 devices do not divide a batch of 16 clips"),
        (("--devices", 2, "--device", "cuda:1"), "--device cuda:1 names one device, and --devices asks for 2"),
        (("--devices", 2, "--device", "cuda"), "--devices asks for 2, and this machine has 0 GPUs"),
    ],
)
def test_devices_that_cannot_be_are_refused_before_any_work(
    asked: tuple[object, ...], told: str, tiny: Path, audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    answer = audiobench("run", tiny, "--runs", tmp_path / "runs", *asked)
    assert answer.status == 2
    assert told in answer.err
    assert not results(tmp_path / "runs")


@pytest.mark.parametrize(("code", "told"), [(-9, "if the system did it: set chunk: 8"), (-11, "see its")])
def test_a_process_that_was_killed_is_told_with_what_needs_less_memory(code: int, told: str) -> None:
    why = str(_reason([(True, "lost the others")], {0: -15, 1: code}, "set chunk: 8"))
    assert f"the process of device 1 was killed by {signal.Signals(-code).name}\n  to do: " in why
    assert told in why


@pytest.mark.slow
def test_two_devices_give_the_figures_of_one(tmp_path: Path) -> None:
    suite = tmp_path / "heard.yaml"
    suite.write_text(HEARD)
    found = []
    for devices in (1, 2):
        runs = tmp_path / str(devices)
        command = [*COMMAND, "run", suite, "--runs", runs, "--entry", "moco", "--protocol", "knn"]
        done = subprocess.run(
            [*map(str, command), "--devices", str(devices)], capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("pretrain moco on sounds: loss") == 1
        ((key, record),) = results(runs, "pretrain").items()
        rows = (runs / "pretrain" / key / "metrics.jsonl").read_text().splitlines()
        found.append((key, record["loss"], [json.loads(row) for row in rows]))
        device = json.loads((runs / "pretrain" / key / "result.json").read_text())["environment"]["device"]
        assert device.startswith("2 x ") == (devices == 2)
    (key, loss, rows), (key_of_two, loss_of_two, rows_of_two) = found
    assert key_of_two == key
    assert loss_of_two == pytest.approx(loss, rel=1e-4)
    for row, expected in zip(rows_of_two, rows, strict=True):
        assert row == pytest.approx(expected, rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ("killed", 1, "the process of device 1 was killed by SIGKILL"),
        ("raises", 1, "internal error: ArithmeticError: of the second process alone"),
        ("asks", 128 + signal.SIGUSR2, "interrupted; the same command goes on from here"),
    ],
)
def test_all_processes_end_together(how: str, status: int, told: str, tmp_path: Path) -> None:
    suite, runs = tmp_path / "odd.yaml", tmp_path / "runs"
    (tmp_path / "odd.py").write_text(ODD)
    suite.write_text(HEARD.replace("{name: npid, negatives: 16}", f"{{name: odd, negatives: 16, how: {how}}}"))
    with suite.open("a") as file:
        file.write("plugins: [odd.py]\n")
    command = [*COMMAND, "run", suite, "--runs", runs, "--entry", "npid", "--protocol", "knn", "--devices", "2"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == status, done.stderr
    assert done.stderr.count(f"pretrain npid on sounds: {'' if how == 'asks' else 'failed: '}{told}") == 1
    assert "Traceback" not in done.stderr
    assert bool(list(runs.glob(".partial/*.checkpoint"))) == (how == "asks")
