"""Code that only a stranger's file names does not run: not by a plan, a record, a description, or a checkpoint."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmark.jobs import embed
from benchmark.ledger.plan import Plan, Row
from benchmark.store.store import Store
from registry.encoders.module import Module
from registry.errors import Mistake
from registry.lookup import ENCODERS, FRONTENDS
from registry.own_code import name_all, require_named
from tests.conftest import TINY, Answer
from tests.jobs import component, evaluate_job, made_facts, pack_job

Call = Callable[..., Answer]


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that the stranger's code would make."""
    return tmp_path / "was-run"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    return tmp_path / "a.wav"


def touching(marker: Path) -> dict[str, Any]:
    """Settings of an encoder that is a program of the system."""
    return {"class": "subprocess:check_call", "arguments": {"popenargs": ["touch", str(marker)]}, "sample_rate": 16000}


def evil_store(root: Path, marker: Path) -> None:
    """A store whose plan has an entry that is somebody's code."""
    facts = made_facts(entries=["moco"], tasks={"sounds": [1, 2]})
    plan = Plan("made", facts)
    pack = plan.add(pack_job())
    config = embed.Config(
        encoder=component(ENCODERS, "module", **touching(marker)),
        frontend=component(FRONTENDS, "waveform", sample_rate=16000),
        weights=embed.WeightsKey(kind="own"),
        window_samples=16000,
    )
    embedded = plan.add(embed.EmbedJob(config, embed.Needs(pack=pack)))
    plan.rows.append(Row("moco", "sounds", "knn", 0, plan.add(evaluate_job(pack, embedded))))
    Store(root).save_plan("made", {"schema": 1, "request": "", "plan": plan.to_json()})


@pytest.mark.parametrize("door", ["embed", "export", "leaderboard", "check"])
def test_a_plans_code_does_not_run(door: str, marker: Path, sound: Path, tmp_path: Path, audiobench: Call) -> None:
    runs = tmp_path / "runs"
    evil_store(runs, marker)
    arguments: dict[str, list[Any]] = {
        "embed": ["embed", "moco", sound, "-o", tmp_path / "x.npy"],
        "export": ["export", "moco", "--to", tmp_path / "out"],
        "leaderboard": ["leaderboard"],
        "check": ["store", "check"],
    }
    answer = audiobench(*arguments[door], "--runs", runs)
    assert not marker.exists()
    if door in ("embed", "export"):
        assert answer.status == 2
        assert "only a stored plan, record or description names" in answer.err
        assert "--suite FILE" in answer.err


def test_a_suite_names_the_code_that_it_runs(marker: Path, tmp_path: Path) -> None:
    config = Module.Config(**touching(marker))
    with pytest.raises(Mistake, match="not run"):
        Module(config, 1, 0).load_own(None)
    assert not marker.exists()
    ENCODERS.choose({"name": "module", **touching(marker)})
    with pytest.raises(Mistake, match=r"cannot be made|no torch"):
        Module(config, 1, 0).load_own(None)


def test_a_part_of_a_stored_encoder_is_no_name_by_the_user() -> None:
    branch = {"frontend": "waveform", "encoder": {"name": "module", "class": "nobody.named:Net", "sample_rate": 16000}}
    stored = component(ENCODERS, "multiformat", branches={"a": branch})
    assert stored.settings
    with pytest.raises(Mistake, match=r"nobody\.named is code"):
        require_named("nobody.named")
    name_all({"entries": [{"class": "nobody.named:Net"}]})
    require_named("nobody.named")


def test_a_description_of_a_model_runs_no_code(marker: Path, sound: Path, tmp_path: Path, audiobench: Call) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    description = {
        "schema": 1,
        "name": "x",
        "encoder": {"name": "module", "version": 1, **touching(marker)},
        "frontend": {"name": "waveform", "version": 1, "sample_rate": 16000},
        "statistics": {},
        "window_samples": 16000,
        "samples": "int16",
        "weights": {"kind": "own"},
        "pretraining": None,
    }
    (folder / "audiobench.json").write_text(json.dumps(description))
    (folder / "encoder.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
    answer = audiobench("embed", folder, sound, "-o", tmp_path / "x.npy")
    assert not marker.exists()
    assert answer.status == 2, answer.err


@pytest.mark.slow
@pytest.mark.parametrize("command", [["leaderboard"], ["plan"], ["report"]])
def test_what_a_plan_says_of_plugins_is_not_run(
    command: list[str], marker: Path, tmp_path: Path, audiobench: Call
) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(f"open({str(marker)!r}, 'w')\n")
    plan = Plan("tiny", made_facts(suite="tiny"), texts=[("tiny.yaml", f"{TINY}plugins: [{plugin}]\n")])
    named = {"plugins": [str(plugin)]}
    Store(tmp_path / "runs").save_plan(
        "tiny", {"schema": 1, "request": "", **named, "plan": {**plan.to_json(), **named}}
    )
    suite = tmp_path / "tiny.yaml"
    suite.write_text(TINY)
    audiobench(*command, *([suite] if command == ["plan"] else ["tiny"]), "--runs", tmp_path / "runs")
    assert not marker.exists()
