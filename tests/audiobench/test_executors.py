"""Jobs of a run elsewhere: commands to hand on, and a job in a process of its own."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmark.ledger.executors._process import do_in_process
from benchmark.ledger.work import Became
from tests.audiobench.test_run import results
from tests.conftest import Answer

Call = Callable[..., Answer]


def test_the_commands_of_a_plan_do_what_is_left_of_it(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path
) -> None:
    suite, runs = finished[0], tmp_path / "my runs"
    shutil.copytree(finished[1], runs)
    for path in list(runs.glob("*/*/job.json")):
        if json.loads(path.read_text())["title"] in ("embed sounds with random", "knn random on sounds"):
            shutil.rmtree(path.parent)
    answer = audiobench("plan", suite, "--runs", runs, "--commands")
    assert answer.status == 0, answer.err
    embed, knn = answer.out.splitlines()
    assert embed.endswith("  # embed sounds with random")
    assert knn.endswith(f"  # knn random on sounds; after {shlex.split(embed)[2]}")
    for line in (embed, knn):
        program, *arguments = shlex.split(line, comments=True)
        assert program == "audiobench"
        answer = audiobench(*arguments)
        assert answer.status == 0, answer.err
    assert results(runs) == results(finished[1])
    assert audiobench("plan", suite, "--runs", runs, "--commands").out == ""


def test_commands_of_jobs_that_cannot_run_are_refused(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    tiny.write_text(tiny.read_text().replace("tasks: [{name: sounds, clips: 2}]", "tasks: [esc50]"))
    answer = audiobench("plan", tiny, "--runs", tmp_path / "runs", "--data", tmp_path, "--commands")
    assert (answer.status, answer.out) == (2, "")
    assert "Esc50 is not in" in answer.err


def test_a_run_without_them_loads_neither_ray_nor_submitit(finished: tuple[Path, Path]) -> None:
    code = (
        "import sys; from audiobench.cli import main; sys.argv = ['audiobench', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "assert not {'ray', 'submitit'} & set(sys.modules)"
    )
    for arguments in (["--help"], ["run", finished[0], "--runs", finished[1]]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_job_in_a_process_says_what_became_of_it(finished: tuple[Path, Path], tmp_path: Path) -> None:
    suite, runs = finished
    key = next(runs.glob("evaluate/*")).name
    common = ["--suite", str(suite), "--runs", str(runs)]
    assert do_in_process(["job", key, *common], str(tmp_path), {}) == Became("done", "done already")
    wrong = do_in_process(["job", "nix", *common], str(tmp_path), {})
    assert wrong.how == "failed"
    assert wrong.message.startswith("tiny has no job 'nix'\n  to do: ")
    nowhere = do_in_process(["job", key, *common], str(tmp_path / "nix"), {})
    assert nowhere.how == "failed"
    assert f"has no folder {tmp_path / 'nix'}" in nowhere.message
