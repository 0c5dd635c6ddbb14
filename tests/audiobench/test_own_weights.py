"""A source of weights is one file: from its plugin to the jobs, their keys, and the board."""

import json
from pathlib import Path

import pytest

from tests.audiobench.test_run import Call

CONSTANT = '''
"""Weights of one number."""

from pydantic import Field

import torch
from audiobench import Settings, Weights


class Constant(Weights):
    """The same number everywhere."""

    source = "ours"
    value = "number"

    class Config(Settings):
        number: float = Field(0.01, description="of every weight")

    def stated(self, encoder, seed):
        return {"number": self.config.number}

    @classmethod
    def load(cls, encoder, frontend, stated, path):
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.fill_(stated["number"])
        return []
'''
SUITE = """
schema_version: 1
name: constants
plugins: [constant.py]
control: random
frontend: {name: logmel, n_fft: 512, hop_length: 320, n_mels: 32}
crop: 0.5
encoder: {name: cnn10, width: 4}
entries:
  half: {weights: {constant: 0.5}}
  plain: {weights: constant}
  random: {weights: random}
tasks: [{name: sounds, clips: 2}]
protocols: {knn: {k: [1, 3]}}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "constant.py").write_text(CONSTANT)
    path = tmp_path / "constants.yaml"
    path.write_text(SUITE)
    return path


def test_weights_of_a_plugin_go_all_the_way(suite: Path, tmp_path: Path, audiobench: Call) -> None:
    checked = audiobench("check", tmp_path / "constant.py")
    assert checked.status == 0, checked.out
    planned = audiobench("plan", suite, "--runs", tmp_path / "runs")
    assert planned.status == 0, planned.err
    assert "embed sounds with half" in planned.out
    ran = audiobench("run", suite, "--runs", tmp_path / "runs")
    assert ran.status == 0, ran.err
    stated = [
        json.loads(path.read_text())["config"]["weights"] for path in (tmp_path / "runs/embed").glob("*/job.json")
    ]
    assert sorted(source["number"] for source in stated if source["kind"] == "constant") == [0.01, 0.5]
    board = audiobench("leaderboard", "constants", "--runs", tmp_path / "runs")
    assert board.status == 0, board.err
    rows = {line.split("|")[1].strip(): line for line in board.out.splitlines() if line.startswith("| ")}
    assert all("0." in rows[entry] for entry in ("half", "plain", "random"))


def test_weights_of_an_edited_plugin_are_new_work(suite: Path, tmp_path: Path, audiobench: Call) -> None:
    runs = tmp_path / "runs"
    assert audiobench("run", suite, "--runs", runs, "--entry", "half").status == 0
    before = {path.name for path in (runs / "embed").iterdir()}
    (tmp_path / "constant.py").write_text(CONSTANT.replace('stated["number"]', '-stated["number"]'))
    assert audiobench("run", suite, "--runs", runs, "--entry", "half").status == 0
    assert len({path.name for path in (runs / "embed").iterdir()} - before) == 1


def test_a_setting_that_a_source_lacks_is_told_with_its_place(suite: Path, tmp_path: Path, audiobench: Call) -> None:
    suite.write_text(SUITE.replace("{constant: 0.5}", "{constant: 0.5, numbre: 1}"))
    answer = audiobench("plan", suite, "--runs", tmp_path / "runs")
    assert answer.status == 2
    assert "numbre" in answer.err
    assert "constants.yaml:10" in answer.err
