"""What is odd about data: files left out, classes and folds that say nothing; told before the work and recorded."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from registry import decode
from tests.audiobench.test_data import whole_esc50
from tests.conftest import Answer
from tests.registry._recordings import sound, write

Call = Callable[..., Answer]

SUITE = """
schema_version: 1
name: own
frontend: {{name: logmel, sample_rate: 16000, n_mels: 16}}
crop: 0.2
encoder: {{name: cnn6, width: 2, dropout: 0.0}}
entries: {{random: {{weights: random}}}}
tasks: [{{name: folder, path: own, {task}}}]
protocols: {{knn: {{k: [1]}}, freeze: {{epochs: 1}}}}
"""


def own(folder: Path, names: list[str], rows: str = "", task: str = "folds: 2") -> Path:
    for i, name in enumerate(names):
        sound(folder / "own" / name, seconds=0.2, hz=300 + 50 * i)
    if rows:
        write(folder / "own" / "t.csv", "path,label,fold\n" + rows)
    return write(folder / "own.yaml", SUITE.format(task=task + ", table: t.csv" * bool(rows)))


def table(folds: str) -> tuple[list[str], str]:
    """Recordings of two classes, and their rows: in each fold one of each class."""
    places = [(f"{label}/{i}.wav", label, fold) for i, fold in enumerate(folds) for label in "ab"]
    return [path for path, _, _ in places], "".join(f"{path},{label},{fold}\n" for path, label, fold in places)


def pack_record(folder: Path) -> dict[str, object]:
    (path,) = (folder / "runs" / "pack").glob("*/result.json")
    record: dict[str, object] = json.loads(path.read_text())
    return record


def test_files_that_are_not_used_are_told(tmp_path: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "find_spec", lambda name: None)
    suite = own(tmp_path, ["a/0.wav", "a/1.wav", "b/0.wav", "b/1.wav", "a/deep/2.wav", "loose.wav", "a/.hidden.wav"])
    for i in range(3):
        write(tmp_path / "own" / "c" / f"{i}.M4A", "x")
    told = (
        "6 files are not used: 3 c/*.m4a, 1 *.wav, 1 a/*.txt, 1 a/deep/*.wav; pip install 'audiobench[av]' to read .m4a"
    )
    write(tmp_path / "own" / "a" / "notes.txt", "in May")
    place = ("--data", tmp_path, "--runs", tmp_path / "runs")
    assert f"pack folder: {told}" in audiobench("plan", suite, *place).out
    ran = audiobench("run", suite, *place)
    assert ran.status == 0, ran.err
    assert told in ran.err
    assert pack_record(tmp_path)["remarks"] == [told]
    (tmp_path / "own" / "a" / "notes.txt").unlink()
    again = audiobench("plan", suite, *place).out  # the stored plan would tell of the notes
    assert "5 files are not used" in again
    assert "3 jobs, 3 done" not in again
    verified = audiobench("data", "verify", "{name: folder, path: own, folds: 2}", "--data", tmp_path)
    assert "0 files" not in verified.out
    assert "5 files are not used: 3 c/*.m4a" in verified.out


@pytest.mark.parametrize(
    ("folds", "change", "says"),
    [
        ("12", {}, None),
        ("12", {"b,": "a,"}, "every clip is of one class, a: there is nothing to tell apart"),
        ("12", {"b,2": "a,2"}, "the class b lies in one fold alone, so is not both trained and tested"),
        ("120", {}, "fold 0 is never tested: its 2 clips only train"),
    ],
)
def test_classes_and_folds_that_say_little_are_told(
    folds: str, change: dict[str, str], says: str | None, tmp_path: Path, audiobench: Call
) -> None:
    names, rows = table(folds)
    for old, new in change.items():
        rows = rows.replace(old, new)
    suite = own(tmp_path, names, rows)
    out = audiobench("plan", suite, "--data", tmp_path, "--runs", tmp_path / "runs").out
    assert [line for line in out.splitlines() if line.startswith("pack folder:")] == (
        [f"pack folder: {says}"] if says else []
    )


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("3", "no clip is left of fold 3 to test on: 2 recordings could not be used"),
        ("23", "no clip is left to train on when fold 1 is tested: 4 recordings could not be used"),
    ],
)
def test_a_fold_that_skipping_empties_is_no_figure(broken: str, says: str, tmp_path: Path, audiobench: Call) -> None:
    names, rows = table("123")
    suite = own(tmp_path, names, rows, task="folds: 3")
    for line in rows.splitlines():
        path, _, fold = line.split(",")
        if fold in broken:
            write(tmp_path / "own" / path, "RIFFbroken")
    ran = audiobench("run", suite, "--data", tmp_path, "--runs", tmp_path / "runs", "--skip-bad")
    assert ran.status == 1
    assert says in ran.err
    assert "a/2.wav" in ran.err
    assert "fold 3 has no clip to test" in ran.err
    assert not list((tmp_path / "runs").glob("evaluate/*/result.json"))
    for command in (["leaderboard", suite, "--format", "json"], ["report", suite, "--data", tmp_path]):
        answer = audiobench(*command, "--runs", tmp_path / "runs")
        assert answer.status == 0, answer.err
        assert "NaN" not in answer.out


def test_verifying_tells_of_full_scale(tmp_path: Path, audiobench: Call) -> None:
    audio = whole_esc50(tmp_path) / "ESC-50" / "audio"
    soundfile.write(audio / "1-0-A-0.wav", np.array([0.1, 1.5, -1.2] * 100), 16000, subtype="FLOAT")
    soundfile.write(audio / "1-1-A-0.wav", np.array([0.1, 15000, -1.2] * 100), 16000, subtype="FLOAT")
    answer = audiobench("data", "verify", "esc50", "--data", tmp_path)
    assert "1 files pass full scale, by up to 1.5 times" in answer.out
    assert "1-1-A-0.wav: reaches 15,000, and full scale is 1" in answer.out
