"""Bad input through the command line: one clear message, the right exit status, no traceback, nothing lost."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import TINY, Answer

Call = Callable[..., Answer]
ONE = ("--entry", "random", "--protocol", "knn")


def check(answer: Answer, status: int, *parts: str) -> None:
    assert answer.status == status, answer.err
    assert "Traceback" not in answer.err
    for part in parts:
        assert part in answer.err, answer.err


def change(suite: Path, old: str, new: str) -> Path:
    assert old in TINY
    suite.write_text(TINY.replace(old, new))
    return suite


def esc50(folder: Path, clips: int = 10) -> Path:
    """A miniature of ESC-50's layout: five folds, two classes."""
    audio = folder / "ESC-50" / "audio"
    audio.mkdir(parents=True)
    (folder / "ESC-50" / "meta").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    rng = np.random.default_rng(0)
    for i in range(clips):
        name = f"{i % 5 + 1}-{i}-A-{i % 2}.wav"
        soundfile.write(audio / name, rng.uniform(-0.5, 0.5, 16000), 16000)
        rows.append(f"{name},{i % 5 + 1},{i % 2},{'dog' if i % 2 == 0 else 'rooster'},True,{i},A")
    (folder / "ESC-50" / "meta" / "esc50.csv").write_text("\n".join(rows))
    return folder


def test_mistakes_in_a_suite_stop_before_any_work(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    change(tiny, "width: 4", "widht: 4, dropuot: 1")
    check(audiobench("run", tiny, "--runs", tmp_path / "runs"), 2, "'widht'", "'dropuot'", f"{tiny}:9:24", "width")
    assert not (tmp_path / "runs").exists()


def test_a_suite_that_is_not_there_answers_with_the_nearest(audiobench: Call) -> None:
    check(audiobench("run", "quickstrat"), 2, "'quickstrat'", "did you mean quickstart?")


def test_a_suite_that_is_no_yaml(tiny: Path, audiobench: Call) -> None:
    tiny.write_text("name: [")
    check(audiobench("run", tiny), 2, "not valid YAML", "tiny.yaml:1")


def test_mistakes_in_what_a_suite_extends_are_told_where_they_stand(
    tiny: Path, audiobench: Call, tmp_path: Path
) -> None:
    child = tmp_path / "child.yaml"
    child.write_text("extends: tiny.yaml\nname: child\nentries: {moco: {crop: wide}, random: null}\n")
    change(tiny, "width: 4", "widht: 4")
    check(audiobench("run", child), 2, f"{tiny}:9:24 (", f"{child}:3:18 (", f"{tiny}:5:1 (control)", "did you mean")
    child.write_text("extends: tinny.yaml\nname: child\n")
    check(audiobench("plan", child), 2, "extends no suite file: tinny.yaml", f"{child}:1:1", "did you mean tiny.yaml?")
    child.write_text("extends: tiny.yaml\nname: child\n")
    tiny.write_text(TINY + "extends: child.yaml\n")
    check(audiobench("leaderboard", child), 2, "child.yaml extends this file in turn", str(tiny))


def test_a_suite_in_a_folder_and_with_a_dot_in_its_name(
    audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "suites" / "lin2022" / "table-3.1.yaml"
    path.parent.mkdir(parents=True)
    text = TINY.replace("name: tiny", "name: lin2022/table-3.1") + "scales: {cpu: {crop: 0.4}}\n"
    path.write_text(text.replace("knn: {k: [1, 3]}", "knn: {k: [1]}"))
    monkeypatch.setattr("benchmark.suite.document.SHIPPED", tmp_path / "suites")
    name, runs = "lin2022/table-3.1", ("--runs", tmp_path / "runs")
    ran = audiobench("run", name, "--scale", "cpu", *runs, *ONE)
    assert ran.status == 0, ran.err
    written = tmp_path / "runs" / "leaderboards" / "lin2022%table-3.1@cpu.md"
    assert f"leaderboard: {written}" in ran.out.replace("\n", "")
    for suite in (name, path):
        for command in ("plan", "run"):
            answer = audiobench(command, suite, "--scale", "cpu", *runs, *(ONE if command == "run" else ()))
            assert answer.status == 0, answer.err
            if command == "plan":
                assert "lin2022/table-3.1@cpu: " in answer.out
                assert "done    evaluate" in answer.out
        for scale in (("--scale", "cpu"), ()):
            assert audiobench("leaderboard", suite, *scale, *runs).out == written.read_text()
    check(audiobench("leaderboard", "lin2022/table-3.2", *runs), 2, "was not run here", "lin2022/table-3.1@cpu")
    check(audiobench("plan", "lin2022/table-3.2", *runs), 2, "did you mean lin2022/table-3.1?")


def test_published_figures_stand_beside_a_column_by_its_tasks_name(
    tiny: Path, audiobench: Call, tmp_path: Path
) -> None:
    text = TINY.replace("tasks: [{name: sounds, clips: 2}]", "tasks: {theirs: esc50}").replace("random", "scratch")
    tiny.write_text(text.replace("weights: scratch", "weights: random") + "reproduces: lin2022/table-3.1\n")
    runs = ("--runs", tmp_path / "runs")
    check(audiobench("run", tiny, *runs), 2, "no data folder is given")  # the plan is kept, and nothing is measured
    table = audiobench("leaderboard", tiny, *runs).out
    assert "## theirs\n" in table
    (row,) = [line for line in table.splitlines() if line.startswith("| scratch")]
    assert [field.strip() for field in row.split("|")][3] == "0.423"


def test_unknown_scale_entry_and_device(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    check(audiobench("run", tiny, "--scale", "cpu"), 2, "no scale 'cpu'")
    check(audiobench("run", tiny, "--entry", "mooc"), 2, "no entry 'mooc'", "moco")
    runs = ("--runs", tmp_path / "runs")
    check(audiobench("run", tiny, *runs, *ONE, "--device", "abacus"), 2, "device 'abacus' cannot be used")


def test_missing_data(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    change(tiny, "tasks: [{name: sounds, clips: 2}]", "tasks: [esc50]")
    runs = ("--runs", tmp_path / "runs")
    check(audiobench("run", tiny, *runs), 2, "no data folder is given", "--data")
    check(audiobench("run", tiny, *runs, "--data", tmp_path / "no"), 2, "does not exist")
    check(audiobench("run", tiny, *runs, "--data", tmp_path), 2, "Esc50 is not in", "github.com/karoldvl/ESC-50")
    assert audiobench("plan", tiny, *runs).status == 0


def test_missing_weights_stop_what_needs_them_and_nothing_else(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    change(tiny, "weights: random", "weights: {checkpoint: no.st}")
    runs = ("--runs", tmp_path / "runs")
    planned = audiobench("plan", tiny, *runs)
    assert planned.status == 0
    assert planned.out.count("no such file: no.st") == 1
    assert "blocked evaluate" in planned.out
    check(audiobench("run", tiny, *runs), 2, "no such file: no.st", "tiny.yaml:", "or --data beside it")
    assert not (tmp_path / "runs" / "evaluate").exists()
    assert audiobench("run", tiny, *runs, "--entry", "moco", "--protocol", "knn").status == 0


def test_half_a_data_set(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    change(tiny, "tasks: [{name: sounds, clips: 2}]", "tasks: [esc10]")
    data = esc50(tmp_path / "data")
    (data / "ESC-50" / "audio" / "3-2-A-0.wav").unlink()
    answer = audiobench("run", tiny, "--runs", tmp_path / "runs", "--data", data)
    check(answer, 2, "1 of 10 files named by the metadata are missing: 3-2-A-0.wav")


def test_corrupt_audio_fails_its_job_and_can_be_skipped(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    change(tiny, "tasks: [{name: sounds, clips: 2}]", "tasks: [esc10, {name: sounds, clips: 2}]")
    data = esc50(tmp_path / "data", clips=40)
    (data / "ESC-50" / "audio" / "3-2-A-0.wav").write_bytes(b"noise")
    asked = ("run", tiny, "--runs", tmp_path / "runs", "--data", data, *ONE)
    answer = audiobench(*asked)
    check(
        answer, 1, "1 of 40 recordings cannot be used", "3-2-A-0.wav: does not decode", "--skip-bad", "not run, because"
    )
    assert "knn random on sounds: accuracy" in answer.err  # the rest went on
    answer = audiobench(*asked, "--skip-bad")
    check(answer, 0)
    assert "1 unusable recordings were left out" in answer.out
    records = [json.loads(p.read_text()) for p in (tmp_path / "runs").glob("pack/*/result.json")]
    assert {"3-2-A-0.wav"} in [set(r["skipped"]) for r in records]


def test_a_checkpoint_of_another_architecture(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    runs = ("--runs", tmp_path / "runs")
    assert audiobench("run", tiny, *runs, "--entry", "npid", "--protocol", "knn").status == 0
    weights = next((tmp_path / "runs").glob("pretrain/*/encoder.safetensors"))
    change(tiny, "random: {weights: random}", f"random: {{weights: {{checkpoint: '{weights}'}}}}")
    check(audiobench("run", tiny, *runs, *ONE), 0)
    change(
        tiny, "random: {weights: random}", f"random: {{encoder: {{width: 8}}, weights: {{checkpoint: '{weights}'}}}}"
    )
    check(
        audiobench("run", tiny, *runs, *ONE),
        2,
        "another architecture than Cnn10",
        "conv_block1.conv1.weight is [4, 1, 3, 3]",
        "tiny.yaml:14:",
    )
    (tmp_path / "text.safetensors").write_text("no tensors")
    change(tiny, "random: {weights: random}", "random: {weights: {checkpoint: text.safetensors}}")
    packs = len(list((tmp_path / "runs").glob("pack/*")))
    for command in ("plan", "run"):
        told = "no readable weights: this is a text", str(tmp_path / "text.safetensors"), "tiny.yaml:14:"
        check(audiobench(command, tiny, *runs), 2, *told)
    assert len(list((tmp_path / "runs").glob("pack/*"))) == packs


def test_a_front_end_that_does_not_fit_the_encoder(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    few = "random: {frontend: {n_mels: 24}, encoder: {name: resnet22}, weights: random}"
    change(tiny, "random: {weights: random}", few)
    for command in ("plan", "run"):
        check(
            audiobench(command, tiny, "--runs", tmp_path / "runs"),
            2,
            "ResNet22 takes one channel of at least 32 bins, and the front end gives 1 of 24",
            "tiny.yaml:14:36 (entries.random.encoder)",
        )
    assert not list((tmp_path / "runs").glob("pack/*"))  # found out before any work


def test_a_full_disk_keeps_what_is_finished(tiny: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a disk that is full."""
    command = [sys.executable, "-m", "audiobench", "run", str(tiny), "--runs", str(tmp_path / "runs"), *ONE]

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))

    full = subprocess.run(command, capture_output=True, text=True, preexec_fn=small, check=False)  # the pack has 4.8 MB
    assert full.returncode == 1, full.stderr
    assert "cannot write: File too large" in full.stderr
    assert "--runs DIR" in full.stderr
    assert "Traceback" not in full.stderr
    assert not list((tmp_path / "runs").glob("pack/*"))
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr


def test_an_error_of_ours_is_told_without_a_traceback_unless_asked(
    tiny: Path, audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from registry.tasks.sounds import Sounds

    def broken(self: Sounds, clip: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Sounds, "read", broken)
    asked = ("run", tiny, "--runs", tmp_path / "runs", *ONE)
    check(audiobench(*asked), 1, "internal error: ZeroDivisionError: a defect", "--debug")
    with pytest.raises(ZeroDivisionError):
        audiobench(*asked, "--debug")


def test_a_record_of_another_schema_is_named_and_left_out(tiny: Path, audiobench: Call, tmp_path: Path) -> None:
    runs = ("--runs", tmp_path / "runs")
    assert audiobench("run", tiny, *runs, *ONE).status == 0
    path = next((tmp_path / "runs").glob("evaluate/*/result.json"))
    record = json.loads(path.read_text())
    del record["files"], record["sha256"]
    path.write_text(json.dumps({**record, "schema": 99}))
    check(audiobench("leaderboard", "tiny", *runs), 0, "a record of schema 99", str(path), "update audiobench")


def test_a_leaderboard_of_nothing(audiobench: Call, tmp_path: Path) -> None:
    check(audiobench("leaderboard", "--runs", tmp_path), 2, "no suite was run here")
    check(audiobench("leaderboard", "--runs", tmp_path, "--check"), 2, "--output FILE")
