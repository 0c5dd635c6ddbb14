"""Two devices that train a method together do what one device does alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from registry.errors import Mistake
from registry.lookup import METHODS
from registry.shares import as_share
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
    "moco/three groups": case("moco", {"norm_groups": 3}),  # of 3, 3 and 2 clips: the second is of both devices
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


DRAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": lambda x: F.dropout(x, 0.4),
    "dropout in place": lambda x: F.dropout(x.clone(), 0.4, inplace=True),
    "dropout as on a GPU": lambda x: torch.native_dropout(x, 0.4, True)[0],
    "whole channels": lambda x: F.dropout2d(x, 0.4),
    "whole paths": lambda x: x * x.new_empty(len(x), 1, 1, 1).bernoulli_(0.6),
    "noise": lambda x: x + torch.randn_like(x),
    "a place for each": lambda x: x * torch.rand(len(x), 1, 1, 1) + torch.randint(9, (len(x), 1, 1, 1)),
    "two pieces a row": lambda x: x + torch.randn(2 * len(x), 1, 1).view(len(x), 2, 1, 1),
    "one for all": lambda x: x * torch.rand(5) + torch.rand(()),
}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_each_device_draws_for_its_rows_what_one_device_draws_for_them(
    draw: Callable[[Tensor], Tensor], layout: torch.memory_format
) -> None:
    x = torch.randn(6, 2, 4, 5).contiguous(memory_format=layout)
    torch.manual_seed(0)
    expected, next_draw = draw(x), torch.rand(3)
    for rank in range(3):
        torch.manual_seed(0)
        part = as_share(draw, rank, 3, True, x.chunk(3)[rank])
        assert torch.equal(part, expected.chunk(3)[rank])
        assert torch.equal(torch.rand(3), next_draw)


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda x: torch.bernoulli(x.sigmoid()), "bernoulli"),
        (lambda x: x[torch.randperm(len(x))], "randperm"),
        (lambda x: torch.multinomial(x.exp().flatten(1), 2), "multinomial"),
    ],
)
def test_a_draw_that_cannot_be_shared_is_refused(draw: Callable[[Tensor], Tensor], name: str) -> None:
    with pytest.raises(Mistake, match=f"draws by {name}, and such a draw cannot be shared among devices"):
        as_share(draw, 0, 2, True, torch.randn(4, 3))
