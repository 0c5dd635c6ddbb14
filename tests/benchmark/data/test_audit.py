"""What data sets share: miniatures of ESC-50 and UrbanSound8K with known overlaps, and the real ones."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmark.data.audit import Audit, Audited, Shared, audit
from benchmark.progress import Progress
from registry.errors import Mistakes
from tests.registry.test_tasks import task

# Of each clip: fold, class, Freesound id, and the seed of its noise.
ESC50 = {
    "1-0-A-0.wav": (1, 0, "100", 1),
    "1-1-A-1.wav": (1, 1, "101", 2),
    "2-2-A-0.wav": (2, 0, "102", 3),
    "2-3-A-1.wav": (2, 1, "100", 4),  # a source in two folds
    "3-4-A-0.wav": (3, 0, "104", 5),
    "3-5-A-1.wav": (3, 1, "105", 2),  # a sound in two folds
    "4-6-A-0.wav": (4, 0, "106", 7),
    "5-7-A-1.wav": (5, 1, "107", 8),
}
US8K = {
    "1-a.wav": (1, 0, "102", 21),  # a recording of ESC-50
    "1-b.wav": (1, 1, "102", 22),  # and again
    "2-c.wav": (2, 0, "203", 5),  # a sound of ESC-50 under another id
    "2-d.wav": (2, 1, "204", 24),
}
TASKS = {"esc50": task("esc50"), "us8k": task({"name": "us8k", "folds": [1, 2]})}


def freesound(folder: Path) -> Path:
    """Both data sets as their archives lay them out, clips of 1 s."""
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    rows += [f"{n},{fold},{label},x,{label == 0},{source},A" for n, (fold, label, source, _) in ESC50.items()]
    _write(folder / "ESC-50" / "meta" / "esc50.csv", rows)
    rows = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    rows += [f"{n},{source},0,1,1,{fold},{label},x" for n, (fold, label, source, _) in US8K.items()]
    _write(folder / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv", rows)
    sounds = {folder / "ESC-50" / "audio" / name: seed for name, (*_, seed) in ESC50.items()}
    sounds |= {folder / f"UrbanSound8K/audio/fold{fold}/{name}": seed for name, (fold, *_, seed) in US8K.items()}
    for path, seed in sounds.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, 16000), 16000)
    return folder


def _write(path: Path, rows: list[str]) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(rows))


def within(result: Audit, name: str) -> Audited:
    return next(data_set for data_set in result.data_sets if data_set.name == name)


def test_freesound_ids_are_compared_from_listings_alone(tmp_path: Path) -> None:
    folder = freesound(tmp_path)
    for path in folder.rglob("*.wav"):
        path.write_bytes(b"")
    result = audit(TASKS, folder, Progress())
    assert result.shared == [
        Shared("esc50", "us8k", "Freesound id", 1, (["2-2-A-0.wav"], ["1-a.wav", "1-b.wav"]), 0, "")
    ]
    (spanning,) = within(result, "esc50").spanning
    assert (spanning.source, spanning.folds) == ("100", {1: ["dog"], 2: ["rooster"]})
    assert within(result, "us8k").spanning == []
    assert (within(result, "us8k").clips, within(result, "us8k").sources) == (4, 3)
    assert within(result, "esc50").repeated is None


def test_sounds_are_compared_where_asked(tmp_path: Path) -> None:
    folder = freesound(tmp_path)
    (folder / "UrbanSound8K/audio/fold1/1-a.wav").write_bytes(b"noise")
    _write(folder / "own" / "table.csv", ["path,label,fold", *(f"{i}.wav,x,{i % 2 + 1}" for i in range(4))])
    for name, original in {"0.wav": "1-1-A-1.wav", "1.wav": "4-6-A-0.wav", "2.wav": "5-7-A-1.wav"}.items():
        wave, rate = soundfile.read(folder / "ESC-50" / "audio" / original, dtype="int16")
        soundfile.write(folder / "own" / name, wave, rate)
    soundfile.write(folder / "own" / "3.wav", wave[1:], rate)
    tasks = {**TASKS, "own": task({"name": "folder", "path": "own", "table": "table.csv", "folds": 2})}
    result = audit(tasks, folder, Progress())
    assert result.not_compared == [("esc50", "own"), ("us8k", "own")]
    result = audit(tasks, folder, Progress(), content=True)
    assert result.not_compared == []
    shared = {(pair.first, pair.second): pair for pair in result.shared}
    assert shared["esc50", "us8k"].by == "Freesound id"
    pair = shared["esc50", "own"]
    assert (pair.by, pair.recordings, pair.files) == ("content", 3, 0)
    assert pair.clips[0] == ["1-1-A-1.wav", "3-5-A-1.wav", "4-6-A-0.wav", "5-7-A-1.wav"]
    assert pair.clips[1] == ["0.wav", "1.wav", "2.wav"]
    assert within(result, "esc50").repeated == [{"1-1-A-1.wav": 1, "3-5-A-1.wav": 3}]
    assert within(result, "us8k").repeated == []
    assert within(result, "us8k").unread == ["1-a.wav"]


def test_a_part_is_told_from_an_overlap(tmp_path: Path) -> None:
    result = audit({"esc50": TASKS["esc50"], "esc10": task("esc10")}, freesound(tmp_path), Progress())
    (pair,) = result.shared
    assert (pair.part, pair.files) == ("esc10", 4)
    assert pair.recordings == 4
    assert [len(clips) for clips in pair.clips] == [5, 4]  # ESC-50 has another clip of 100


def test_what_is_not_there_is_left_out_unless_nothing_is(tmp_path: Path) -> None:
    tasks = {"gtzan": task("gtzan"), "us8k": task("us8k"), "esc50": task("esc50")}
    result = audit(tasks, freesound(tmp_path), Progress(), lenient=True)
    assert [one.name for one in result.data_sets] == ["esc50"]
    assert "Gtzan is not in" in result.left_out["gtzan"]
    assert "lacks the folds 3, 4" in result.left_out["us8k"]
    with pytest.raises(Mistakes, match="Gtzan is not in"):
        audit({"gtzan": task("gtzan")}, tmp_path, Progress(), lenient=True)


@pytest.mark.real
def test_the_real_overlaps_are_those_of_the_metadata(data: Path) -> None:
    tasks = {"esc50": task("esc50"), "us8k": task({"name": "us8k", "folds": [1, 2, 10]})}
    result = audit(tasks, data, Progress())
    spanning = {source.source: source.folds for source in within(result, "esc50").spanning}
    assert set(spanning) == {"131943", "134049", "209698", "234879"}
    assert all(len({name for names in folds.values() for name in names}) > 1 for folds in spanning.values())
    with (data / "ESC-50" / "meta" / "esc50.csv").open() as file:
        esc50 = [row["src_file"] for row in csv.DictReader(file)]
    with (data / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv").open() as file:
        us8k = [row["fsID"] for row in csv.DictReader(file) if row["fold"] in ("1", "2", "10")]
    both = set(esc50) & set(us8k)
    (pair,) = result.shared
    assert pair.recordings == len(both) == 28
    assert (
        [len(clips) for clips in pair.clips]
        == [sum(source in both for source in ids) for ids in (esc50, us8k)]
        == [31, 141]
    )
