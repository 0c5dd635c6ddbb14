"""``make speed-gpu`` without a GPU: all of it runs at tiny sizes, and no part takes others with it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_all_start_methods
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.speed_gpu import __main__ as speed_gpu
from tests.speed_gpu.bench import Bench, Row, flops_of
from tests.speed_gpu.parts import LARGEST, PARTS, Part, _largest
from tests.speed_gpu.report import Report

pytestmark = pytest.mark.skipif("fork" not in get_all_start_methods(), reason="this system has no fork")
ON_CPU = ["--device", "cpu", "--precision", "fp32", "--small"]


def measured(folder: Path, *options: str) -> dict[str, Any]:
    """What a run on a CPU wrote, of each part; it forks, which is not for a process that has computed before."""
    command = [sys.executable, "-m", "tests.speed_gpu", str(folder), *ON_CPU, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {part["part"]: part for part in json.loads((folder / "speed-gpu.json").read_text())["parts"]}


@pytest.mark.slow
def test_every_part_gives_its_rows_at_tiny_sizes(tmp_path: Path) -> None:
    parts = measured(tmp_path)
    assert [(name, part["ending"], part["why"]) for name, part in parts.items()] == [
        (part.name, "done", "") for part in PARTS
    ]
    assert {name: len(part["rows"]) for name, part in parts.items()} == {
        "matrix": 1,
        "tests": 0,  # they need a GPU
        "moco": 3,
        "simclr": 1,
        "multiformat": 1,
        "chunked": 1,
        "finetune": 1,
        "embedding": 1,
        "feeding": 2,
        "real-moco": 1,
        "real-npid": 1,
    }
    for name in ("moco", "simclr", "multiformat", "finetune", "embedding"):
        for row in parts[name]["rows"]:
            assert min(row["rate"], row["flops"], row["ratio"], row["hours"]) > 0
    assert "SimCLR, cnn10" in (tmp_path / "speed-gpu.md").read_text()


def test_operations_are_those_counted_by_hand(tmp_path: Path) -> None:
    row = measured(tmp_path, "--part", "matrix")["matrix"]["rows"][0]
    assert row["flops"] == pytest.approx(2 * 256**3 * row["rate"])
    assert "100.0%" in (tmp_path / "speed-gpu.md").read_text()


def test_the_operations_of_a_net_are_those_counted_by_hand() -> None:
    layer, x = torch.nn.Linear(30, 20, bias=False), torch.randn(7, 30)
    assert flops_of(lambda: layer(x).sum().backward()) == 2 * (2 * 7 * 30 * 20)  # and those of the weights' gradient


class Fits:
    """A training whose batches fit up to a size."""

    def __init__(self, most: int) -> None:
        self.most, self.batch = most, 128

    def take(self, batch: int) -> None:
        self.batch = batch

    def step(self) -> None:
        if self.batch > self.most:
            raise torch.OutOfMemoryError("no memory")


def test_the_largest_batch_is_found_by_doubling() -> None:
    bench: Any = SimpleNamespace(left=lambda: 100.0)
    for most, found in ((128, 128), (1000, 512), (10**6, LARGEST)):
        training: Any = Fits(most)
        assert _largest(bench, training) == found
    nothing: Any = Fits(100)
    with pytest.raises(torch.OutOfMemoryError):
        _largest(bench, nothing)


def good(bench: Bench) -> Iterator[Row]:
    yield Row("good", 1.0)


def raises(bench: Bench) -> Iterator[Row]:
    yield Row("before it raised", 2.0)
    raise ValueError("one thing\nand another")


def dies(bench: Bench) -> Iterator[Row]:
    yield Row("before it died", 3.0)
    time.sleep(0.2)
    os._exit(7)


def hangs(bench: Bench) -> Iterator[Row]:
    yield Row("before it hung", 4.0)
    time.sleep(1000)


def test_a_part_that_fails_dies_or_hangs_leaves_its_rows_and_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = (
        Part("raises", raises, 1, 60),
        Part("dies", dies, 1, 60),
        Part("hangs", hangs, 1, 2),
        Part("good", good, 1, 60),
        Part("long", good, 10_000, 10_000),
    )
    monkeypatch.setattr(speed_gpu, "PARTS", parts)
    states: list[str] = []
    write = Report.write

    def seen(report: Report, folder: Path) -> None:
        write(report, folder)
        states.append((folder / "speed-gpu.md").read_text())

    monkeypatch.setattr(Report, "write", seen)
    report = speed_gpu.main([str(tmp_path), *ON_CPU])
    endings = [(done.part, done.ending) for done in report.parts]
    assert endings == [
        ("raises", "failed"),
        ("dies", "failed"),
        ("hangs", "stopped"),
        ("good", "done"),
        ("long", "skipped"),
    ]
    assert [row.work for done in report.parts for row in done.rows] == [
        "before it raised",
        "before it died",
        "before it hung",
        "good",
    ]
    assert [done.why for done in report.parts][:2] == ["ValueError: one thing", "its process ended with 7"]
    assert len(states) == 5  # it is written after every part
    assert "before it hung" not in states[1]
    assert "before it hung" in states[2]
    assert "long: skipped" in states[4]
