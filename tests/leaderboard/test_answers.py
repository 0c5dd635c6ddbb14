"""What records say of recordings: newer ones themselves, older ones by the clips' names or by the pack."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.ledger.plan import Plan, Row
from benchmark.store.store import Store
from leaderboard.render import render
from leaderboard.table import Table, make_table
from tests.jobs import PACKED, embed_job, evaluate_job, evaluation_record, made_facts, pack_job

# Five recordings in each of two folds, of two clips each; UrbanSound8K's names begin with the recording.
CLIPS = {fold: [f"{100 * fold + i // 2}-0-0-{i}.wav" for i in range(10)] for fold in (1, 2)}
RIGHT = {"good": [1, 1, 1, 1, 1, 1, 1, 1, 0, 0], "poor": [1, 1, 0, 0, 1, 1, 0, 0, 1, 0]}


def table(
    folder: Path,
    columns: dict[str, list[Any]] | None = None,
    task: str = "us8k",
    seen: int = 0,
    tasks: tuple[str, ...] = ("us8k",),
    packed: bool = False,
) -> Table:
    """A leaderboard of two entries; ``columns`` are what predictions hold besides, by clip of either fold."""
    store = Store(folder)
    facts = made_facts(
        control="poor",
        entries=list(RIGHT),
        tasks={column: [1, 2] for column in tasks},
        task_names=dict.fromkeys(tasks, task),
    )
    plan = Plan("made", facts)
    for column in tasks:
        pack = pack_job(task, inputs=column)
        plan.add(pack)
        if packed:
            store.folder(pack).mkdir(parents=True)
            rows = [{"id": clip, "source": clip.split("-")[0], "samples": 0} for own in CLIPS.values() for clip in own]
            pd.DataFrame(rows).to_parquet(store.folder(pack) / "clips.parquet")
            (store.folder(pack) / "samples.i16").touch()
            (store.folder(pack) / "result.json").write_text(json.dumps({**PACKED, "key": pack.key}))
        for entry, right in RIGHT.items():
            job = evaluate_job(pack.key, plan.add(embed_job(pack.key, width=len(entry))), seed=list(RIGHT).index(entry))
            plan.rows.append(Row(entry, column, "knn", 0, plan.add(job)))
            parts = [
                pd.DataFrame(
                    {"fold": fold, "clip": own, "label": 0, "predicted": [1 - r for r in right], **(columns or {})}
                )
                for fold, own in CLIPS.items()
            ]
            store.folder(job).mkdir(parents=True)
            pd.concat(parts).to_parquet(store.folder(job) / "predictions.parquet")
            types = {"fold": int, "epoch": int, "clip": str, "predicted": int}
            none = pd.DataFrame(columns=list(types)).astype(types)
            none.to_parquet(store.folder(job) / "epochs.parquet")
            folds = {fold: {"clips": 10, "accuracy": sum(right) / 10} for fold in CLIPS}
            result = evaluation_record(folds, classes=["a", "b"], clips_seen_in_pretraining=seen)
            (store.folder(job) / "result.json").write_text(json.dumps(result))
    return make_table(plan, store)


def width(made: Table) -> float:
    interval = made.cells[0].interval
    assert interval is not None
    return interval.high - interval.low


def test_older_records_find_recordings_by_name_or_pack_and_say_where_they_cannot(tmp_path: Path) -> None:
    named = table(tmp_path / "a")
    told = table(tmp_path / "b", {"source": [str(i // 2) for i in range(10)]}, task="fma")
    by_pack = table(tmp_path / "c", task="fma", packed=True)
    unknown = table(tmp_path / "d", task="fma")
    assert width(named) == pytest.approx(width(told))
    assert width(named) == pytest.approx(width(by_pack))
    assert width(unknown) < 0.85 * width(named)
    for made, known in ((named, True), (told, True), (by_pack, True), (unknown, False)):
        assert made.cells[0].by_recording == known
        assert ("intervals are by clip" in render(made, "md")) == (not known)
        assert ("20 clips of 10 recordings" in render(made, "md")) == known


def test_beside_a_figure_stands_the_same_without_what_pretraining_saw(tmp_path: Path) -> None:
    seen = [False] * 8 + [True] * 2  # the two that good has wrong
    made = table(tmp_path / "a", {"seen": seen}, seen=4)
    good = made.find("good", "us8k", "knn")
    assert good is not None
    assert good.unseen is not None
    assert (good.mean, good.unseen.mean) == (0.8, 1.0)
    text = render(made, "md")
    assert "unseen [95 %]" in text
    assert "1.000 [1.000, 1.000]" in text
    assert "without the clips that the pretraining corpus holds" in text
    older = render(table(tmp_path / "b", seen=4), "md")
    assert "unseen [95 %]" not in older
    assert "the records do not tell which clips these are" in older
    all_seen = render(table(tmp_path / "c", {"seen": [True] * 10}, seen=20), "md")
    assert "unseen [95 %]" not in all_seen
    assert "do not tell which" not in all_seen


def test_a_task_in_two_columns_counts_once_across_tasks(tmp_path: Path) -> None:
    assert table(tmp_path, tasks=("us8k", "us8k-quick")).across == []  # one task, in two columns


def test_every_metric_has_its_interval_and_its_difference_from_the_control(tmp_path: Path) -> None:
    made = table(tmp_path)
    good, poor = (
        {
            name: float(value)
            for name, value in row.items()
            if name.startswith(("figure", "low", "high", "macro")) and value
        }
        for row in csv.DictReader(io.StringIO(render(made, "csv")))
    )
    assert good["low"] <= good["figure"] <= good["high"]
    assert good["macro_f1_low"] <= good["macro_f1"] <= good["macro_f1_high"]
    assert good["macro_f1_minus_control"] == pytest.approx(good["macro_f1"] - poor["macro_f1"])
    smallest = json.loads(render(made, "json"))["smallest"]
    assert [(one["task"], one["protocol"], one["pairs"]) for one in smallest] == [("us8k", "knn", 1)]
