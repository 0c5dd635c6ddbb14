"""Files for the readers of other benchmarks: by a small expectation written by hand, and by their own classes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmark.store.files import write_text
from leaderboard.answers import FoldAnswers
from leaderboard.exchange import FORMATS, documents, file_name, note
from leaderboard.measured import Measured
from leaderboard.table import Table
from registry.targets import Target
from registry.targets.number import Number
from registry.targets.several_labels import SeveralLabels
from tests.leaderboard.test_render import NAMES
from tests.leaderboard.test_table import RIGHT, Epochs, make

MIXED: Epochs = {1: {1: [0, 1, 0, 0]}, 2: {1: [1, 1, 0, 0]}}  # 3 and 4 of 4 right


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    runs = {("mixed", 0): MIXED, ("mixed", 1): RIGHT, ("right", 0): RIGHT, ("one fold", 0): {1: MIXED[1]}}
    return make(tmp_path_factory.mktemp("runs"), "last", runs)


def hear(table: Table, entry: str) -> Any:
    return json.loads(documents(table, "hear")[f"{entry}/esc50-audiobench-finetune/test.predicted-scores.json"])


def mteb(table: Table, entry: str) -> Any:
    path = f"results/audiobench__{entry}/made/esc50 (audiobench finetune).json"
    return json.loads(documents(table, "mteb")[path])


def test_hear_has_a_block_for_each_fold_and_their_mean_and_deviation(table: Table) -> None:
    scores = hear(table, "mixed")
    f1 = (2 / 3 + 4 / 5) / 2  # of fold 1 with one of two gun shots missed; the other seed is right everywhere
    assert scores["fold01"] == pytest.approx(
        {"test_score": 0.875, "test_top1_acc": 0.875, "test_macro_f1": (1 + f1) / 2}
    )
    assert scores["fold02"] == {"test_score": 1.0, "test_top1_acc": 1.0, "test_macro_f1": 1.0}
    aggregated = scores["aggregated_scores"]
    assert aggregated["test_score_mean"] == 0.9375
    assert aggregated["test_score_std"] == pytest.approx(0.125 / 2**0.5)  # of n - 1, as pandas has it
    assert scores["score_mode"] == "max"
    assert set(scores) == {"fold01", "fold02", "aggregated_scores", "score_mode", "audiobench"}


def test_hear_calls_a_single_fold_test(table: Table) -> None:
    scores = hear(table, "one fold")
    assert (scores["test"]["test_score"], "aggregated_scores" in scores) == (0.75, False)
    assert "mean over 1 of 2 folds" in scores["audiobench"]["note"]


def test_mteb_has_the_task_under_a_name_that_is_none_of_theirs(table: Table) -> None:
    result = mteb(table, "mixed")
    (scores,) = result["scores"]["test"]
    assert result["task_name"] == "esc50 (audiobench finetune)"
    assert (scores["main_score"], scores["accuracy"], result["mteb_version"]) == (0.9375, 0.9375, None)
    assert [of_fold["accuracy"] for of_fold in scores["scores_per_experiment"]] == [0.875, 1.0]
    assert (scores["hf_subset"], scores["audiobench"]["selection"]) == ("default", "last")


def test_hf_is_a_model_repository_with_a_file_for_each_figure(table: Table) -> None:
    text = documents(table, "hf")["mixed/.eval_results/audiobench-esc50-finetune.yaml"]
    (result,) = yaml.safe_load(text)
    assert result.pop("notes").startswith(
        "Measured by audiobench under its protocol finetune on esc50, not under a protocol of another benchmark:"
        " accuracy, mean over 2 of 2 folds, 2 seeds. 95 % interval by bootstrap over clips: "
    )
    assert result == {"dataset": {"id": "esc50", "task_id": "audiobench-finetune"}, "value": 0.9375}
    assert "put in the id of one that is registered with this protocol" in text


@pytest.mark.parametrize("form", FORMATS)
def test_every_figure_of_the_board_comes_back_and_no_published_one(table: Table, form: str) -> None:
    files = {path: text for path, text in documents(table, form).items() if not path.endswith("model_meta.json")}
    measured = [cell for cell in table.cells if cell.mean is not None]
    assert len(measured) == 3 < len(table.cells)  # those of the published table have no figure of ours
    assert [_score(form, text) for text in files.values()] == pytest.approx([cell.mean for cell in measured])
    for text, cell in zip(files.values(), measured, strict=True):
        assert cell.interval
        low, high = cell.metric.write(cell.interval.low, cell.interval.high)
        assert f": {low} to {high}. Selection last: figures after the last epoch." in text


def _score(form: str, text: str) -> Any:
    """As readers of the format take the score."""
    content = yaml.safe_load(text)  # of which JSON is a part
    if form == "hear":
        return content["test"]["test_score"] if "test" in content else content["aggregated_scores"]["test_score_mean"]
    return content["scores"]["test"][0]["main_score"] if form == "mteb" else content[0]["value"]


def test_what_pretraining_saw_is_said_with_the_figure(table: Table) -> None:
    cell = replace(table.cells[0], seen=3, labels_seen=True)
    assert note(cell).endswith("The pretraining corpus holds 3 of the 8 test clips, with labels.")


def test_hear_says_where_less_is_better_and_names_other_metrics_as_the_kit_does(table: Table) -> None:
    def scores(judge: Target, label: Any, score_NC: Any) -> Any:
        """Of one fold of four clips."""
        predicted_PN = judge.predict(np.array(score_NC))[None]
        names = np.arange(4)
        answers = FoldAnswers(
            np.array(label), predicted_PN, np.array(score_NC)[None], names, judge, names.astype(str), names[:1]
        )
        cell = replace(table.cells[0], entry="one", metric=judge.chief, mean=0.0, interval=None)
        place = (cell.entry, cell.task, cell.protocol)
        made = replace(table, cells=[cell], measured={place: Measured(judge=judge, answers={1: answers})})
        return hear(made, "one")

    of_numbers = scores(Number(), [1.0, 2.0, 3.0, 4.0], [[1.0], [2.0], [3.0], [6.0]])
    assert of_numbers["score_mode"] == "min"
    assert of_numbers["test"] == pytest.approx({"test_score": 0.5, "test_mean_absolute_error": 0.5, "test_r2": 0.2})
    several = [[True, False], [False, True], [True, False], [False, True]]
    of_labels = scores(SeveralLabels(), several, [[4.0, 1.0], [3.0, 2.0], [2.0, 3.0], [1.0, 4.0]])
    assert set(of_labels["test"]) == {"test_score", "test_mAP", "test_aucroc", "test_d_prime_of_mean_auc"}
    assert of_labels["test"]["test_aucroc"] == 0.75


@pytest.mark.parametrize("form", FORMATS)
def test_any_name_makes_a_path_of_its_own_below_the_folder(tmp_path: Path, form: str) -> None:
    names = [name for name in NAMES if len(name) < 100] + ["..", ".", "a/b", "c:d"]
    table = make(tmp_path / "runs", "last", {(name, 0): RIGHT for name in names})
    files = documents(table, form)
    for path, text in files.items():
        write_text(tmp_path / form / path, text)
    written = [path for path in (tmp_path / form).rglob("*") if path.is_file()]
    assert len(written) == len(files) == len(names) * (2 if form == "mteb" else 1)
    assert len({file_name(name).lower() for name in names}) == len(names)


def test_mteb_reads_its_results(table: Table, tmp_path: Path) -> None:
    pytest.importorskip("mteb", reason="mteb is not installed (pip install mteb)")
    from mteb import ResultCache
    from mteb.results.task_result import TaskResult

    for name, text in documents(table, "mteb").items():
        write_text(tmp_path / name, text)
    (path,) = tmp_path.glob("results/audiobench__mixed/*/esc50*.json")
    result = TaskResult.from_disk(path)
    assert (result.get_score(), result.task_name) == (0.9375, "esc50 (audiobench finetune)")
    frame = ResultCache(tmp_path).load_results(include_remote=False).to_dataframe()
    of_models = frame.set_index("task_name").loc["esc50 (audiobench finetune)"]
    assert (of_models["audiobench/mixed"], of_models["audiobench/right"]) == (0.9375, 1.0)


def test_the_hub_reads_its_results(table: Table) -> None:
    hub = pytest.importorskip("huggingface_hub")
    if not hasattr(hub, "parse_eval_result_entries"):
        pytest.skip("this huggingface_hub does not read .eval_results")
    text = documents(table, "hf")["mixed/.eval_results/audiobench-esc50-finetune.yaml"]
    (entry,) = hub.parse_eval_result_entries(yaml.safe_load(text))
    assert (entry.dataset_id, entry.task_id, entry.value) == ("esc50", "audiobench-finetune", 0.9375)
    assert hub.eval_result_entries_to_yaml([entry]) == yaml.safe_load(text)
