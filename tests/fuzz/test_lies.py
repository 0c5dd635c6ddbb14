"""Lies that one would tell, with right digests: each is damage, or a Mistake, and none reaches a leaderboard."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.jobs.evaluate import Fold
from benchmark.ledger.plan import Plan
from benchmark.store.files import json_text
from benchmark.store.integrity import check_record, read_record
from benchmark.store.job import Job
from benchmark.store.plan_file import read_plan, write_plan
from benchmark.store.store import write_json
from registry.errors import Damaged, Mistake
from registry.targets.several_labels import SeveralLabels
from tests.fuzz.made import made_store
from tests.fuzz.mutants import overwrite, reseal

Change = Callable[[dict[str, Any]], object]
RECORDS: dict[str, tuple[str, Change]] = {
    "negative": ("evaluate", lambda record: record.update(skipped=-1)),
    "not a number": ("embed", lambda record: record.update(clips_per_second=float("nan"))),
    "infinite": ("pretrain", lambda record: record.update(loss=float("inf"))),
    "no folds": ("evaluate", lambda record: record.update(folds={})),
    "another metric": ("evaluate", lambda record: record.update(metric="epochs")),
    "a metric that is not the target's": ("evaluate", lambda record: _of_folds(record, k=5, macro_f1=0.9, metric="k")),
    "more clips": ("evaluate", lambda record: _of_folds(record, clips=7)),
    "fewer figures": ("evaluate", lambda record: _of_folds(record, accuracy_by_epoch=[0.5])),
    "an epoch twice": ("evaluate", lambda record: _of_folds(record, epochs=[1, 1])),
    "a figure in words": ("evaluate", lambda record: _of_folds(record, accuracy="1")),
    "k below one": ("evaluate", lambda record: _of_folds(record, k=0)),
    "fewer classes": ("evaluate", lambda record: record.update(classes=["a"])),
    "no judge": ("evaluate", lambda record: record.update(judge="one-label")),
}


def _of_folds(record: dict[str, Any], metric: str = "accuracy", **figures: Any) -> None:
    record["metric"] = metric
    for fold in record["folds"].values():
        fold.update(figures)


Table = Callable[[pd.DataFrame], pd.DataFrame]
PREDICTIONS: dict[str, Table] = {
    "a clip twice": lambda table: table.assign(clip="1-0.wav"),
    "no such class": lambda table: table.assign(predicted=2),
    "a label below zero": lambda table: table.assign(label=-1),
    "gaps": lambda table: table.assign(source=pd.Series([None, *table["source"][1:]])),
    "words for numbers": lambda table: table.assign(fold=table["fold"].astype(str)),
    "numbers for words": lambda table: table.assign(clip=range(len(table))),
    "lists for yes and no": lambda table: table.assign(seen=pd.Series([[True]] * len(table))),
    "every row twice": lambda table: pd.concat([table, table]),
    "a million rows": lambda table: table.iloc[[0] * 1_200_000],
    "long names": lambda table: table.assign(source="x" * 20_000),
}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    made_store(tmp_path)
    return tmp_path


def folder_of(runs: Path, kind: str) -> Path:
    folder = min((runs / kind).iterdir())
    check_record(kind, folder, large=True)
    return folder


@pytest.mark.parametrize("lie", RECORDS)
def test_a_record_that_cannot_be_is_damaged(lie: str, runs: Path) -> None:
    kind, change = RECORDS[lie]
    folder = folder_of(runs, kind)
    record = json.loads((folder / "result.json").read_text())
    change(record)
    overwrite(folder / "result.json", json.dumps(record).encode())
    reseal(folder)
    with pytest.raises(Damaged):
        check_record(kind, folder, large=True)


@pytest.mark.parametrize("lie", PREDICTIONS)
def test_predictions_that_cannot_be_are_damage(lie: str, runs: Path) -> None:
    folder = folder_of(runs, "evaluate")
    PREDICTIONS[lie](pd.read_parquet(folder / "predictions.parquet")).to_parquet(folder / "predictions.parquet")
    reseal(folder)
    with pytest.raises(Damaged):
        check_record("evaluate", folder, large=False)


PLANS: dict[str, Change] = {
    "a job is missing": lambda plan: plan["jobs"].pop(0),
    "a need after the job": lambda plan: plan["jobs"].reverse(),
    "a cell of no entry": lambda plan: plan["rows"][0].update(entry="x"),
    "a cell of no task": lambda plan: plan["rows"][0].update(task="x"),
    "a cell without a job": lambda plan: plan["rows"][0].update(key="x"),
    "a cell of another job": lambda plan: plan["rows"][0].update(key=Job.from_json(plan["jobs"][0]).key),
    "a seed that was not used": lambda plan: plan["rows"][0].update(seed=1),
    "another task": lambda plan: plan["facts"].update(task_names={"sounds": "esc50"}),
    "a name that no file has": lambda plan: plan.update(name="a\x00b"),
    "a kind of no job": lambda plan: plan["jobs"][0].update(kind="loop"),
    "a component without a name": lambda plan: plan["jobs"][0]["config"].update(task={"version": 1}),
    "no seeds": lambda plan: plan["facts"].update(seeds=[]),
    "words": lambda plan: plan.update(rows="x"),
}


@pytest.mark.parametrize("lie", PLANS)
def test_a_plan_whose_parts_do_not_fit_is_refused(lie: str, runs: Path) -> None:
    (path,) = runs.glob("plans/*.json")
    stored = read_plan(path)
    assert Plan.from_json(stored["plan"]).rows
    PLANS[lie](stored["plan"])
    write_plan(path, stored)
    with pytest.raises(Mistake):
        Plan.from_json(read_plan(path)["plan"])


def test_json_that_others_read_has_no_nan_and_ours_refuses_it(tmp_path: Path) -> None:
    content = {"a": [float("nan"), 1.5], "b": {"c": float("-inf")}, "d": (True, None, "NaN")}
    assert json.loads(json_text(content), parse_constant=pytest.fail) == {
        "a": [None, 1.5],
        "b": {"c": None},
        "d": [True, None, "NaN"],
    }
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "result.json", content)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_plan(tmp_path / "plan.json", content)
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "result.json"])


def test_an_older_record_with_nan_for_an_undefined_figure_is_read(runs: Path) -> None:
    folder = folder_of(runs, "evaluate")
    record = json.loads((folder / "result.json").read_text())
    _of_folds(record, macro_f1=float("nan"))
    overwrite(folder / "result.json", json.dumps(record).encode())
    reseal(folder)
    assert b"NaN" in (folder / "result.json").read_bytes()
    check_record("evaluate", folder, large=True)
    assert read_record("evaluate", folder).figures()["accuracy/mean"] == pytest.approx(record["folds"]["1"]["accuracy"])
    assert Fold.model_validate({"clips": 1, "epochs": [], "f1": float("nan")}).model_dump()["f1"] is None


def test_an_index_below_zero_is_no_label() -> None:
    assert np.array_equal(SeveralLabels().array([[0], [1]], 2), np.eye(2))
    with pytest.raises(ValueError, match="no index of a class"):
        SeveralLabels().array([[-1]], 2)
