"""What the README shows, run."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from safetensors.torch import save_file

from benchmark.jobs.model import build_encoder, build_views
from registry.lookup import ENCODERS, FRONTENDS
from tests.conftest import Answer

README = (Path(__file__).parent.parent / "README.md").read_text()


def block(language: str, first: str) -> str:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(b for b in blocks if b.startswith(first))


QUICK = """
schema_version: 1
name: mine
frontend: {name: logmel, n_fft: 512, win_length: 512, hop_length: 320, n_mels: 32}
crop: 0.5
encoder: {name: cnn10, width: 2}
pretrain: {corpus: {name: sounds, clips: 2}, epochs: 1, batch_size: 16, optimizer: adamw}
entries: {moco: {weights: {pretrain: {name: moco, queue_size: 32, norm_groups: 2}}}}
tasks: [{name: sounds, clips: 2}]
protocols: {knn: {k: [1]}}
"""


def test_python_and_vectors(
    audiobench: Callable[..., Answer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The section is run as it stands, with a quicker suite of that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(QUICK)
    (tmp_path / "recordings").mkdir()
    for i, name in enumerate(("rain.wav", "dog.flac")):
        soundfile.write(tmp_path / "recordings" / name, np.random.default_rng(i).uniform(-0.5, 0.5, 30_000), 16_000)
    names: dict[str, Any] = {}
    exec(block("python", "import torch"), names)
    assert "pretrain moco on sounds" in capsys.readouterr().out
    assert names["board"]["figure"].notna().all()
    assert names["z_BD"].shape == (2, names["net"].embedding_dim)
    assert names["frames_BND"].shape[::2] == names["z_BD"].shape
    for line in re.findall(r"^    audiobench (embed [^#\n]*)", README, re.M):
        answer = audiobench(*line.split())
        assert answer.status == 0, answer.err
    assert len(pd.read_parquet("vectors.parquet")) == len(np.load("vectors.npy")) == 2
    assert "recordings/dog.flac" in Path("vectors.paths.csv").read_text()


@pytest.mark.real
def test_the_suite_of_ones_own_is_valid(audiobench: Callable[..., Answer], tmp_path: Path, data: Path) -> None:
    (tmp_path / "mine.yaml").write_text(block("yaml", "# mine.yaml"))
    frontend = build_views(FRONTENDS.choose("logmel")).frontend
    encoder = build_encoder(ENCODERS.choose({"name": "cnn10", "width": 32}), frontend)
    save_file(encoder.state_dict(), tmp_path / "encoder.safetensors")
    answer = audiobench("plan", tmp_path / "mine.yaml", "--data", data)
    assert answer.status == 0, answer.err
    assert "pretrain moco on esc50" in answer.out


def test_the_models_of_others_have_the_figures_that_the_records_give(audiobench: Callable[..., Answer]) -> None:
    folder = Path(__file__).parent.parent / "leaderboard"
    given = audiobench("leaderboard", "pretrained", "--scale", "cpu", "--runs", folder / "records", "--format", "json")
    board = json.loads(given.out)
    header, _, *rows = next(part for part in README.split("\n\n") if part.startswith("| frozen ")).splitlines()
    shown: dict[tuple[str, str], str] = {}
    for row in rows:
        entry, *figures = (cell.strip() for cell in row.strip("|").split("|"))
        shown |= {(entry, task.strip()): figure for task, figure in zip(header.split("|")[2:-1], figures, strict=True)}
    told = {}
    for cell in board["cells"]:
        figure = f"{cell['mean']:.3f}"
        told[cell["entry"], cell["task"], cell["protocol"]] = f"**{figure}**" if cell["rank"]["first"] == 1 else figure
    assert shown == {(entry, task): figure for (entry, task, protocol), figure in told.items() if protocol == "freeze"}


def test_the_leaderboard_is_the_one_that_the_records_give(audiobench: Callable[..., Answer]) -> None:
    folder = Path(__file__).parent.parent / "leaderboard"
    given = audiobench("leaderboard", "esc10", "--scale", "cpu", "--runs", folder / "records")
    assert given.out == (folder / "esc10.cpu.md").read_text()
    table, _, rest = given.out.split("## esc10\n\n")[1].partition("\n\n")
    assert table in README
    assert rest[rest.index("- Accuracy") :] in README
