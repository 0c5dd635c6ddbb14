"""Models of transformers and torchaudio in suites: known by what they hold, and refused before any packing."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.audiobench.test_run import Call
from tests.registry._hub_models import hub_folder, hub_model
from tests.registry.test_bundles import tiny_bundles

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SUITE = """
schema_version: 1
name: brought
crop: 0.5
entries:
  net: {encoder: {name: transformers, model: net}}
tasks: [{name: sounds, clips: 2}]
protocols: {knn: {k: [1, 3]}, freeze: {epochs: 2}, finetune: {epochs: 1, batch_size: 32}}
"""
BUNDLE = SUITE.replace("name: transformers, model: net", "name: torchaudio, bundle: TINY_BASE, layer: 2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hub_folder(tmp_path / "net", "wav2vec2")
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the hub, and no hub."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def keys(audiobench: Call, suite: Path) -> set[str]:
    told = audiobench("plan", suite, "--runs", suite.parent / "none")
    assert told.status == 0, told.err
    return {line.split()[3] for line in told.out.splitlines() if " with net" in line or " net on" in line}


def jobs(runs: Path, kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Configurations and records of a kind of job."""
    read = [
        [json.loads((path / f"{name}.json").read_text()) for name in ("job", "result")]
        for path in runs.glob(f"{kind}/*")
    ]
    return [(job["config"], record) for job, record in read]


def test_a_folder_runs_under_every_protocol_and_is_known_by_its_files(folder: Path, audiobench: Call) -> None:
    ran = audiobench("run", folder / "suite.yaml", "--runs", folder / "runs")
    assert ran.status == 0, ran.err
    ((config, _),) = jobs(folder / "runs", "embed")
    assert config["encoder"] == {"name": "transformers", "version": 1, "layer": None, "pool": "mean"}
    assert (config["frontend"]["sample_rate"], set(config["weights"])) == (8000, {"kind", "sha256"})
    before = keys(audiobench, folder / "suite.yaml")
    (folder / "moved").mkdir()
    (folder / "net").rename(folder / "moved" / "renamed")
    moved = folder / "moved" / "suite.yaml"
    moved.write_text(SUITE.replace("model: net", "model: renamed"))
    (folder / "moved" / "renamed" / ".cache").write_text("of the download")
    assert keys(audiobench, moved) == before
    hub_folder(folder / "moved" / "renamed", "wav2vec2-layer")
    assert not keys(audiobench, moved) & before


def test_a_model_in_the_hubs_cache_is_known_by_its_commit(folder: Path, offline: Path, audiobench: Call) -> None:
    cached = offline / "models--someone--net"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    shutil.move(folder / "net", cached / "snapshots" / COMMIT)
    (folder / "suite.yaml").write_text(SUITE.replace("model: net", "model: someone/net"))
    ran = audiobench("run", folder / "suite.yaml", "--runs", folder / "runs")
    assert ran.status == 0, ran.err
    ((config, _),) = jobs(folder / "runs", "embed")
    assert config["weights"] == {"kind": "own", "revision": COMMIT}
    before = keys(audiobench, folder / "suite.yaml")
    (folder / "suite.yaml").write_text(SUITE.replace("model: net", f"model: someone/net, revision: '{COMMIT}'"))
    assert keys(audiobench, folder / "suite.yaml") == before
    (folder / "suite.yaml").write_text(SUITE.replace("model: net", "model: someone/net, revision: old"))
    told = audiobench("plan", folder / "suite.yaml", "--runs", folder / "runs")
    assert (told.status, "someone/net at old is no folder, is not in the hub's cache" in told.err) == (2, True)


def test_a_bundle_is_known_by_its_name_and_its_record_by_its_file(
    tmp_path: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_bundles(monkeypatch, tmp_path)
    (tmp_path / "suite.yaml").write_text(BUNDLE)
    ran = audiobench("run", tmp_path / "suite.yaml", "--runs", tmp_path / "runs")
    assert ran.status == 0, ran.err
    digest = hashlib.sha256((tmp_path / "hub" / "checkpoints" / "TINY_BASE.pth").read_bytes()).hexdigest()
    ((config, record),) = jobs(tmp_path / "runs", "embed")
    assert config["encoder"] == {"name": "torchaudio", "version": 1, "bundle": "TINY_BASE", "layer": 2}
    assert (config["weights"], record["weights_sha256"]) == ({"kind": "own"}, digest)
    assert {record["weights_sha256"] for _, record in jobs(tmp_path / "runs", "evaluate")} == {digest}


def test_what_cannot_be_used_is_told_before_any_packing(folder: Path, offline: Path, audiobench: Call) -> None:
    model, extractor = hub_model("wav2vec2")
    extractor.save_pretrained(folder / "bare")
    model.config.save_pretrained(folder / "bare")
    model.save_pretrained(folder / "deaf")
    shutil.copytree(folder / "net", folder / "text")
    config = json.loads((folder / "text" / "config.json").read_text())
    (folder / "text" / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    (folder / "empty").mkdir()
    for reference, answer in (
        ("model: bare", "no readable model of transformers: Error no file named model.safetensors"),
        ("model: deaf", "no readable feature extractor of transformers"),
        ("model: empty", "no readable configuration of transformers"),
        ("model: text", "the model is a bert, and no audio model that is known here"),
        (
            "model: someone/absent",
            "someone/absent is no folder, is not in the hub's cache, and the hub does not give it",
        ),
        ("model: ./no/such/folder", "no such folder: ./no/such/folder"),
        ("layer: 1", "names no model"),
        ("model: net, layer: 3", "the model has layers 0 to 2, and not 3"),
        ("model: net, pool: pooler", "the model has no pooler_output"),
        ("model: net, pool: pooler, layer: 1", "the pooler takes the last layer"),
        ("model: net, revision: main", "a revision is of a model at the hub, and this one is a folder"),
    ):
        (folder / "suite.yaml").write_text(SUITE.replace("model: net", reference))
        told = audiobench("run", folder / "suite.yaml", "--runs", folder / "runs")
        assert (told.status, answer in told.err, told.err.count("to do:")) == (2, True, 1), told.err
        assert not (folder / "runs" / "pack").exists()


def test_transformers_itself_may_be_missing(folder: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    told = audiobench("plan", folder / "suite.yaml", "--runs", folder / "runs")
    assert (told.status, "needs transformers, which is not installed" in told.err) == (2, True)
    assert "pip install 'audiobench[transformers]'" in told.err
