"""Front ends of entries' own, formats side by side, and statistics of a data set, through the command line."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.jobs.packing import open_pack
from registry.frontends import make_frontend
from registry.lookup import FRONTENDS
from tests.conftest import Answer

Call = Callable[..., Answer]

FORMATS = """
schema_version: 1
name: formats
frontend: waveform
crop: 0.5
encoder: {name: conv320, width: 8}
entries:
  raw: {weights: random}
  mel: {frontend: {name: logmel, n_mels: 32}, encoder: {name: cnn10, width: 4}, weights: random}
  both:
    encoder:
      name: multiformat
      branches:
        waveform: {frontend: waveform, encoder: {name: conv320, width: 8}}
        logmel: {frontend: {name: logmel, n_mels: 32}, encoder: {name: cnn10, width: 4}}
    weights: random
    protocols: [knn, knn-logmel, freeze, freeze-waveform]
tasks: [{name: sounds, clips: 2}]
protocols:
  knn: {k: [1, 3]}
  knn-logmel: {name: knn, k: [1, 3], inputs: [logmel]}
  freeze: {epochs: 2}
  freeze-waveform: {name: freeze, epochs: 2, inputs: [waveform]}
"""


@pytest.fixture
def formats(tmp_path: Path) -> Path:
    path = tmp_path / "formats.yaml"
    text = FORMATS.replace("raw: {weights: random}", "raw: {weights: random, protocols: [knn, freeze]}")
    path.write_text(
        text.replace("width: 4}, weights: random}", "width: 4}, weights: random, protocols: [knn, freeze]}")
    )
    return path


def records(runs: Path, kind: str) -> list[dict[str, Any]]:
    folders = sorted((runs / kind).iterdir())
    return [json.loads((f / "result.json").read_text()) | json.loads((f / "job.json").read_text()) for f in folders]


def test_entries_with_front_ends_of_their_own_share_a_table(formats: Path, audiobench: Call, tmp_path: Path) -> None:
    answer = audiobench("run", formats, "--runs", tmp_path / "runs")
    assert answer.status == 0, answer.err
    assert len(records(tmp_path / "runs", "pack")) == 1  # all at 16 kHz
    assert len(records(tmp_path / "runs", "embed")) == 3  # both formats once, whatever protocols take of them
    text = audiobench("leaderboard", "formats", "--runs", tmp_path / "runs", "--format", "csv").out
    rows = {(row["entry"], row["protocol"]): row for row in csv.DictReader(text.splitlines())}
    assert set(rows) == {
        *((entry, protocol) for entry in ("raw", "mel") for protocol in ("knn", "freeze")),
        *(("both", protocol) for protocol in ("knn", "knn-logmel", "freeze", "freeze-waveform")),
    }
    assert all(float(row["clips_per_second"]) > 0 for row in rows.values())
    assert int(rows["mel", "knn"]["parameters"]) + int(rows["raw", "knn"]["parameters"]) == int(
        rows["both", "knn"]["parameters"]
    )
    table = audiobench("leaderboard", "formats", "--runs", tmp_path / "runs").out
    assert "clips/s |" in table
    assert "whole clips embedded a second" in table


def test_a_part_that_the_embedding_lacks_is_named(formats: Path, audiobench: Call, tmp_path: Path) -> None:
    formats.write_text(formats.read_text().replace("inputs: [logmel]", "inputs: [mfcc]"))
    answer = audiobench("run", formats, "--runs", tmp_path, "--entry", "both", "--protocol", "knn-logmel")
    assert answer.status == 2
    assert "the embedding has no part 'mfcc'" in answer.err
    assert "formats.yaml:21:3 (protocols.knn-logmel)" in answer.err
    assert not (tmp_path / "pack").exists()
    assert "its parts: waveform, logmel" in answer.err


def test_everything_that_does_not_fit_is_told_before_any_work(formats: Path, audiobench: Call, tmp_path: Path) -> None:
    text = formats.read_text().replace("crop: 0.5", "crop: 0.05")
    text = text.replace("raw: {weights", "rate: {encoder: {name: multiformat}, frontend: {sample_rate: 8000}, weights")
    formats.write_text(text)
    answer = audiobench("run", formats, "--runs", tmp_path / "runs")
    assert answer.status == 2
    assert "Cnn10 needs at least 16 frames, and got 6" in answer.err
    assert "Conv320 needs at least 955 samples, and got 800" in answer.err
    assert "multiformat has a front end of 16000 Hz inside, and is fed with 8000 Hz" in answer.err
    assert not list((tmp_path / "runs").glob("*/*/result.json"))


def test_spectrogram_augmentation_of_raw_audio_is_refused(formats: Path, audiobench: Call) -> None:
    formats.write_text(formats.read_text().replace("crop: 0.5", "augment: [gain, time-mask]\ncrop: 0.5"))
    answer = audiobench("plan", formats)
    assert answer.status == 2
    assert "time-mask works on spectrograms, and the front end waveform gives waveforms" in answer.err
    assert "formats.yaml:5:17" in answer.err
    mended = (
        formats.read_text().replace("raw: {", "raw: {augment: [gain], ").replace("both:\n", "both:\n    augment: []\n")
    )
    formats.write_text(mended)
    assert audiobench("plan", formats).status == 0


MEASURED = FORMATS[: FORMATS.index("  both:")].replace("{name: logmel, n_mels: 32}", "{name: byol-a, n_mels: 32}") + (
    "tasks: [{name: sounds, clips: 2}]\nprotocols: {knn: {k: [1]}, freeze: {epochs: 1}, finetune: {epochs: 1}}\n"
)


def test_statistics_are_those_of_the_training_clips_alone(audiobench: Call, tmp_path: Path) -> None:
    path = tmp_path / "measured.yaml"
    path.write_text(MEASURED.replace("raw: {weights: random}", "raw: {weights: random, protocols: [knn]}"))
    answer = audiobench("run", path, "--runs", tmp_path / "runs", "--entry", "mel")
    assert answer.status == 0, answer.err
    measured = records(tmp_path / "runs", "measure")
    assert sorted(record["config"]["held_out"] for record in measured) == [1, 2, 3, 4, 5]
    pack = open_pack(next((tmp_path / "runs" / "pack").iterdir()))
    reference = {"name": "byol-a", "n_mels": 32, "normalise": "none"}
    plain = make_frontend(FRONTENDS.choose(reference))
    for record in measured:
        training = torch.from_numpy(np.flatnonzero(pack.folds != record["config"]["held_out"]))
        values = plain(pack.recordings.windows(training, 8000)[0]).double()
        ((mean, std),) = record["statistics"].values()
        assert mean == pytest.approx(values.mean().item(), rel=1e-6)
        assert std == pytest.approx(values.std().item(), rel=1e-4)
    assert len({record["statistics"]["normalisation"][0] for record in measured}) == 5
    evaluated = records(tmp_path / "runs", "evaluate")
    assert len(evaluated) == 15  # three protocols, each fold with statistics of its own
    assert all(len(record["folds"]) == 1 for record in evaluated)


def test_pretraining_measures_its_corpus(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    tiny.write_text(tiny.read_text().replace("{name: logmel,", "{name: logmel, normalise: dataset,"))
    answer = audiobench("run", tiny, "--runs", tmp_path / "runs", "--entry", "npid", "--protocol", "knn")
    assert answer.status == 0, answer.err
    (pretrained,) = records(tmp_path / "runs", "pretrain")
    measured = {record["key"]: record for record in records(tmp_path / "runs", "measure")}
    of_corpus = measured[pretrained["needs"]["statistics"]]
    assert of_corpus["config"]["held_out"] is None
    assert of_corpus["clips"] == 100
    assert len(measured) == 6
