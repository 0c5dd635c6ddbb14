"""Published figures: none lost, none changed."""

import csv
from pathlib import Path

import pytest

import leaderboard
from leaderboard.published import HARNESSES, anchored, of_harnesses, reproduced
from tests.conftest import SHARED

FOLDER = Path(leaderboard.__file__).parent


def rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        pytest.skip(f"no reference figures at {path}")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_published_row_and_note_is_kept() -> None:
    names = {"source": "paper", "protocol": "protocol_as_printed", "value": "value_as_printed"}
    theirs = rows(SHARED / "reference" / "published_results.csv")
    for row in theirs:  # some notes hold commas that the reference does not quote
        rest: list[str] = row.pop(None, [])  # type: ignore[call-overload]
        row["note"] = ",".join([row["note"], *rest])
    ours = [{column: row[names.get(column, column)] for column in theirs[0]} for row in rows(FOLDER / "published.csv")]
    assert ours == theirs
    assert len(ours) == 341


def test_every_anchor_is_kept() -> None:
    theirs = rows(SHARED / "reference" / "anchors.csv")
    assert [{column: row[column] for column in theirs[0]} for row in rows(FOLDER / "anchors.csv")] == theirs


def test_scores_are_the_printed_values_as_fractions() -> None:
    for row in rows(FOLDER / "published.csv"):
        printed = float(row["value_as_printed"]) / (100 if "%" in row["metric"] else 1)
        assert float(row["score"]) == pytest.approx(printed)


def test_table_3_1_of_s1_by_entry_and_protocol() -> None:
    found = {(p.row, p.protocol): p.score for p in reproduced("lin2022/table-3.1")}
    assert found == {
        ("moco", "finetune"): 0.742,
        ("moco", "freeze"): 0.595,
        ("moco", "knn"): 0.468,
        ("npid", "finetune"): 0.642,
        ("npid", "freeze"): 0.493,
        ("npid", "knn"): 0.369,
        ("imagenet", "finetune"): 0.696,
        ("scratch", "finetune"): 0.423,
    }
    assert reproduced(None) == []


def test_anchors_are_found_by_system_and_unverified_ones_are_left_out() -> None:
    assert {(p.task, p.protocol, p.score) for p in anchored(["ESResNet (best)"])} >= {("esc10", "finetune", 0.97)}
    unverified = {row["system"] for row in rows(FOLDER / "anchors.csv") if row["verified"].startswith("NO")}
    kept = {(p.row, p.score) for p in anchored(sorted(unverified))}
    doubtful = {
        (r["system"], float(r["score"])) for r in rows(FOLDER / "anchors.csv") if r["verified"].startswith("NO")
    }
    assert not kept & doubtful


def test_every_figure_of_the_field_is_kept() -> None:
    assert rows(FOLDER / "field.csv") == rows(SHARED / "reference" / "field_results.csv")
    assert len(rows(FOLDER / "field.csv")) == 823


def test_figures_of_whole_benchmarks_are_found_by_the_benchmarks_names() -> None:
    found = of_harnesses(["evar", "BYOL-A"])
    assert {figure.harness for figure in found} == {"EVAR, linear evaluation, frozen"}
    assert {figure.task for figure in found} >= {"esc50", "us8k", "gtzan"}
    assert {figure.protocol for figure in of_harnesses(HARNESSES)} == {"freeze", "knn"}
    assert all(0 <= figure.score <= 1 for figure in of_harnesses(HARNESSES))
    # FSD50K's chief metric is mean average precision; other metrics of a benchmark have no column here.
    kept = sorted(figure.score for figure in of_harnesses(["hear"]) if figure.task == "fsd50k")
    theirs = [row for row in rows(FOLDER / "field.csv") if (row["harness"], row["task"]) == ("HEAR 2021", "fsd50k")]
    assert kept == sorted(float(row["value"]) for row in theirs if row["metric"] == "mAP")
    assert of_harnesses([]) == []
