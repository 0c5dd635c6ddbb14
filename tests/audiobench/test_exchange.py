"""Leaderboards for the readers of other benchmarks, through the command line: folders, checks, one text alone."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from benchmark.store.store import Store
from tests.conftest import Answer

Call = Callable[..., Answer]


@pytest.mark.parametrize("form", ["hear", "mteb", "hf"])
def test_a_folder_is_written_and_checked(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path, form: str
) -> None:
    ask = ("leaderboard", "tiny", "--runs", finished[1], "--format", form, "--output", tmp_path)
    answer = audiobench(*ask, "--check")
    assert (answer.status, "is not what the records in" in answer.err) == (1, True)
    assert audiobench(*ask).status == 0
    assert audiobench(*ask, "--check").status == 0
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) == 7 + 3 * (form == "mteb")
    files[-1].write_text(files[-1].read_text().replace("0", "1"))
    answer = audiobench(*ask, "--check")
    assert (answer.status, str(files[-1]) in answer.err, answer.err.count("\n")) == (1, True, 1)


def test_figures_of_a_folder_are_those_of_the_board(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path
) -> None:
    ask = ("leaderboard", "tiny", "--runs", finished[1], "--format")
    rows = list(csv.DictReader(audiobench(*ask, "csv").out.splitlines()))
    for form in ("hear", "mteb", "hf"):
        audiobench(*ask, form, "--output", tmp_path)
    for row in rows:
        entry, protocol, figure = row["entry"], row["protocol"], float(row["figure"])
        hear = tmp_path / entry / f"sounds-audiobench-{protocol}" / "test.predicted-scores.json"
        assert json.loads(hear.read_text())["aggregated_scores"]["test_score_mean"] == pytest.approx(figure)
        mteb = tmp_path / "results" / f"audiobench__{entry}" / "tiny" / f"sounds (audiobench {protocol}).json"
        assert json.loads(mteb.read_text())["scores"]["test"][0]["main_score"] == figure
        hf = tmp_path / entry / ".eval_results" / f"audiobench-sounds-{protocol}.yaml"
        assert yaml.safe_load(hf.read_text())[0]["value"] == figure


def test_one_text_alone_goes_to_standard_output(finished: tuple[Path, Path], audiobench: Call, tmp_path: Path) -> None:
    stored = Store(finished[1]).load_plan("tiny")
    assert stored
    shutil.copytree(finished[1] / "plans", tmp_path / "plans")
    ask = ("leaderboard", "tiny", "--runs", tmp_path, "--format", "hear")
    answer = audiobench(*ask)
    assert (answer.status, "the format hear has 0 files here" in answer.err) == (2, True)
    key = next(row["key"] for row in stored["plan"]["rows"] if row["protocol"] == "knn")
    shutil.copytree(finished[1] / "evaluate" / key, tmp_path / "evaluate" / key)
    assert json.loads(audiobench(*ask).out)["audiobench"]["records"] == [key]


def test_what_has_no_place_is_refused(finished: tuple[Path, Path], audiobench: Call, tmp_path: Path) -> None:
    answer = audiobench("leaderboard", "tiny", "--runs", finished[1], "--format", "mteb")
    assert (answer.status, "and no folder is given" in answer.err, "--output FOLDER" in answer.err) == (2, True, True)
    shutil.copytree(finished[1] / "plans", tmp_path / "plans")
    (plan,) = (tmp_path / "plans").iterdir()
    plan.with_name(plan.name.replace("tiny", "other")).write_bytes(plan.read_bytes())
    answer = audiobench("leaderboard", "--runs", tmp_path, "--format", "hf", "--output", tmp_path / "out")
    assert (answer.status, "the format hf holds one suite, and there are" in answer.err) == (2, True)
