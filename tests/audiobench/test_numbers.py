"""A task of numbers, from a column of a table to a leaderboard and its page."""

import csv
import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from tests.audiobench.conftest import COMMAND
from tests.audiobench.test_run import Call
from tests.registry._recordings import sound, write

SUITE = """
schema_version: 1
name: pitches
title: Pitches
control: random
frontend: {name: logmel, n_fft: 512, win_length: 512, hop_length: 320, n_mels: 32}
crop: 0.5
encoder: {name: cnn10, width: 4, dropout: 0.1}
pretrain: {epochs: 2, batch_size: 8, learning_rate: 0.003, optimizer: adamw, monitor_every: 1, keep: best}
entries:
  random: {weights: random}
  taught: {weights: {pretrain: supervised}, protocols: [linear, knn]}
tasks: [TASK]
protocols:
  finetune: {epochs: 20, batch_size: 8, learning_rate: 0.01}
  linear: {name: freeze, epochs: 60, learning_rate: 0.05}
  mlp: {name: freeze, head: mlp, epochs: 20, learning_rate: 0.01}
  crops: {name: freeze, augment: true, epochs: 20, learning_rate: 0.05}
  knn: {k: [1, 3, 5]}
"""
TASK = "{name: folder, path: birds, table: birds.csv, folds: 2}"


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four tones of 200 to 2,500 Hz by twelve birds, and how many semitones each lies over 200 Hz."""
    folder = tmp_path_factory.mktemp("birds")
    rows = ["path,value,source"]
    for i in range(24):
        semitones = (7 * i) % 24 * 1.9
        sound(folder / "birds" / f"{i}.wav", seconds=0.6, hz=round(200 * 2 ** (semitones / 12)))
        rows.append(f"{i}.wav,{semitones},bird {i // 2}")
    write(folder / "birds" / "birds.csv", "\n".join(rows))
    suite = SUITE.replace("TASK", TASK).replace("{epochs: 2,", f"{{corpus: {TASK}, monitor: {TASK}, epochs: 2,")
    write(folder / "pitches.yaml", suite)
    return folder


@pytest.fixture(scope="module")
def runs(birds: Path) -> Path:
    """The suite's records, which no test may change."""
    command = [*COMMAND, "run", str(birds / "pitches.yaml"), "--runs", str(birds / "runs"), "--data", str(birds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "linear random on folder: mean absolute error" in done.stderr
    return birds / "runs"


def test_records_hold_scikit_learns_figures_of_every_epoch(runs: Path) -> None:
    protocols = set()
    for path in (runs / "evaluate").glob("*/result.json"):
        record, job = json.loads(path.read_text()), json.loads((path.parent / "job.json").read_text())
        kept, curve = (pd.read_parquet(path.parent / f"{name}.parquet") for name in ("predictions", "epochs"))
        protocols.add(job["config"]["protocol"]["name"])
        for fold, figures in record["folds"].items():
            of_fold, by_epoch = kept[kept.fold == int(fold)], curve[curve.fold == int(fold)]
            pair = of_fold.label, of_fold.predicted
            assert figures["mean_absolute_error"] == pytest.approx(mean_absolute_error(*pair))
            assert figures["r2"] == pytest.approx(r2_score(*pair))
            label_of = of_fold.set_index("clip").label
            errors = [mean_absolute_error(label_of[one["clip"]], one.predicted) for _, one in by_epoch.groupby("epoch")]
            assert figures.get("mean_absolute_error_by_epoch", []) == pytest.approx(errors)
    assert protocols == {"finetune", "freeze", "knn"}


def test_every_protocol_predicts_better_than_the_mean_would_and_has_intervals(
    birds: Path, runs: Path, audiobench: Call
) -> None:
    board = json.loads(audiobench("leaderboard", "--runs", runs, "--format", "json").out)
    values = pd.read_csv(birds / "birds" / "birds.csv").value.to_numpy()
    of_mean = np.abs(values - values.mean()).mean()
    cells = [cell for cell in board["cells"] if cell["mean"] is not None]
    assert {cell["protocol"] for cell in cells} == {"finetune", "linear", "mlp", "crops", "knn"}
    for cell in cells:
        assert (cell["metric"], cell["clips"], cell["folds"]) == ("mean absolute error", 24, 2)
        for interval in (cell["interval"], cell["others"]["R2"]["interval"]):
            assert interval["low"] < interval["mean"] < interval["high"]
        if cell["entry"] == "random":
            assert cell["mean"] < 0.9 * of_mean
            assert cell["others"]["R2"]["interval"]["mean"] > 0
        if cell["convergence"] and cell["entry"] == "random":
            assert cell["convergence"]["mark"] == pytest.approx(min(cell["convergence"]["curve"]["mean"]) / 0.9)


def test_a_leaderboard_has_its_metrics_in_every_form_and_a_plan_the_smallest_difference(
    birds: Path, runs: Path, audiobench: Call
) -> None:
    rows = list(csv.DictReader(io.StringIO(audiobench("leaderboard", "--runs", runs, "--format", "csv").out)))
    row_of_random = next(row for row in rows if (row["entry"], row["protocol"]) == ("random", "knn"))
    assert float(row_of_random["r2_low"]) <= float(row_of_random["r2"]) <= float(row_of_random["r2_high"])
    assert row_of_random["macro_f1"] == ""
    shown = audiobench("leaderboard", "--runs", runs, "--format", "md").out
    head = next(line for line in shown.splitlines() if line.startswith("| entry"))
    assert [part.strip() for part in head.split("|")][2:4] == ["finetune MAE (last)", "R2"]
    assert "Of folder: mean absolute error (MAE) in units of the task's numbers, lower is better; and R2." in shown
    assert "Accuracy" not in shown
    assert "knn MAE (inner)" in audiobench("leaderboard", "--runs", runs, "--format", "latex").out
    planned = audiobench("plan", birds / "pitches.yaml", "--runs", runs, "--data", birds)
    assert "knn on folder: the smallest difference that its recordings told is " in planned.out + planned.err


def test_a_page_shows_errors_from_the_lowest_and_draws_no_classes(birds: Path, runs: Path, audiobench: Call) -> None:
    page, figures = birds / "page.html", birds / "figures"
    asked = ("report", birds / "pitches.yaml", "--runs", runs, "--data", birds, "--output", page, "--figures", figures)
    answer = audiobench(*asked)
    assert answer.status == 0, answer.err
    html = page.read_text()
    assert 'data-first="ascending" class="number first drawn"' in html
    assert "(units of the task's numbers, 95 % interval; line: control, random)" in html
    assert {path.stem for path in figures.iterdir()} >= {"intervals-folder-knn", "curves-folder-linear"}
    assert not list(figures.glob("confusion*"))
    assert not list(figures.glob("map*"))
