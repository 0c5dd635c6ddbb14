"""A suite end to end through the command line: figures, records, and doing nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.store.store import Store
from registry.tensors import read_tensors
from tests.audiobench.conftest import COMMAND
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]
VARIES = set(
    "seconds cpu_seconds peak_memory environment clips_per_second steps_per_second embedding files sha256".split()
)


def results(runs: Path, kind: str = "evaluate") -> dict[str, dict[str, Any]]:
    """Records by key, without what differs from run to run."""
    records = {}
    for path in runs.glob(f"{kind}/*/result.json"):
        record = json.loads(path.read_text())
        records[path.parent.name] = {k: v for k, v in record.items() if k not in VARIES}
    return records


def stored_plan(runs: Path) -> dict[str, Any]:
    stored = Store(runs).load_plan("tiny")
    assert stored
    plan: dict[str, Any] = stored["plan"]
    return plan


def test_every_clip_of_every_fold_is_predicted_and_kept(finished: tuple[Path, Path]) -> None:
    for key, record in results(finished[1]).items():
        table = pd.read_parquet(finished[1] / "evaluate" / key / "predictions.parquet")
        folds = record["folds"]
        assert isinstance(folds, dict)
        assert len(table) == 20 * len(folds)
        assert table["clip"].is_unique
        for fold, figures in folds.items():
            of_fold = table[table.fold == int(fold)]
            assert figures["accuracy"] == pytest.approx((of_fold.label == of_fold.predicted).mean())
            assert (of_fold.scores.map(lambda s: s.argmax()) == of_fold.predicted).all()


def test_a_suite_may_ask_for_packs_of_floats(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    asked = ("run", tiny, "--runs", tmp_path / "runs", "--entry", "random", "--protocol", "knn")
    for samples, packs in (("float32", 1), ("int16", 2), ("float32", 2)):
        tiny.write_text(TINY.replace("title: Tiny", f"samples: {samples}"))
        answer = audiobench(*asked)
        assert answer.status == 0, answer.err
        folders = {path.parent: path.name for path in (tmp_path / "runs" / "pack").glob("*/samples.*")}
        assert len(folders) == packs
        for folder, file in folders.items():
            told = json.loads((folder / "result.json").read_text())["samples"]
            config = json.loads((folder / "job.json").read_text())["config"]
            assert (told, file) in (("int16", "samples.i16"), ("float32", "samples.f32"))
            assert config.get("samples", "int16") == told
            assert ("samples" in config) == (told == "float32")


def test_a_record_names_what_made_it(finished: tuple[Path, Path]) -> None:
    for kind in ("pack", "pretrain", "embed", "evaluate"):
        for path in finished[1].glob(f"{kind}/*/result.json"):
            record = json.loads(path.read_text())
            assert {"torch", "timm", "audiobench"} <= set(record["environment"]["versions"])
            assert record["environment"]["precision"] == "fp32"
            assert record["peak_memory"]["host"] > 0
            if kind == "pack":  # made faster than it plays
                assert 0 < record["seconds"] < record["audio_seconds"]
            job = json.loads((path.parent / "job.json").read_text())
            assert job["kind"] == kind
    assert any(r["clips_seen_in_pretraining"] == 100 for r in results(finished[1]).values())


def test_a_record_names_bf16_and_only_the_encoder_computes_in_it(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    asked = ("run", tiny, "--runs", tmp_path, "--entry", "moco", "--protocol", "knn", "--precision", "bf16")
    assert (answer := audiobench(*asked)).status == 0, answer.err
    kinds = {}
    for path in tmp_path.glob("*/*/result.json"):
        kinds[path.parent.parent.name] = json.loads(path.read_text())["environment"]["precision"]
    assert kinds == dict.fromkeys(("pack", "pretrain", "embed", "evaluate"), "bf16")
    stored = [read_tensors(path)[0] for path in tmp_path.glob("*/*/*.safetensors")]
    types = {tensor.dtype for tensors in stored for tensor in tensors.values() if tensor.is_floating_point()}
    assert len(stored) == 2
    assert types == {torch.float32}


def test_a_finished_suite_answers_at_once_and_loads_no_torch(finished: tuple[Path, Path]) -> None:
    suite, runs = finished
    before = {p: p.stat().st_mtime_ns for p in runs.glob("*/*/result.json")}
    code = (
        "import sys; from audiobench.cli import main; sys.argv = ['audiobench', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "heavy = {'torch', 'pandas', 'pyarrow.pandas_compat', 'timm', 'sklearn', 'matplotlib', 'scipy.stats'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    again = subprocess.run(
        [sys.executable, "-c", code, "run", suite, "--runs", runs], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "Tiny · sounds" in again.stdout
    assert {p: p.stat().st_mtime_ns for p in runs.glob("*/*/result.json")} == before


def test_the_same_suite_elsewhere_gives_the_same_figures(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path
) -> None:
    answer = audiobench("run", finished[0], "--runs", tmp_path / "runs", "--entry", "moco", "--entry", "random")
    assert answer.status == 0, answer.err
    first, again = results(finished[1]), results(tmp_path / "runs")
    assert again
    assert all(first[key] == record for key, record in again.items())


def test_a_monitored_supervised_pretraining_says_what_it_saw(audiobench: Call, tmp_path: Path) -> None:
    suite = tmp_path / "tiny.yaml"
    probed = "epochs: 2, monitor: {name: sounds, clips: 2}, monitor_every: 2"
    entry = "  taught: {weights: {pretrain: supervised}, protocols: [knn]}\n"
    suite.write_text(TINY.replace("epochs: 2,", probed + ",", 1).replace("entries:\n", "entries:\n" + entry))
    answer = audiobench("run", suite, "--runs", tmp_path / "runs", "--entry", "taught")
    assert answer.status == 0, answer.err
    (log,) = (tmp_path / "runs" / "pretrain").glob("*/metrics.jsonl")
    assert ["knn" in json.loads(line) for line in log.read_text().splitlines()] == [False, True]
    assert (
        "labels of recordings of the test folds were learned in pretraining: 100 clips of sounds (taught)"
        in " ".join(answer.out.split())
    )


def test_a_record_says_which_epoch_was_kept(audiobench: Call, tmp_path: Path) -> None:
    suite = tmp_path / "tiny.yaml"
    kept = "epochs: 4, keep: best, monitor: {name: sounds, clips: 2}, monitor_every: 1,"
    suite.write_text(TINY.replace("epochs: 2,", kept, 1))
    answer = audiobench("run", suite, "--runs", tmp_path / "runs", "--entry", "moco", "--protocol", "knn")
    assert answer.status == 0, answer.err
    (folder,) = (tmp_path / "runs" / "pretrain").iterdir()
    probed = [json.loads(line)["knn"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    record = json.loads((folder / "result.json").read_text())
    assert record["kept_epoch"] == 1 + probed.index(max(probed))
    assert f"epoch {record['kept_epoch']} kept" in answer.err
    assert json.loads((folder / "job.json").read_text())["config"]["training"]["keep"] == "best"


def test_only_what_is_asked_for_is_run(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    answer = audiobench("run", tiny, "--runs", tmp_path / "runs", "--entry", "random", "--protocol", "knn")
    assert answer.status == 0
    assert len(results(tmp_path / "runs")) == 1
    assert not results(tmp_path / "runs", "pretrain")
    assert "not run" in answer.out


def test_a_plan_tells_what_differences_its_tasks_could_tell(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path
) -> None:
    told = audiobench("plan", finished[0], "--runs", finished[1]).out
    assert "freeze on sounds: the smallest difference that its recordings told is 0." in told
    assert "among 3 pairs (power 80 %; by the records of tiny)" in told
    assert "smallest difference" not in audiobench("plan", finished[0], "--runs", tmp_path / "none").out
    kept = next((finished[1] / "leaderboards").glob("*.smallest.json"))
    other = tmp_path / "other" / "leaderboards" / kept.name
    other.parent.mkdir(parents=True)
    for damaged in (kept.read_bytes()[:100], b"\xff\x00", b"[1]"):  # tells nothing, and stops nothing
        other.write_bytes(damaged)
        answer = audiobench("plan", finished[0], "--runs", tmp_path / "other")
        assert (answer.status, "smallest difference" in answer.out) == (0, False)


def test_plan_and_dry_run_say_what_is_done(finished: tuple[Path, Path], audiobench: Call, tmp_path: Path) -> None:
    suite, runs = finished
    assert audiobench("plan", suite, "--runs", runs).out.startswith("tiny: 17 jobs, 17 done")
    assert audiobench("run", suite, "--runs", runs, "--dry-run").out.startswith("tiny: 0 jobs, 0 done")
    answer = audiobench("run", suite, "--runs", tmp_path / "none", "--dry-run")
    assert answer.out.startswith("tiny: 17 jobs, 0 done")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("form", ["md", "latex", "csv", "json"])
def test_leaderboards_are_regenerated_from_the_records(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "board"
    asked = ("leaderboard", "tiny", "--runs", finished[1], "--format", form, "--output", file)
    assert audiobench(*asked).status == 0
    assert audiobench(*asked, "--check").status == 0
    file.write_text(file.read_text().replace("moco", "mocha", 1))
    answer = audiobench(*asked, "--check")
    assert answer.status == 1
    assert "is not what the records" in answer.err
    answer = audiobench("leaderboard", "tinny", "--runs", finished[1])
    assert answer.status == 2
    assert "did you mean tiny?" in answer.err


def test_the_table_says_what_the_records_say(finished: tuple[Path, Path], audiobench: Call) -> None:
    answer = audiobench("leaderboard", "tiny", "--runs", finished[1], "--format", "json")
    cells = {(c["entry"], c["protocol"]): c for c in json.loads(answer.out)["cells"]}
    assert set(cells) == {(e, p) for e in ("moco", "npid", "random") for p in ("freeze", "knn")} | {
        ("random", "finetune")
    }
    plan = stored_plan(finished[1])
    records = results(finished[1])
    for place, cell in cells.items():
        keys = {row["key"] for row in plan["rows"] if (row["entry"], row["protocol"]) == place}
        accuracies = [fold["accuracy"] for key in keys for fold in records[key]["folds"].values()]
        assert len(accuracies) == cell["folds"] == cell["of_folds"] == 5
        assert cell["mean"] == pytest.approx(np.mean(accuracies))
        assert cell["deviation"] == pytest.approx(np.std(accuracies, ddof=1))
    assert cells["moco", "knn"]["selection"] == "inner"
    assert cells["moco", "freeze"]["selection"] == "last"
    control = cells["moco", "knn"]["against_control"]
    difference = control["difference"]
    assert difference["mean"] == pytest.approx(cells["moco", "knn"]["mean"] - cells["random", "knn"]["mean"])
    assert difference["low"] <= difference["mean"] <= difference["high"]


def test_a_missing_fold_shows_as_coverage_not_as_a_smaller_mean(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(finished[1], tmp_path / "runs")
    plan = stored_plan(tmp_path / "runs")
    one = next(row["key"] for row in plan["rows"] if row["protocol"] == "finetune")
    shutil.rmtree(tmp_path / "runs" / "evaluate" / one)
    assert "(4/5 folds)" in audiobench("leaderboard", "tiny", "--runs", tmp_path / "runs").out


def start(suite: Path, runs: Path) -> "subprocess.Popen[str]":
    """A run in a process of its own, in which Ctrl-C works even where the tests run in a shell's background."""
    return subprocess.Popen(
        [*COMMAND, "run", suite, "--runs", runs],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_broken_off_goes_on_and_ends_with_the_same_figures(
    finished: tuple[Path, Path], tmp_path: Path, how: signal.Signals
) -> None:
    suite, runs = tmp_path / "tiny.yaml", tmp_path / "runs"
    suite.write_text(finished[0].read_text())
    running = start(suite, runs)
    wait_for(lambda: any(runs.glob("pretrain/*/result.json")) or running.poll() is not None)
    os.kill(running.pid, how)
    _, told = running.communicate(timeout=60)
    if how == signal.SIGINT:
        assert running.returncode == 130, told
        assert "goes on from here" in told
        assert "Traceback" not in told
    kept = {p: p.stat().st_mtime_ns for p in runs.glob("*/*/result.json")}
    assert all((p.parent / "job.json").exists() for p in kept)
    again = subprocess.run([*COMMAND, "run", suite, "--runs", runs], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    assert results(runs) == results(finished[1])


@pytest.mark.slow
def test_two_runs_at_once_share_the_work(finished: tuple[Path, Path], tmp_path: Path) -> None:
    both = [start(finished[0], tmp_path / "runs") for _ in range(2)]
    told = [run.communicate(timeout=240) for run in both]
    assert [run.returncode for run in both] == [0, 0], told
    assert results(tmp_path / "runs") == results(finished[1])
    ran = sum(err.count("another run") for _, err in told)
    assert ran, "neither waited for the other"
    assert told[0][0].replace("\n", "") == told[1][0].replace("\n", "")
