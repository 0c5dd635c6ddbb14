"""``--json``: one document on standard output with the keys of docs/json.md, and nothing else there."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from tests.audiobench.test_check import PLUGIN
from tests.audiobench.test_run import Call

ROOT = Path(__file__).parents[2]
Finished = tuple[Path, Path]


def documented(command: str) -> set[str]:
    """The keys that docs/json.md states for a command: the names in backticks in the second cell of its row."""
    page = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{command}"))
    return set(re.findall(r"`(\w+)`", row.split("|")[2]))


def test_a_plan_says_every_job_with_its_state(finished: Finished, audiobench: Call) -> None:
    answer = audiobench("plan", finished[0], "--runs", finished[1], "--json")
    document = json.loads(answer.out)
    assert set(document) == documented("plan")
    assert (document["suite"], document["done"], len(document["jobs"])) == ("tiny", 17, 17)
    assert {job["state"] for job in document["jobs"]} == {"done"}
    job = document["jobs"][0]
    assert (job["kind"], len(job["key"]), job["blocked"], job["forecast"]) == ("pack", 32, "", None)
    assert audiobench("plan", finished[0], "--json", "--commands").status == 2


def test_a_run_prints_the_board_that_the_leaderboard_prints(finished: Finished, audiobench: Call) -> None:
    ran = audiobench("run", finished[0], "--runs", finished[1], "--json")
    board = audiobench("leaderboard", "tiny", "--runs", finished[1], "--json")
    assert ran.status == 0
    assert "leaderboard: " in ran.err
    assert json.loads(ran.out) == json.loads(board.out)
    assert board.out == audiobench("leaderboard", "tiny", "--runs", finished[1], "--format", "json").out
    assert set(json.loads(board.out)) >= documented("leaderboard")
    assert json.loads(board.out)["cells"][0]["entry"] == "moco"
    planned = json.loads(audiobench("run", finished[0], "--runs", finished[1], "--json", "--dry-run").out)
    assert planned["jobs"] == []


def test_several_boards_are_one_document(finished: Finished, tmp_path: Path, audiobench: Call) -> None:
    runs = shutil.copytree(finished[1], tmp_path / "runs")
    other = tmp_path / "other.yaml"
    other.write_text(finished[0].read_text().replace("name: tiny", "name: other"))
    assert audiobench("run", other, "--runs", runs).status == 0
    boards = json.loads(audiobench("leaderboard", "--runs", runs, "--json").out)
    assert [board["name"] for board in boards] == ["other", "tiny"]


def test_one_of_two_forms_is_asked_for(finished: Finished, audiobench: Call) -> None:
    answer = audiobench("leaderboard", "tiny", "--runs", finished[1], "--json", "--format", "csv")
    assert (answer.status, answer.out) == (2, "")
    assert "--json and --format csv ask for two forms" in answer.err


def test_a_check_has_every_finding_and_ends_as_it_does_in_words(tmp_path: Path, audiobench: Call) -> None:
    plugin = tmp_path / "louder.py"
    plugin.write_text(PLUGIN)
    answer = audiobench("check", plugin, "--json")
    document = json.loads(answer.out)
    assert set(document) == documented("check")
    (component,) = document["components"]
    assert (component["kind"], component["name"], component["keeps"]) == ("augmentations", "louder", True)
    assert {finding["state"] for finding in component["findings"]} == {"passed"}
    plugin.write_text(PLUGIN.replace("2 * x", "x.mul_(2)"))
    answer = audiobench("check", plugin, "--json")
    assert answer.status == 1
    (component,) = json.loads(answer.out)["components"]
    assert not component["keeps"]
    assert "expected the batch as it was" in next(f["told"] for f in component["findings"] if f["state"] == "failed")


@pytest.mark.parametrize("command", [("list", "methods"), ("show", "methods", "moco"), ("data", "verify", "sounds")])
def test_what_the_registry_holds(command: tuple[str, ...], audiobench: Call) -> None:
    document: dict[str, Any] = json.loads(audiobench(*command, "--json").out)
    name = " ".join(command[:-1] if command[0] != "show" else command[:1])
    if command[0] == "list":
        assert next(row for row in document["methods"] if row["name"] == "moco")["source"]
    else:
        assert documented(name) <= set(document)


def test_an_audit(audiobench: Call) -> None:
    document = json.loads(audiobench("data", "audit", "sounds", "--json").out)
    assert set(document) == documented("data audit")


def test_the_condition_of_a_store(finished: Finished, tmp_path: Path, audiobench: Call) -> None:
    runs = shutil.copytree(finished[1], tmp_path / "runs")
    whole = json.loads(audiobench("store", "check", "--runs", runs, "--json").out)
    assert set(whole) == documented("store check")
    assert (whole["records"], whole["damaged"]) == (17, [])
    broken = next(runs.glob("pretrain/*/result.json"))
    broken.write_text("{")
    answer = audiobench("store", "check", "--runs", runs, "--json")
    assert answer.status == 1
    (damage,) = json.loads(answer.out)["damaged"]
    assert (set(damage), damage["set_aside"]) == ({"what", "where", "fix", "set_aside"}, None)
    (damage,) = json.loads(audiobench("store", "check", "--runs", runs, "--json", "--yes").out)["damaged"]
    assert Path(damage["set_aside"]).is_dir()
    surplus = json.loads(audiobench("store", "clean", "--runs", runs, "--json").out)
    assert set(surplus) == documented("store clean")
    assert [(item["why"], item["deleted"]) for item in surplus["items"]] == [("set aside", False)]
    surplus = json.loads(audiobench("store", "clean", "--runs", runs, "--json", "--yes").out)
    assert surplus["items"][0]["deleted"]
    assert not Path(damage["set_aside"]).exists()


def test_vectors_and_exports(finished: Finished, tmp_path: Path, audiobench: Call) -> None:
    soundfile.write(tmp_path / "a.wav", torch.zeros(16000).numpy(), 16000)
    (tmp_path / "b.wav").write_text("no sound")
    asked = ("--suite", "tiny", "--runs", finished[1], "--json")
    answer = audiobench("embed", "moco", tmp_path, "--output", tmp_path / "x.npy", *asked)
    document = json.loads(answer.out)
    assert (answer.status, set(document)) == (1, documented("embed"))
    assert (document["files"], document["dimension"], list(document["left_out"])) == (1, 32, [str(tmp_path / "b.wav")])
    document = json.loads(audiobench("export", "moco", "--to", tmp_path / "moco", *asked).out)
    assert set(document) == documented("export")
    assert document["files"]["encoder.safetensors"] > 0


def test_a_mistake_is_on_standard_error_and_nothing_on_standard_output(audiobench: Call) -> None:
    answer = audiobench("plan", "no-such-suite", "--json")
    assert (answer.status, answer.out) == (2, "")
    assert "no-such-suite" in answer.err
