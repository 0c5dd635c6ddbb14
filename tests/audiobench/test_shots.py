"""Few labels through the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from tests.conftest import TINY, Answer

Call = Callable[..., Answer]
FEW = TINY.replace("freeze: {epochs: 3}", "freeze: {epochs: 3, shots: [1, 3], draws: 2}").replace(
    "knn: {k: [1, 3]}", "knn: {k: [1, 3], shots: [1, all], draws: 2}"
)


def records(runs: Path) -> dict[str, dict[str, Any]]:
    """By title, what was asked of an evaluation, its record, and its predictions."""
    return {
        (asked := json.loads((folder / "job.json").read_text()))["title"]: {
            **asked["config"],
            **json.loads((folder / "result.json").read_text()),
            "predicted": pd.read_parquet(folder / "predictions.parquet")["predicted"].tolist(),
        }
        for folder in sorted((runs / "evaluate").iterdir())
    }


def test_a_suite_of_few_labels_runs_and_does_nothing_twice(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    asked = ("run", tiny, "--runs", tmp_path / "runs", "--entry", "random")
    assert audiobench(*asked, "--protocol", "knn").status == 0
    tiny.write_text(FEW)
    planned = audiobench(*asked, "--protocol", "knn", "--dry-run").out
    assert planned.count("to do") == 2  # the two draws; the embedding, and all clips, are there
    answer = audiobench(*asked, "--protocol", "knn", "--protocol", "freeze 1-shot")
    assert answer.status == 0, answer.err
    assert "freeze random on sounds, 1 shot, draw 1: accuracy" in answer.err
    by_title = records(tmp_path / "runs")
    assert set(by_title) == {
        "knn random on sounds",
        *(f"{name} random on sounds, 1 shot, draw {draw}" for name in ("knn", "freeze") for draw in (0, 1)),
    }
    for name in ("knn", "freeze"):
        draws = [by_title[f"{name} random on sounds, 1 shot, draw {draw}"] for draw in (0, 1)]
        assert [(one["shots"], one["draw"]) for one in draws] == [(1, 0), (1, 1)]
        assert draws[0]["predicted"] != draws[1]["predicted"]
        assert all(len(one["predicted"]) == 100 for one in draws)
    assert {fold["k"] for fold in by_title["knn random on sounds, 1 shot, draw 0"]["folds"].values()} == {1}
    again = audiobench(*asked, "--protocol", "knn", "--protocol", "freeze 1-shot", "--dry-run")
    assert "0 jobs, 0 done" in again.out


def test_several_labels_in_a_table_are_found_out_when_clips_are_drawn(
    tiny: Path, audiobench: Call, tmp_path: Path
) -> None:
    import numpy as np
    import soundfile

    (tmp_path / "own").mkdir()
    rows = ["path,label,fold"]
    for i in range(8):
        soundfile.write(tmp_path / "own" / f"{i}.wav", np.random.default_rng(i).uniform(-0.5, 0.5, 16000), 16000)
        rows.append(f"{i}.wav,{'a;b' if i == 3 else 'ab'[i % 2]},{i % 4 // 2 + 1}")
    (tmp_path / "own" / "clips.csv").write_text("\n".join(rows))
    task = "[{name: folder, path: own, table: clips.csv, folds: 2}]"
    tiny.write_text(FEW.replace("[{name: sounds, clips: 2}]\nprotocols", f"{task}\nprotocols"))
    asked = ("run", tiny, "--runs", tmp_path / "runs", "--entry", "random", "--protocol", "knn 1-shot")
    answer = audiobench(*asked, "--data", tmp_path)
    assert answer.status == 1, answer.err
    assert "this task has several labels a clip" in answer.err
    assert "Traceback" not in answer.err
