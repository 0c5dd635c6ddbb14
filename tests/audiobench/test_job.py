"""``audiobench job``: one job of a plan, done once, by whoever calls."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.store.job import Job
from registry import lookup
from tests.audiobench.conftest import COMMAND
from tests.audiobench.test_check import PLUGIN
from tests.audiobench.test_run import results, stored_plan
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]


def key_of(title: str, runs: Path) -> str:
    return next(
        path.parent.name for path in runs.glob("*/*/job.json") if json.loads(path.read_text())["title"] == title
    )


@pytest.fixture
def part(finished: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The finished run without its evaluations, and without the embeddings with random weights."""
    runs = tmp_path / "runs"
    shutil.copytree(finished[1], runs)
    shutil.rmtree(runs / "evaluate")
    shutil.rmtree(runs / "embed" / key_of("embed sounds with random", finished[1]))
    return finished[0], runs


def test_a_job_is_done_once_and_as_in_a_run(
    finished: tuple[Path, Path], part: tuple[Path, Path], audiobench: Call
) -> None:
    suite, runs = part
    key = key_of("knn moco on sounds", finished[1])
    for message in (f"{results(finished[1])[key]['summary']} (", "done already"):
        answer = audiobench("job", key[:12], "--suite", suite, "--runs", runs)
        assert answer.status == 0, answer.err
        became = json.loads(answer.out.splitlines()[-1])
        assert became["message"].startswith(message)
        assert (became["key"], became["how"]) == (key, "done")
    assert results(runs) == {key: results(finished[1])[key]}


def test_a_job_whose_needs_are_not_done_names_them_and_does_nothing(
    finished: tuple[Path, Path], part: tuple[Path, Path], audiobench: Call
) -> None:
    suite, runs = part
    needed = key_of("embed sounds with random", finished[1])
    answer = audiobench("job", key_of("knn random on sounds", finished[1]), "--suite", suite, "--runs", runs)
    assert (answer.status, answer.out) == (2, "")
    assert f"what it needs is not done: {needed} (embed sounds with random)" in answer.err
    assert not results(runs)


def test_a_damaged_result_is_set_aside_and_made_again(
    finished: tuple[Path, Path], part: tuple[Path, Path], audiobench: Call
) -> None:
    suite, runs = part
    key = key_of("embed sounds with moco", runs)
    (runs / "embed" / key / "result.json").write_text("{")
    answer = audiobench("job", key, "--suite", suite, "--runs", runs)
    assert answer.status == 0, answer.err
    assert "it is kept in" in answer.err
    assert results(runs, "embed")[key] == results(finished[1], "embed")[key]


@pytest.mark.parametrize(("key", "told"), [("0zz", "tiny has no job '0zz'"), ("", "17 jobs of tiny have keys")])
def test_a_key_that_names_no_single_job_is_refused(
    key: str, told: str, finished: tuple[Path, Path], audiobench: Call
) -> None:
    answer = audiobench("job", key, "--suite", finished[0], "--runs", finished[1])
    assert (answer.status, answer.out) == (2, "")
    assert told in answer.err


def test_a_failed_job_says_why(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    tiny.write_text(TINY.replace("learning_rate: 0.003", "learning_rate: 1.0e+30"))
    runs = tmp_path / "runs"
    assert audiobench("run", tiny, "--runs", runs, "--entry", "random", "--protocol", "knn").status == 0
    answer = audiobench("job", planned("pretrain moco on sounds", runs), "--suite", tiny, "--runs", runs)
    assert answer.status == 1
    became = json.loads(answer.out.splitlines()[-1])
    assert became["how"] == "failed"
    assert "no longer a number" in became["message"]


def planned(title: str, runs: Path) -> str:
    """The key of a job of the stored plan."""
    return next(Job.from_json(job).key for job in stored_plan(runs)["jobs"] if job["title"] == title)


def test_a_stored_plan_loads_the_plugins_that_it_names(
    tiny: Path, audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "louder.py").write_text(PLUGIN)
    tiny.write_text(TINY.replace("augment: [", "plugins: [louder.py]\naugment: [louder, "))
    runs = tmp_path / "runs"
    assert audiobench("run", tiny, "--runs", runs, "--entry", "random", "--protocol", "knn").status == 0
    monkeypatch.setattr(lookup, "_plugins", {})  # as in another process
    answer = audiobench("job", planned("pretrain moco on sounds", runs), "--suite", tiny, "--runs", runs)
    assert answer.status == 0, answer.err
    assert "loss" in json.loads(answer.out.splitlines()[-1])["message"]


@pytest.mark.slow
def test_an_interrupted_pretraining_says_so_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    suite, runs = tmp_path / "tiny.yaml", tmp_path / "runs"
    suite.write_text(TINY.replace("epochs: 2,", "epochs: 4000,", 1))
    subprocess.run([*COMMAND, "run", suite, "--runs", runs, "--entry", "random", "--protocol", "knn"], check=True)
    key = planned("pretrain moco on sounds", runs)
    command = [*COMMAND, "job", key, "--suite", str(suite), "--runs", str(runs)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert running.stderr
    told = next(line for line in running.stderr if "pretrain moco on sounds: " in line)  # ten seconds of steps
    running.send_signal(signal.SIGTERM)
    told += running.communicate(timeout=60)[1]
    assert running.returncode == 128 + signal.SIGTERM, told
    assert "Traceback" not in told
    assert (runs / ".partial" / f"{key}.checkpoint").exists()
