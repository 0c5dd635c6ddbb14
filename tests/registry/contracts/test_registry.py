"""Every component of the registry keeps its contract."""

from pathlib import Path
from typing import Any

import pytest
import timm
from safetensors.torch import save_file

from registry.contracts import Beside, encoders, findings
from registry.lookup import ENCODERS, FRONTENDS, KINDS, WEIGHTS, AnyComponent, Kind
from tests.conftest import DATA, encoders_made_here
from tests.registry._recordings import sound
from tests.registry.test_encoders import small

# What a component needs in order to be checked, or to be checked in less than seconds.
SETTINGS: dict[str, dict[str, Any]] = {
    "barlow-twins": {"dim": 16},
    "byol": {"dim": 16, "hidden": 32},
    "cld": {"base": {"name": "npid", "negatives": 0}, "clusters": 4},
    "deepcluster": {"clusters": 8, "components": 4},
    "deepcluster-v2": {"clusters": 8, "dim": 16, "hidden": 32, "short": 0},
    "finetune": {"epochs": 5},
    "jigsaw": {"permutations": 8},
    "moco": {"queue_size": 64},
    "pretrain": {
        "method": "moco",
        "corpus": "sounds",
        "training": {"epochs": 1, "batch_size": 2, "learning_rate": 1.0},
    },
    "swav": {"prototypes": 8, "dim": 16, "hidden": 32, "short": 0},
    "us8k": {"folds": [1, 2, 10]},
    "vicreg": {"dim": 16},
}
# Models that others made are checked in tests/registry/test_brought.py.
EVERY = [(kind, name) for kind in KINDS for name in (encoders_made_here() if kind is ENCODERS else kind.names())]
EVERY.remove((WEIGHTS, "own"))


def named(kind: Kind[AnyComponent], name: str) -> dict[str, Any]:
    return small(name) if kind is ENCODERS else {"name": name, **SETTINGS.get(name, {})}


def beside(kind: Kind[AnyComponent], name: str, settings: dict[str, Any], folder: Path) -> Beside:
    """What stands beside a component, after the files were made that it needs, which its settings then name."""
    if name == "folder":
        for clip in range(10):
            sound(folder / "own" / "ab"[clip % 2] / f"{clip}.wav", hz=100 * (clip + 1))
        settings["path"] = str(folder / "own")
    if kind is WEIGHTS and name == "checkpoint":
        settings["path"] = str(folder / "net.safetensors")
        encoder = ENCODERS.build({"name": "cnn6", "width": 4}, 1, FRONTENDS.choose("logmel").settings.n_mels)
        save_file(encoder.state_dict(), settings["path"])
    if kind is WEIGHTS and name == "imagenet":
        settings["path"] = str(folder / "timm.safetensors")
        save_file(timm.create_model("test_resnet").state_dict(), settings["path"])
        return Beside(encoder=ENCODERS.choose({"name": "timm", "model": "test_resnet"}))
    folders = getattr(kind.find(name), "folders", ())
    return Beside(data=DATA if any((DATA / own).is_dir() for own in folders) else None)


@pytest.mark.parametrize(("kind", "name"), EVERY, ids=[f"{kind.folder}/{name}" for kind, name in EVERY])
def test_every_component_keeps_its_contract(
    kind: Kind[AnyComponent], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "_LONG", 31)  # seconds; five minutes of all encoders are a test of their own
    settings = named(kind, name)
    near = beside(kind, name, settings, tmp_path)
    found = list(findings(kind, settings, near))
    assert [str(finding) for finding in found if finding.state == "failed"] == []
    assert sum(finding.state == "passed" for finding in found) > 6


@pytest.mark.slow
@pytest.mark.parametrize("name", encoders_made_here())
def test_five_minutes_are_embedded(name: str) -> None:
    found = {finding.check: finding for finding in findings(ENCODERS, small(name))}
    assert found["embeds_five_minutes"].state == "passed", str(found["embeds_five_minutes"])
