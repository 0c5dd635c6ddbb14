"""A task with several labels a clip, from recordings to a leaderboard."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.conftest import Answer
from tests.registry._recordings import sound, write


def test_several_labels_are_ranked_from_recordings_to_leaderboard(
    tmp_path: Path, tiny: Path, audiobench: Callable[..., Answer]
) -> None:
    rows = ["path,label"]
    for i in range(24):
        labels = [("low",), ("high",), ("low", "high")][i % 3]
        sound(tmp_path / "birds" / f"{i}.wav", seconds=0.6, hz=300 * (i % 3 + 1) ** 2 + 3 * i)
        rows.append(f"{i}.wav,{';'.join(labels)}")
    write(tmp_path / "birds" / "birds.csv", "\n".join(rows))
    named = "{name: folder, path: birds, table: birds.csv, folds: 2}"
    tiny.write_text(tiny.read_text().replace("tasks: [{name: sounds, clips: 2}]", f"tasks: [{named}]"))
    ran = audiobench(
        "run", tiny, "--runs", tmp_path / "runs", "--data", tmp_path, "--entry", "random", "--entry", "npid"
    )
    assert ran.status == 0, ran.err
    assert "freeze random on folder: mAP" in ran.err
    for path in (tmp_path / "runs" / "evaluate").glob("*/result.json"):
        record = json.loads(path.read_text())
        assert record["metric"] == "mAP"
        kept = pd.read_parquet(path.parent / "predictions.parquet")
        for fold, figures in record["folds"].items():
            of_fold = kept[kept.fold == int(fold)]
            truth = np.array([[label in labels for label in range(2)] for labels in of_fold.label])
            scores = np.stack(of_fold.scores.tolist())
            assert figures["mAP"] == pytest.approx(average_precision_score(truth, scores, average="macro"))
            assert figures["auc"] == pytest.approx(roc_auc_score(truth, scores, average="macro"))
            assert figures["epochs"] == []
    shown = audiobench("leaderboard", "--runs", tmp_path / "runs", "--format", "md").out
    assert "freeze mAP (last) |   AUC |" in shown
    assert "Of folder: mean average precision" in shown
    board = json.loads(audiobench("leaderboard", "--runs", tmp_path / "runs", "--format", "json").out)
    cell = next(c for c in board["cells"] if c["protocol"] == "freeze" and c["entry"] == "random")
    assert (cell["metric"], cell["clips"], cell["folds"]) == ("mAP", 24, 2)
    assert cell["against_control"] is None
    page = tmp_path / "page.html"
    answer = audiobench("report", tiny, "--runs", tmp_path / "runs", "--data", tmp_path, "--output", page)
    assert answer.status == 0, answer.err
    assert "mAP (last)" in page.read_text()
    assert f"{cell['mean']:.3f} ± {cell['deviation']:.3f}" in page.read_text()
