"""Two devices that train a method together do what one device does alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from registry.lookup import METHODS
from tests.registry.contracts.test_registry import SETTINGS

EQUAL = 1e-9  # relative, in float64; the largest difference found was 2e-10
LEARNED = {"name": "learned-bank"}
HEARS = {"frontend": "waveform", "encoder": {"name": "res1dnet31", "width": 1}}


def case(name: str, settings: dict[str, Any] | None = None, **beside: Any) -> dict[str, Any]:
    return {"method": {"name": name, **SETTINGS.get(name, {}), **(settings or {})}, **beside}


# Every method of the registry, so that a new one is tested, too: with a front end that learns, if it has enough frames.
FINE = ("cpc", "jigsaw")
EVERY = {name: case(name, **({} if name in FINE else {"frontend": LEARNED})) for name in METHODS.names()}
MORE = {
    "simclr/memory": case("simclr", {"memory": 16}),
    "simclr/chunk": case("simclr", chunk=4),
    "simclr/chunk of three": case("simclr", chunk=3),  # which two devices do not divide: each computes all of it
    "clar/labelled": case("clar", {"labelled": 0.5}, **HEARS),
    "cld/moco": case("cld", {"base": {"name": "moco", "queue_size": 64, "norm_groups": 2}}),
    "moco/one group": case("moco", {"norm_groups": 1, "head": "mlp"}),
    "moco/four groups": case("moco", {"norm_groups": 4}),
    "swav/multi-crop and queue": case("swav", {"short": 2, "queue_size": 16, "queue_epoch": 0, "freeze_epochs": 0}),
    "metric/labels": case("metric", {"loss": "triplet", "labels": True}, **HEARS),
    "npid/proximal": case("npid", {"proximal": 1.0, "negatives": 0}, **HEARS),
    "multiformat/two formats": case(
        "multiformat",
        frontend="waveform",
        encoder={
            "name": "multiformat",
            "branches": {
                "waveform": {"frontend": "waveform", "encoder": {"name": "conv320", "width": 8}},
                "logmel": {"frontend": LEARNED, "encoder": {"name": "cnn6", "width": 1, "dropout": 0.3}},
            },
        },
    ),
}
FAST = ("moco", "npid", "byol")


def differences(cases: dict[str, Any], folder: Path) -> dict[str, dict[str, float]]:
    """By case and part, how far two processes together are from one, as the one of them sees it that is farther."""
    commands = [
        [sys.executable, "-m", "tests.registry._two_ranks", str(rank), str(folder / "meet"), json.dumps(cases)]
        for rank in (0, 1)
    ]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(told)
    first, second = (json.loads((folder / f"meet.{rank}.json").read_text()) for rank in (0, 1))
    return {name: {part: max(first[name][part], second[name][part]) for part in parts} for name, parts in first.items()}


def test_two_devices_are_as_one(tmp_path: Path) -> None:
    found = differences({name: EVERY[name] for name in FAST}, tmp_path)
    assert {(name, part) for name in FAST for part in found[name] if found[name][part] > EQUAL} == set()


@pytest.mark.slow
def test_two_devices_are_as_one_with_every_method(tmp_path: Path) -> None:
    cases = {**{name: given for name, given in EVERY.items() if name not in FAST}, **MORE}
    found = differences(cases, tmp_path)
    for name, parts in found.items():
        print(f"{name:26s}", *(f"{part} {difference:.0e}" for part, difference in parts.items()))
    assert {(name, part) for name in cases for part in found[name] if found[name][part] > EQUAL} == set()
