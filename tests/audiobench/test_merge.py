"""Results of several folders in one leaderboard, through the command line, from a suite that two machines shared."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.store.integrity import seal
from benchmark.store.store import Store, write_json
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]

SUITE = (
    TINY[: TINY.index("entries:")]
    + "entries:\n  random: {weights: random}\n  wide: {encoder: {name: cnn10, width: 6}, weights: random}\n"
    + "tasks: [{name: sounds, clips: 2}]\nprotocols: {knn: {k: [1, 3]}}\n"
)


@pytest.fixture
def shared(tmp_path: Path, audiobench: Call) -> Path:
    """A folder with the suite, run in ``both``, of which ``here`` and ``there`` have the records of one entry each."""
    suite, both = tmp_path / "tiny.yaml", tmp_path / "both"
    suite.write_text(SUITE)
    answer = audiobench("run", suite, "--runs", both, "--device", "cpu")
    assert answer.status == 0, answer.err
    stored = Store(both).load_plan("tiny")
    assert stored
    rows = stored["plan"]["rows"]
    for folder, entry in (("here", "random"), ("there", "wide")):
        shutil.copytree(both / "plans", tmp_path / folder / "plans")
        for row in rows:
            if row["entry"] == entry:
                shutil.copytree(both / "evaluate" / row["key"], tmp_path / folder / "evaluate" / row["key"])
    return tmp_path


def cells(answer: Answer) -> dict[str, Any]:
    assert answer.status == 0, answer.err
    fields = ("mean", "interval", "against_control", "folds", "clips", "k")
    return {cell["entry"]: [cell[field] for field in fields] for cell in json.loads(answer.out)["cells"]}


def test_two_halves_are_the_leaderboard_of_one_machine_until_settings_part_them(shared: Path, audiobench: Call) -> None:
    merge = ("leaderboard", "tiny", "--from", shared / "here", "--from", shared / "there")
    whole = cells(audiobench("leaderboard", "tiny", "--runs", shared / "both", "--format", "json"))
    assert cells(audiobench(*merge, "--format", "json")) == whole
    runs = ("leaderboard", "tiny", "--runs", shared / "here", "--from", shared / "there", "--format", "json")
    assert cells(audiobench(*runs)) == whole
    assert whole["wide"][2] is not None  # entries of two folders are compared clip by clip
    assert [value[0] is None for value in cells(audiobench(*merge[:4], "--format", "json")).values()] == [False, True]

    board = shared / "board.md"
    assert audiobench(*merge, "--output", board).status == 0
    assert audiobench(*merge, "--output", board, "--check").status == 0
    answer = audiobench(*merge[:4], "--output", board, "--check")
    assert (answer.status, f"the records in {shared / 'here'} give" in answer.err) == (1, True)

    # The same work with another end elsewhere.
    shutil.copytree(shared / "both", shared / "gpu")
    for path in (shared / "gpu" / "evaluate").glob("*/result.json"):
        record = json.loads(path.read_text())
        record["folds"] = {fold: {**figures, "accuracy": 0.0} for fold, figures in record["folds"].items()}
        predictions = pd.read_parquet(path.parent / "predictions.parquet")
        predictions["predicted"] = (predictions["label"] + 1) % len(record["classes"])
        predictions.to_parquet(path.parent / "predictions.parquet", index=False)
        path.unlink()
        write_json(path, seal({k: v for k, v in record.items() if k not in ("files", "sha256")}, path.parent))
    answer = audiobench(*merge, "--from", shared / "gpu", "--format", "json")
    assert cells(answer) == whole
    assert [line.split(":")[0] for line in answer.err.splitlines()] == ["random, knn on sounds", "wide, knn on sounds"]
    assert f"{whole['wide'][0]:.3f} in there is shown, and not 0.000 in gpu" in answer.err

    # Other settings of an entry, and then another rule for the epoch.
    other = shared / "other.yaml"
    other.write_text(SUITE.replace("width: 6", "width: 5"))
    assert audiobench("run", other, "--runs", shared / "other", "--device", "cpu").status == 0
    by_entry = cells(audiobench(*merge, "--from", shared / "other", "--format", "json"))
    assert set(by_entry) == {"random", "wide", "wide (other)"}
    assert {entry: by_entry[entry][:2] for entry in whole} == {entry: values[:2] for entry, values in whole.items()}
    stored = Store(shared / "other").load_plan("tiny")
    assert stored
    stored["plan"]["facts"]["selection"] = "best-mean"
    Store(shared / "other").save_plan("tiny", stored)
    answer = audiobench(*merge, "--from", shared / "other")
    assert answer.status == 2
    assert "selection: last in here, best-mean in other" in answer.err
    assert "to do: leave one of the folders out" in answer.err


def test_a_plan_of_a_newer_audiobench_is_refused_and_a_run_makes_its_own(tiny: Path, audiobench: Call) -> None:
    run = ("run", tiny, "--runs", tiny.parent / "runs", "--entry", "random", "--protocol", "knn", "--device", "cpu")
    assert audiobench(*run).status == 0
    (path,) = (tiny.parent / "runs" / "plans").iterdir()
    path.write_text(json.dumps({"schema": 2}))
    answer = audiobench("leaderboard", "tiny", "--runs", tiny.parent / "runs")
    assert (answer.status, "written by a newer audiobench" in answer.err) == (2, True)
    assert "to do: update audiobench" in answer.err
    assert audiobench(*run).status == 0
    assert audiobench("leaderboard", "tiny", "--runs", tiny.parent / "runs").status == 0


def test_a_folder_that_is_not_there_or_lacks_the_suite_is_named(audiobench: Call, tmp_path: Path) -> None:
    answer = audiobench("leaderboard", "--from", tmp_path / "none")
    assert (answer.status, "--from" in answer.err) == (2, True)
    answer = audiobench("leaderboard", "tiny", "--from", tmp_path)
    assert (answer.status, "no suite was run here" in answer.err) == (2, True)
