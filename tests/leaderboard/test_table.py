"""Cells from records made by hand: selection of epochs, seeds, coverage, and published figures."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import classification_report

from benchmark.ledger.plan import Plan, Row
from benchmark.store.store import Store
from leaderboard.render import render
from leaderboard.selection import RULES
from leaderboard.table import Cell, Table, _across, make_table
from registry.targets.number import ERROR
from registry.targets.one_label import ACCURACY
from tests.jobs import embed_job, evaluate_job, evaluation_record, made_facts, pack_job

CLASSES = ["air_conditioner", "gun_shot"]
LABELS = {1: [0, 1, 0, 1], 2: [1, 1, 0, 0]}
Epochs = dict[int, dict[int, list[int]]]  # for each fold, what was predicted after each epoch


def record(store: Store, plan: Plan, entry: str, seed: int, by_fold: Epochs) -> None:
    """Stores a finished evaluation."""
    packed = plan.add(pack_job("esc50"))
    job = evaluate_job(packed, plan.add(embed_job(packed, seed=seed, width=len(plan.jobs))), "finetune", seed)
    plan.rows.append(Row(entry, "esc50", "finetune", seed, plan.add(job)))
    folds: dict[int, Any] = {}
    last: list[dict[str, Any]] = []
    curve: list[dict[str, Any]] = []
    for fold, epochs in by_fold.items():
        accuracy = [sum(p == t for p, t in zip(e, LABELS[fold], strict=True)) / 4 for e in epochs.values()]
        folds[fold] = {"accuracy": accuracy[-1], "epochs": list(epochs), "accuracy_by_epoch": accuracy}
        for epoch, predicted in epochs.items():
            rows = [{"fold": fold, "clip": f"{fold}-{i}", "predicted": p} for i, p in enumerate(predicted)]
            curve += [{**row, "epoch": epoch} for row in rows]
        last += [{**row, "label": label} for row, label in zip(rows, LABELS[fold], strict=True)]
    store.folder(job).mkdir(parents=True)
    result = evaluation_record(folds, classes=CLASSES)
    (store.folder(job) / "result.json").write_text(json.dumps(result))
    pd.DataFrame(last).to_parquet(store.folder(job) / "predictions.parquet")
    pd.DataFrame(curve).to_parquet(store.folder(job) / "epochs.parquet")


def make(folder: Path, selection: str, runs: dict[tuple[str, int], Epochs], **facts: Any) -> Table:
    store = Store(folder)
    known = {
        "reproduces": "lin2022/table-3.1",
        "selection": selection,
        "entries": list(dict.fromkeys(entry for entry, _ in runs)),
        "protocols": ["finetune"],
    }
    plan = Plan("made", made_facts(**{**known, **facts}))
    for (entry, seed), by_fold in runs.items():
        record(store, plan, entry, seed, by_fold)
    return make_table(plan, store)


def cell(table: Table, entry: str = "scratch") -> Cell:
    found = table.find(entry, "esc50", "finetune")
    assert found is not None
    return found


# Right of 8 after epochs 1, 2, 3: 4 + 2, 2 + 4, 2 + 2.
CURVE: Epochs = {
    1: {1: [0, 1, 0, 1], 2: [0, 1, 1, 0], 3: [1, 0, 0, 1]},
    2: {1: [1, 1, 1, 1], 2: [1, 1, 0, 0], 3: [0, 0, 0, 0]},
}
RIGHT: Epochs = {fold: {1: labels} for fold, labels in LABELS.items()}


def test_last_and_best_mean_are_taken_from_the_same_records(tmp_path: Path) -> None:
    last = cell(make(tmp_path / "a", "last", {("scratch", 0): CURVE}))
    assert (last.mean, last.selection, last.folds, last.clips) == (0.5, "last", 2, 8)
    best = cell(make(tmp_path / "b", "best-mean", {("scratch", 0): CURVE}))
    assert (best.mean, best.selection) == (0.75, "best-mean")  # one epoch for all folds; each fold's own would give 1.0
    assert best.deviation == pytest.approx(0.25 * 2**0.5)


def test_seeds_are_averaged_before_folds(tmp_path: Path) -> None:
    wrong: Epochs = {1: {1: [1, 0, 1, 0]}, 2: {1: LABELS[2]}}
    both = cell(make(tmp_path, "last", {("scratch", 0): RIGHT, ("scratch", 1): wrong}))
    assert (both.mean, both.seeds, both.folds) == (0.75, 2, 2)


def test_a_fold_that_one_seed_lacks_is_left_out_and_shown(tmp_path: Path) -> None:
    table = make(tmp_path, "last", {("scratch", 0): RIGHT, ("scratch", 1): {1: RIGHT[1]}})
    assert (cell(table).folds, cell(table).of_folds, cell(table).complete) == (1, 2, False)
    assert "1.000 [1.000, 1.000] (1/2 folds)" in render(table, "md")


@pytest.mark.parametrize("selection", RULES)
def test_seeds_that_share_no_fold_give_no_figure_under_any_rule(tmp_path: Path, selection: str) -> None:
    runs = {("scratch", 0): {1: CURVE[1]}, ("scratch", 1): {2: CURVE[2]}}
    table = make(tmp_path, selection, runs)
    assert cell(table).mean is None
    assert "no choice" not in render(table, "md")


def test_a_rule_that_cannot_choose_says_so(tmp_path: Path) -> None:
    table = make(tmp_path, "inner", {("scratch", 0): {1: CURVE[1]}})
    assert cell(table).mean is None
    assert "no choice" in render(table, "md")


def test_an_entry_may_have_a_control_of_its_own(tmp_path: Path) -> None:
    half: Epochs = {1: {1: [0, 1, 1, 0]}, 2: RIGHT[2]}
    runs = {("moco", 0): RIGHT, ("cpc", 0): RIGHT, ("random", 0): half, ("random-raw", 0): RIGHT}
    table = make(tmp_path, "last", runs, control="random", controls={"cpc": "random-raw"})
    differences = {entry: cell(table, entry).against_control for entry in ("moco", "cpc", "random-raw")}
    assert {entry: d.difference.mean for entry, d in differences.items() if d} == {
        "moco": 0.25,
        "cpc": 0.0,
        "random-raw": 0.25,
    }
    text = render(table, "md")
    assert "minus control [95 %]" in text
    assert "Controls: random-raw of cpc; of all others random." in text


def test_entries_that_were_pretrained_on_test_recordings_are_marked(tmp_path: Path) -> None:
    table = make(tmp_path, "last", {("moco", 0): RIGHT, ("clar", 0): RIGHT, ("random", 0): RIGHT})
    moco, clar, random = table.cells[:3]
    table.cells = [replace(moco, seen=3), replace(clar, seen=4, labels_seen=True), replace(random, labels_seen=True)]
    text = render(table, "md")
    assert [line.split("|")[1].strip() for line in text.splitlines() if "**1.000" in line] == [
        "moco †",
        "clar ‡",
        "random",
    ]
    assert "- † Transductive" in text
    assert "- ‡ Not a fair figure" in text
    assert "3 clips of esc50 (moco)." in text
    assert "4 clips of esc50 (clar)." in text
    assert "†" not in render(table, "csv") + render(make(tmp_path / "b", "last", {("moco", 0): RIGHT}), "md")


def test_a_suite_on_some_of_the_official_folds_says_so_and_shows_no_difference(tmp_path: Path) -> None:
    table = make(tmp_path, "best-mean", {("scratch", 0): CURVE}, official_folds={"esc50": 5})
    text = render(table, "md")
    assert "## esc50 (folds 1, 2 of 5)" in text
    assert cell(table).complete
    assert "0.423 (" not in text


def test_published_figures_stand_beside_and_differ_only_by_the_same_selection(tmp_path: Path) -> None:
    best = render(make(tmp_path / "a", "best-mean", {("scratch", 0): CURVE}), "md")
    assert "0.423 (+0.327)" in best
    last = render(make(tmp_path / "b", "last", {("scratch", 0): CURVE}), "md")
    assert "0.423 |" in last
    assert "0.423 (" not in last
    assert "epoch: last instead of best-mean" in last
    assert "Table 3.1" in last
    scaled = render(make(tmp_path / "c", "best-mean", {("scratch", 0): CURVE}, scale="cpu"), "md")
    assert "0.423 (" not in scaled


def test_the_control_is_compared_on_the_same_recordings(tmp_path: Path) -> None:
    half: Epochs = {1: {1: [0, 1, 1, 0]}, 2: RIGHT[2]}
    table = make(tmp_path, "last", {("moco", 0): RIGHT, ("scratch", 0): half}, control="scratch")
    compared = cell(table, "moco").against_control
    assert compared is not None
    difference = compared.difference
    assert difference.mean == 0.25
    assert difference.low < 0.25 < difference.high
    alone = cell(table).interval  # moco has every clip right in every draw: all that differs is scratch's own
    assert alone is not None
    assert difference.high - difference.low == pytest.approx(alone.high - alone.low)
    assert cell(table).against_control is None


def test_a_published_figure_is_judged_by_the_interval_of_the_measured_one(tmp_path: Path) -> None:
    # 0.423 is published for scratch: above it with every clip right, below it with none, and 4 of 8 cannot tell.
    wrong: Epochs = {fold: {1: [1 - label for label in labels]} for fold, labels in LABELS.items()}
    half: Epochs = {fold: {1: [labels[0], labels[1], 1 - labels[2], 1 - labels[3]]} for fold, labels in LABELS.items()}
    for name, by_fold, verdict in (("a", RIGHT, "above"), ("b", wrong, "below"), ("c", half, "reproduced")):
        table = make(tmp_path / name, "best-mean", {("scratch", 0): by_fold})
        assert cell(table).verdict == verdict
        row = next(line for line in render(table, "md").splitlines() if line.startswith("| scratch"))
        assert row.split("|")[-2].strip() == verdict
    assert cell(make(tmp_path / "d", "best-mean", {("scratch", 0): half})).hindrances == []


@pytest.mark.parametrize(
    ("facts", "selection", "why"),
    [
        ({"scale": "cpu"}, "best-mean", "measured at the scale cpu"),
        ({"official_folds": {"esc50": 5}}, "best-mean", "esc50: 2 of 5 folds"),
        ({}, "last", "epoch: last instead of best-mean"),
    ],
)
def test_what_hinders_a_comparison_is_named(tmp_path: Path, facts: dict[str, Any], selection: str, why: str) -> None:
    table = make(tmp_path, selection, {("scratch", 0): RIGHT}, **facts)
    assert cell(table).verdict == "not comparable"
    assert cell(table).hindrances == [why]
    text = render(table, "md")
    assert f"so without a difference: {why}." in text
    assert "(+" not in text
    assert "verdict" not in text.splitlines()[4]


def test_rows_of_the_published_table_that_the_suite_lacks_stand_beside(tmp_path: Path) -> None:
    table = make(tmp_path, "best-mean", {("scratch", 0): RIGHT}, protocols=["finetune"])
    assert cell(table, "imagenet").mean is None
    assert cell(table, "imagenet").published is not None
    assert table.find("imagenet", "esc50", "freeze") is None


def test_classes_of_one_fold_equal_scikit_learns_and_stand_beside_the_published(tmp_path: Path) -> None:
    guesses: Epochs = {1: {1: [0, 1, 1, 1]}, 2: {1: LABELS[2]}}
    suite = {"reproduces": "lin2022/table-3.3", "class_wise": {"esc50": 1}}
    table = make(tmp_path, "last", {("moco", 0): guesses}, **suite)
    report = classification_report(LABELS[1], guesses[1][1], output_dict=True)
    assert [one.measured.name for one in table.classes] == CLASSES
    for i, one in enumerate(table.classes):
        theirs = report[str(i)]
        assert one.measured.clips == theirs["support"]
        found = tuple(one.measured.figures[metric] for metric in ("precision", "recall", "F1"))
        assert found == pytest.approx((theirs["precision"], theirs["recall"], theirs["f1-score"]))
    assert table.classes[0].published == {"precision": 0.708, "recall": 0.68, "F1": 0.694}
    assert set(table.classes[1].published) == {"precision", "recall", "F1"}  # of Gunshot
    text = render(table, "md")
    assert "## esc50, fold 1, class by class" in text
    row = next(line for line in text.splitlines() if line.startswith("| air_conditioner"))
    expected = ["air_conditioner", "2", "moco", "finetune", "1.000", "0.708", "0.500", "0.680", "0.667", "0.694"]
    assert [part.strip() for part in row.strip("|").split("|")] == expected
    assert "a copy of children_playing" in text


def test_latex_sets_the_best_in_bold_and_escapes_what_latex_reads(tmp_path: Path) -> None:
    wrong: Epochs = {fold: {1: [1 - label for label in labels]} for fold, labels in LABELS.items()}
    text = render(make(tmp_path, "last", {("a_b & c", 0): RIGHT, ("bad", 0): wrong}), "latex")
    row = next(line for line in text.splitlines() if line.strip().startswith("a"))
    assert " ".join(row.split()).startswith("a\\_b \\& c & \\textbf{1.000 $\\pm$ 0.000} & 1 &")
    assert "\\textbf{0.000" not in text
    assert text.count("\\begin{table}") == text.count("\\end{table}") == 2  # the leaderboard, and convergence


def test_all_rules_are_derived_from_one_run_and_named(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), Plan("made", make(tmp_path, "last", {}).facts)
    record(store, plan, "scratch", 0, CURVE)
    # Right by epoch: 4 2 2 of fold 1, 2 4 2 of fold 2.
    for rule, mean in zip(RULES, (0.5, 0.75, 0.5, 0.75), strict=True):
        table = make_table(plan, store, rule)
        assert (cell(table).mean, cell(table).selection) == (mean, rule)
        assert table.measured["scratch", "esc50", "finetune"].mean_under(rule, first=1) == mean
        assert f"finetune ({rule})" in render(make_table(plan, store, rule), "md")


def test_across_tasks_the_lower_error_ranks_first_beside_the_higher_accuracy() -> None:
    facts = made_facts(entries=["a", "b", "c"], tasks={"esc50": [1], "pitch": [1]})
    figures = {"esc50": {"a": 0.9, "b": 0.5, "c": 0.4}, "pitch": {"a": 10.0, "b": 20.0, "c": 30.0}}
    cells = [
        Cell(entry, task, "knn", 1, 1, ERROR if task == "pitch" else ACCURACY, mean, folds=1)
        for task, of_task in figures.items()
        for entry, mean in of_task.items()
    ]
    (found,) = _across(Table("made", facts, "last", cells))
    assert found.entries == ["a", "b", "c"]
    assert found.test.mean_ranks == [1, 2, 3]
