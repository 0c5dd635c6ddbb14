"""Leaderboards over several folders, whose records are made by hand: what becomes one row, and what one column."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.ledger.facts import TaskFacts
from benchmark.ledger.plan import Plan, Row
from benchmark.store.store import Store
from leaderboard.merge import Stores, differences, merge_plans, separate
from leaderboard.sources import read_plans
from leaderboard.table import Cell, Table, make_table
from registry.errors import Mistake, Mistakes
from tests.jobs import embed_job, evaluate_job, evaluation_record, made_facts, pack_job, pretrain_job

AUDIO, OTHER = "a1" * 32, "b2" * 32


class Folder:
    """A folder of records; every entry is evaluated with ``right`` of the four clips of each of its folds right."""

    def __init__(self, root: Path, **facts: Any) -> None:
        self.store = Store(root)
        known = {"control": "random", "official_folds": {"esc50": 2}}
        self.plan = Plan("made", made_facts(**{**known, **facts}))

    def add(
        self,
        entry: str,
        right: int | None,
        width: int = 4,
        *,
        epochs: int = 1,
        k: int = 5,
        seed: int = 0,
        audio: str = AUDIO,
        listing: str = "c3" * 32,
        rate: int = 16000,
        task: str = "esc50",
        protocol: str = "knn",
        blocked: str = "",
    ) -> "Folder":
        """One evaluation, with its record unless ``right`` is None."""
        facts = self.plan.facts.tasks
        packed, trained = self.plan.add(pack_job(facts[task].name if task in facts else task, rate, listing)), None
        if entry != "random":
            corpus = self.plan.add(pack_job("fsd50k", rate, "00" * 32))
            trained = self.plan.add(pretrain_job(corpus, entry, epochs, seed))
        embedded = self.plan.add(embed_job(packed, trained, width, rate, seed, blocked))
        job = evaluate_job(packed, embedded, protocol, seed, k=k)
        self.plan.rows.append(Row(entry, task, protocol, seed, self.plan.add(job)))
        entries = tuple(dict.fromkeys([*self.plan.facts.entries, entry]))
        self.plan.facts = self.plan.facts.model_copy(update={"entries": entries})
        self.store.save_plan("made", {"schema": 1, "request": "", "plan": self.plan.to_json()})
        if right is not None:
            write(self.store.folder(job), right, audio)
        return self


def write(folder: Path, right: int, audio: str) -> None:
    folder.mkdir(parents=True)
    folds = {fold: {"accuracy": right / 4, "accuracy_by_epoch": [], "k": 5} for fold in (1, 2)}
    (folder / "result.json").write_text(json.dumps(evaluation_record(folds, data_hash=audio)))
    rows = [
        {"fold": fold, "clip": f"{fold}-{i}", "label": 1, "predicted": int(i < right)}
        for fold in (1, 2)
        for i in range(4)
    ]
    pd.DataFrame(rows).to_parquet(folder / "predictions.parquet")
    pd.DataFrame({"fold": [], "epoch": [], "clip": [], "predicted": []}).to_parquet(folder / "epochs.parquet")


def read(*folders: Path, told: list[str] | None = None) -> Table:
    ((plan, store),) = read_plans(folders, "made", None, (told if told is not None else []).append)
    return make_table(plan, store)


def cells(table: Table) -> dict[tuple[str, str], float | None]:
    return {(cell.entry, cell.task): cell.mean for cell in table.cells}


def cell(table: Table, entry: str, task: str = "esc50") -> Cell:
    found = table.find(entry, task, "knn")
    assert found
    return found


def above_control(table: Table, entry: str) -> float:
    compared = cell(table, entry).against_control
    assert compared
    return compared.difference.mean


def test_entries_of_two_folders_stand_in_one_leaderboard_and_are_compared(tmp_path: Path) -> None:
    Folder(tmp_path / "here").add("moco", 3).add("npid", None).add("random", 2)
    Folder(tmp_path / "there").add("moco", None).add("npid", 4).add("random", None).add("byol", 1)
    table = read(tmp_path / "here", tmp_path / "there")
    assert cells(table) == {(e, "esc50"): m for e, m in (("moco", 0.75), ("npid", 1), ("random", 0.5), ("byol", 0.25))}
    assert table.facts.entries == ("moco", "npid", "random", "byol")
    assert above_control(table, "npid") == 0.5
    assert cells(read(tmp_path / "here"))["npid", "esc50"] is None


def test_one_folder_alone_is_read_as_it_is(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "a").add("moco", 3).add("random", 2)
    alone = make_table(folder.plan, folder.store)
    assert read(tmp_path / "a").cells == alone.cells
    assert read(tmp_path / "a", tmp_path / "b" / ".." / "a").cells == alone.cells
    assert read(tmp_path / "a").facts == alone.facts


def test_seeds_tasks_and_protocols_are_united(tmp_path: Path) -> None:
    Folder(tmp_path / "a").add("moco", 4)
    tasks = {"tasks": {"esc50": [1, 2], "esc10": [1, 2]}, "official_folds": {"esc50": 2, "esc10": 2}}
    other = Folder(tmp_path / "b", **tasks, protocols=["vote", "knn"], seeds=[1])
    other.add("moco", 2, seed=1).add("moco", 1, seed=1, task="esc10", k=3).add("moco", 0, seed=1, protocol="vote", k=1)
    table = read(tmp_path / "a", tmp_path / "b")
    assert table.facts.entries == ("moco",)
    assert (table.facts.seeds, list(table.facts.protocols)) == ((0, 1), ["knn", "vote"])
    assert {task: own.official_folds for task, own in table.facts.tasks.items()} == {"esc50": 2, "esc10": 2}
    assert (cell(table, "moco").mean, cell(table, "moco").seeds) == (0.75, 2)
    assert cell(table, "moco", "esc10").mean == 0.25
    vote = table.find("moco", "esc50", "vote")
    assert vote
    assert vote.mean == 0


def test_an_entry_with_other_settings_gets_the_folders_name_in_all_its_cells(tmp_path: Path) -> None:
    two = {"tasks": {"esc50": [1, 2], "esc10": [1, 2]}, "official_folds": {"esc50": 2, "esc10": 2}}
    Folder(tmp_path / "a", **two).add("moco", 4).add("moco", 4, task="esc10").add("random", 2)
    Folder(tmp_path / "b", **two).add("moco", 3, k=1).add("moco", 4, task="esc10").add("random", 2)
    Folder(tmp_path / "c", **two).add("moco", None, k=1).add("moco", None, task="esc10").add("random", None)
    table = read(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert table.facts.entries == ("moco", "random", "moco (b)")
    assert (cell(table, "moco").mean, cell(table, "moco (b)").mean) == (1, 0.75)
    assert (cell(table, "moco", "esc10").mean, cell(table, "moco (b)", "esc10").mean) == (1, 1)


@pytest.mark.parametrize("settings", [{"width": 8}, {"epochs": 2}])
def test_other_settings_are_seen_where_the_seeds_have_nothing_in_common(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    for name, seed, own in (("a", 0, {}), ("b", 1, settings)):
        Folder(tmp_path / name).add("moco", 4, seed=seed, **own).add("random", 4, seed=seed)
    assert read(tmp_path / "a", tmp_path / "b").facts.entries == ("moco", "random", "moco (b)")


def test_folders_of_one_name_are_told_apart_by_what_they_lie_in(tmp_path: Path) -> None:
    for name, width in (("a", 4), ("b", 8)):
        Folder(tmp_path / name / "runs").add("moco", 4, width)
    assert read(tmp_path / "a" / "runs", tmp_path / "b" / "runs").facts.entries == ("moco", "moco (b/runs)")


def test_entries_of_a_folder_keep_its_control_where_that_has_other_settings(tmp_path: Path) -> None:
    Folder(tmp_path / "a").add("moco", 4).add("random", 2)
    Folder(tmp_path / "b").add("npid", 4).add("random", 3, width=8)
    table = read(tmp_path / "a", tmp_path / "b")
    assert table.facts.controls == {"npid": "random (b)"}
    assert (above_control(table, "moco"), above_control(table, "npid")) == (0.5, 0.25)


def test_what_a_missing_file_blocks_in_a_folder_is_no_other_entry(tmp_path: Path) -> None:
    Folder(tmp_path / "a").add("moco", 4)
    Folder(tmp_path / "b").add("moco", None, width=9, blocked="no weights").add("npid", 2)
    assert cells(read(tmp_path / "a", tmp_path / "b")) == {("moco", "esc50"): 1, ("npid", "esc50"): 0.5}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"selection": "best-mean"}, "selection: last in a, best-mean in b"),
        ({"reproduces": "lin2022/table-3.1"}, "reproduces: none in a, lin2022/table-3.1 in b"),
        ({"control": "scratch"}, "control: random in a, scratch in b"),
        ({"tasks": {"esc50": [1]}}, "folds of esc50: [1, 2] in a, [1] in b"),
        ({"task_names": {"esc50": "esc10"}}, "registry's name of esc50: esc50 in a, esc10 in b"),
        ({"samples": "float32"}, "samples: int16 in a, float32 in b"),
        ({"class_wise": {"esc50": 1}}, "fold of esc50 shown class by class: none in a, 1 in b"),
    ],
)
def test_what_makes_figures_comparable_must_agree(tmp_path: Path, facts: dict[str, Any], said: str) -> None:
    Folder(tmp_path / "a").add("moco", 4)
    Folder(tmp_path / "b", **facts).add("npid", 4)
    with pytest.raises(Mistakes) as refused:
        read(tmp_path / "a", tmp_path / "b")
    (mistake,) = refused.value.mistakes
    assert mistake.what == f"made is not the same suite: {said}"
    assert (mistake.where, bool(mistake.fix)) == ("a and b", True)


def test_a_folder_that_lacks_the_suite_is_named(tmp_path: Path) -> None:
    Folder(tmp_path / "a").add("moco", 4)
    with pytest.raises(Mistake, match="no suite was run here") as refused:
        read(tmp_path / "a", tmp_path / "b")
    assert refused.value.where == str(tmp_path / "b")


def test_equal_work_with_another_end_is_told_and_the_first_is_shown(tmp_path: Path) -> None:
    told: list[str] = []
    Folder(tmp_path / "a").add("moco", 4).add("npid", 3).add("byol", 2)
    Folder(tmp_path / "b").add("moco", 3).add("npid", 3).add("byol", 2, audio=OTHER)
    table = read(tmp_path / "b", tmp_path / "a", told=told)
    assert cell(table, "moco").mean == 0.75
    assert told == [
        "moco, knn on esc50: 0.750 in b is shown, and not 1.000 in a",
        "byol, knn on esc50: 0.500 in b is shown, and not 0.500 of other audio in a",
    ]


def test_rounding_is_not_told(tmp_path: Path) -> None:
    for name, accuracy in (("a", 0.75), ("b", 0.7504)):
        folder = Folder(tmp_path / name).add("moco", 3)
        (path,) = (tmp_path / name).glob("evaluate/*/result.json")
        path.write_text(path.read_text().replace("0.75", str(accuracy)))
    stores = Stores([tmp_path / "a", tmp_path / "b"])
    assert differences(folder.plan, stores) == []


def test_rows_on_other_audio_of_one_pack_get_a_column_of_their_own(tmp_path: Path) -> None:
    suite = {"task_names": {"esc50": "esc10"}, "class_wise": {"esc50": 1}}
    Folder(tmp_path / "a", **suite).add("moco", 4).add("random", 2)
    Folder(tmp_path / "b", **suite).add("npid", 3, audio=OTHER).add("swav", None)
    table = read(tmp_path / "a", tmp_path / "b")
    other = "esc50 (data b2b2b2b2)"
    assert cells(table) == {
        ("moco", "esc50"): 1,
        ("random", "esc50"): 0.5,
        ("npid", other): 0.75,
        ("swav", "esc50"): None,
    }
    same = TaskFacts(name="esc10", folds=(1, 2), official_folds=2, class_wise=1)
    assert list(table.facts.tasks.items()) == [("esc50", same), (other, same)]
    assert cell(table, "npid", other).against_control is None


def test_published_figures_find_the_task_behind_a_column_of_other_data(tmp_path: Path) -> None:
    suite = {"reproduces": "lin2022/table-3.1"}
    folder = Folder(tmp_path, **suite).add("moco", 4).add("npid", 2, audio=OTHER)
    beside = [one.published for one in read(tmp_path).cells if one.mean is not None]
    assert [figure.task for figure in beside if figure] == ["esc50", "esc50"]
    assert folder.plan.rows[1].task == "esc50"  # the plan itself stays


def test_the_same_recordings_at_another_rate_stay_in_the_column(tmp_path: Path) -> None:
    folder = Folder(tmp_path).add("moco", 4).add("npid", 3, rate=32000, audio=OTHER)
    assert separate(folder.plan, folder.store) is folder.plan


def test_fewer_cells_leave_and_of_equally_many_the_later(tmp_path: Path) -> None:
    equal = Folder(tmp_path / "a").add("moco", 4, audio=OTHER).add("npid", 3)
    assert [row.task for row in separate(equal.plan, equal.store).rows] == ["esc50", "esc50 (data a1a1a1a1)"]
    # A cell of three seeds is one cell.
    seeds = Folder(tmp_path / "b")
    for seed in range(3):
        seeds.add("moco", 4, seed=seed)
    seeds.add("npid", 3, audio=OTHER).add("byol", 3, audio=OTHER)
    assert [row.task for row in separate(seeds.plan, seeds.store).rows] == [
        *["esc50 (data a1a1a1a1)"] * 3,
        "esc50",
        "esc50",
    ]


def test_another_listing_is_other_data_at_every_rate(tmp_path: Path) -> None:
    less = "d4" * 32
    folder = Folder(tmp_path).add("moco", 4).add("npid", 3).add("byol", 3, rate=32000, audio="e5" * 32)
    folder.add("swav", 2, audio=OTHER, listing=less).add("cpc", 1, rate=32000, audio="f6" * 32, listing=less)
    folder.add("clar", None, rate=32000, listing=less).add("cola", None, listing="99" * 32)
    of = {row.entry: row.task for row in separate(folder.plan, folder.store).rows}
    other = "esc50 (data b2b2b2b2)"
    assert of == {
        **dict.fromkeys(("moco", "npid", "byol", "cola"), "esc50"),
        **dict.fromkeys(("swav", "cpc", "clar"), other),
    }


def test_equal_samples_under_other_labels_are_named_by_their_listing(tmp_path: Path) -> None:
    folder = Folder(tmp_path).add("moco", 4).add("npid", 3).add("byol", 3, listing="d4" * 32)
    assert [row.task for row in separate(folder.plan, folder.store).rows][-1] == "esc50 (data d4d4d4d4)"


def test_one_entry_on_two_listings_is_one_name_in_two_columns(tmp_path: Path) -> None:
    Folder(tmp_path / "a").add("random", 4)
    Folder(tmp_path / "b").add("random", 3, audio=OTHER, listing="d4" * 32)
    table = read(tmp_path / "a", tmp_path / "b")
    assert cells(table) == {("random", "esc50"): 1, ("random", "esc50 (data b2b2b2b2)"): 0.75}


def test_variations_of_a_sweep_are_united_under_their_new_names(tmp_path: Path) -> None:
    def swept(*names: str) -> dict[str, Any]:
        return {"swept": {"moco": list(names)}, "variations": {name: {"k": name[-1]} for name in names}}

    one = Folder(tmp_path / "a", **swept("moco k=1")).add("moco k=1", 4).plan
    two = Folder(tmp_path / "b", **swept("moco k=1", "moco k=2")).add("moco k=1", 4, width=8).add("moco k=2", 3).plan
    facts = merge_plans({"a": one, "b": two}).facts
    assert facts.swept == {"moco": {"moco k=1": {"k": "1"}, "moco k=1 (b)": {"k": "1"}, "moco k=2": {"k": "2"}}}


def test_draws_of_few_clips_are_united(tmp_path: Path) -> None:
    folders = [
        Folder(tmp_path / name, protocols=["knn", column], shots={column: {"protocol": "knn", "shots": shots}})
        for name, column, shots in (("a", "knn 1-shot", 1), ("b", "knn 5-shot", 5))
    ]
    for draw, folder in enumerate(folders):
        folder.add("random", None)
        (row,), (*needs, job) = folder.plan.rows, folder.plan.jobs.values()
        drawn = replace(job, config=job.config.model_copy(update={"draw": draw}))
        folder.plan.rows = [replace(row, draw=draw, key=drawn.key)]
        folder.plan.jobs = {need.key: need for need in needs} | {drawn.key: drawn}
    merged = merge_plans({name: folder.plan for name, folder in zip("ab", folders, strict=True)})
    assert [(row.entry, row.draw) for row in merged.rows] == [("random", 0), ("random", 1)]
    assert {column: own.shots for column, own in merged.facts.protocols.items()} == {
        "knn": None,
        "knn 1-shot": 1,
        "knn 5-shot": 5,
    }
