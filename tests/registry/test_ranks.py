"""Two devices that train a method together do what one device does alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from registry.lookup import METHODS
from tests.registry.contracts.test_registry import SETTINGS

EQUAL = 1e-9  # relative, in float64; the largest difference found was 1e-12
LEARNED = {"name": "learned-bank"}
PLAIN = {"encoder": {"name": "cnn6", "width": 2, "dropout": 0.0}}
HEARS = {"frontend": "waveform", "encoder": {"name": "res1dnet31", "width": 1}}


def case(name: str, settings: dict[str, Any] | None = None, **beside: Any) -> dict[str, Any]:
    return {"method": {"name": name, **SETTINGS.get(name, {}), **(settings or {})}, **beside}


# Every method of the registry, so that a new one is tested, too: with a front end that learns, if it has enough frames.
FINE = ("cpc", "jigsaw")
OWN: dict[str, dict[str, Any]] = {"moco": {"norm_groups": 2}}
EVERY = {name: case(name, OWN.get(name), **({} if name in FINE else {"frontend": LEARNED})) for name in METHODS.names()}
MORE = {
    "simclr/memory": case("simclr", {"memory": 16}),
    "simclr/chunk": case("simclr", chunk=4),
    "simclr/chunk of three": case("simclr", chunk=3),  # which two devices do not divide: each computes all of it
    "clar/labelled": case("clar", {"labelled": 0.5}, **HEARS),
    "cld/moco": case("cld", {"base": {"name": "moco", "queue_size": 64, "norm_groups": 2}}),
    "moco/one group": case("moco", {"norm_groups": 1, "head": "mlp"}),
    "moco/four groups": case("moco", {"norm_groups": 4}),
    "moco/whole groups": case("moco", {"norm_groups": 4}, **PLAIN),
    "moco/whole groups in chunks": case("moco", {"norm_groups": 2}, **PLAIN, chunk=2),
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


def require_equal(found: dict[str, dict[str, float]]) -> None:
    for name, parts in found.items():
        work = parts.pop("work")
        print(f"{name:28s}", *(f"{part} {difference:.0e}" for part, difference in parts.items()), f"work {work:.2f}")
        # In chunks of three each device computes two of three chunks, of three, three and two, as a whole.
        assert work == pytest.approx(7 / 8 if name == "simclr/chunk of three" else 1 / 2), name
    assert {(name, part): value for name in found for part, value in found[name].items() if value > EQUAL} == {}


def test_two_devices_are_as_one(tmp_path: Path) -> None:
    require_equal(differences({name: EVERY[name] for name in FAST}, tmp_path))


@pytest.mark.slow
def test_two_devices_are_as_one_with_every_method(tmp_path: Path) -> None:
    require_equal(differences({**{name: EVERY[name] for name in EVERY if name not in FAST}, **MORE}, tmp_path))
