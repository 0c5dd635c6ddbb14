"""``audiobench data``: licence first, counts, faults by file, and the exit status."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from registry.tasks.esc50 import Esc50
from tests.audiobench.test_mistakes import esc50
from tests.benchmark.data.test_audit import freesound
from tests.conftest import Answer

Call = Callable[..., Answer]


def whole_esc50(folder: Path) -> Path:
    """A miniature with the official counts: 8 clips of 0.01 s in each class and fold, and one of 0.02 s."""
    audio = folder / "ESC-50" / "audio"
    audio.mkdir(parents=True)
    (folder / "ESC-50" / "meta").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    soundfile.write(audio / "short.wav", np.zeros(160), 16000)
    sound = (audio / "short.wav").read_bytes()
    (audio / "short.wav").unlink()
    for fold in range(1, 6):
        for target in range(50):
            for take in range(8):
                name = f"{fold}-{take}-A-{target}.wav"
                (audio / name).write_bytes(sound)
                rows.append(f"{name},{fold},{target},x,False,{take},A")
    soundfile.write(audio / "2-0-A-0.wav", np.zeros(320), 16000)
    (folder / "ESC-50" / "meta" / "esc50.csv").write_text("\n".join(rows))
    return folder


def cells(answer: Answer, name: str) -> list[str]:
    """A row of the table."""
    rows = [re.split(r"  +", line.strip()) for line in answer.out.splitlines()]
    return next(row for row in rows if row[0] == name)


def test_a_whole_data_set_is_right(audiobench: Call, tmp_path: Path) -> None:
    answer = audiobench("data", "verify", "esc50", "--data", whole_esc50(tmp_path))
    assert answer.status == 0, answer.err
    assert cells(answer, "dog") == ["dog", "40", "8", "8", "8", "8", "8", "0.4", "0.01", "0.02"]
    assert cells(answer, "all") == ["all", "2,000", "400", "400", "400", "400", "400", "20.0", "0.01", "0.02"]
    assert "the counts are the official ones" in answer.out
    assert answer.out.endswith("every file can be read\n")  # no checksums are stated
    assert "\x1b" not in answer.out


def test_every_fault_is_told_by_file(audiobench: Call, tmp_path: Path) -> None:
    audio = whole_esc50(tmp_path) / "ESC-50" / "audio"
    (audio / "1-0-A-0.wav").unlink()
    (audio / "1-1-A-0.wav").write_bytes(b"noise")
    (audio / "1-2-A-0.wav").write_bytes(b"")
    soundfile.write(audio / "1-3-A-0.wav", np.zeros(0), 16000)
    soundfile.write(audio / "1-4-A-0.wav", np.array([0.0, np.nan]), 16000, subtype="FLOAT")
    answer = audiobench("data", "verify", "esc50", "--data", tmp_path, "--json")
    assert answer.status == 1
    result = json.loads(answer.out)
    assert list(result["faults"]) == [f"1-{i}-A-0.wav" for i in range(5)]
    told = list(result["faults"].values())
    assert [told[0], told[3], told[4]] == ["is missing", "is empty", "has samples that are not finite"]
    assert all(fault.startswith("does not decode") for fault in told[1:3])
    assert result["differences"] == []
    assert not result["is_right"]
    dog = next(row for row in result["rows"] if row["name"] == "dog")
    assert (dog["clips"], dog["seconds"]) == (40, 0.36)
    plain = audiobench("data", "verify", "esc50", "--data", tmp_path)
    assert plain.status == 1
    assert "5 files are faulty:\n  1-0-A-0.wav: is missing\n" in plain.out


def test_counts_that_are_not_the_official_ones(audiobench: Call, tmp_path: Path) -> None:
    table = whole_esc50(tmp_path) / "ESC-50" / "meta" / "esc50.csv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join([row for row in rows if row.split(",")[0] not in ("3-0-A-49.wav", "3-1-A-49.wav")]))
    answer = audiobench("data", "verify", "esc50", "--data", tmp_path)
    assert answer.status == 1
    assert "the counts are not the official ones:\n  fold 3, hand_saw: 6 clips, officially 8\n" in answer.out
    many = audiobench("data", "verify", "esc10", "--data", esc50(tmp_path / "ten"))
    assert "... and 30 more: --json" in many.out


def test_made_sounds_have_nothing_to_be_wrong(audiobench: Call) -> None:
    answer = audiobench("data", "verify", "{name: sounds, clips: 2}", "--json")
    assert answer.status == 0
    result = json.loads(answer.out)
    assert (result["folder"], result["differences"], result["faults"]) == (None, None, {})
    assert result["rows"][-1]["clips"] == 100
    assert result["rows"][-1]["seconds"] == 150
    assert "nothing to fetch" in audiobench("data", "fetch", "sounds", "--data", ".").out


def test_requests_that_make_no_sense(audiobench: Call, tmp_path: Path) -> None:
    for command in ("fetch", "verify"):
        answer = audiobench("data", command, "esc5", "--data", tmp_path)
        assert answer.status == 2
        assert "did you mean esc50" in answer.err
        assert audiobench("data", command, "{name: us8k, fold: 1}", "--data", tmp_path).status == 2
        assert audiobench("data", command, "{name: ", "--data", tmp_path).status == 2
        answer = audiobench("data", command, "esc50")
        assert answer.status == 2
        assert "no data folder is given" in answer.err
    assert "Esc50 is not in" in audiobench("data", "verify", "esc50", "--data", tmp_path).err


def test_the_licence_comes_before_any_work(audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Esc50, "archives", ())
    answer = audiobench("data", "fetch", "esc50", "--data", tmp_path)
    assert answer.status == 2
    assert "licence: CC BY-NC 3.0" in answer.out
    assert "Piczak 2015" in answer.out
    assert f"audiobench data fetch esc50 --data {tmp_path} --from PATH" in answer.err


def test_from_takes_what_was_fetched_elsewhere(audiobench: Call, tmp_path: Path) -> None:
    esc50(tmp_path / "elsewhere")
    asked = ("data", "fetch", "esc50", "--data", tmp_path / "data", "--from", tmp_path / "elsewhere")
    answer = audiobench(*asked)
    assert answer.status == 0, answer.err
    assert f"esc50 is whole: 10 clips in {tmp_path / 'data' / 'ESC-50'}" in answer.out
    assert "esc50 is there already" in audiobench(*asked).out


def test_a_plugins_task_is_verified(audiobench: Call, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from registry.tasks.sounds import Sounds\n"
        "class Mine(Sounds):\n"
        "    '''Made.'''\n"
        "    counts = {fold: (2,) * 10 for fold in range(1, 6)}\n"
    )
    answer = audiobench("data", "verify", "{name: mine, clips: 2}", "--plugin", plugin)
    assert answer.status == 0
    assert "the counts are the official ones" in answer.out


def checked(folder: Path, official: dict[str, str]) -> Path:
    """A plugin: recordings of a folder whose official checksums are stated."""
    plugin = folder / "checked.py"
    plugin.write_text(
        "from registry.tasks.folder import Folder\n"
        "class Checked(Folder):\n"
        "    'Checked.'\n"
        f"    def checksums(self): return {official!r}\n"
    )
    return plugin


def test_files_that_are_not_the_official_ones_are_named(audiobench: Call, tmp_path: Path) -> None:
    audio = tmp_path / "mine"
    for i, name in enumerate(f"{label}/{i}.wav" for label in ("cat", "dog") for i in range(3)):
        (audio / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(audio / name, np.full(160, i / 10), 16000)
    (audio / "dog" / "2.wav").rename(audio / "dog" / "2.aif")  # libsndfile reads it all the same
    names = [str(path.relative_to(audio)) for path in sorted(audio.rglob("*.wav"))]
    official = {name: hashlib.sha256((audio / name).read_bytes()).hexdigest()[:16] for name in names}
    plugin = checked(tmp_path, {**official, "dog/2.wav": "0" * 16})
    asked = ("data", "verify", "{name: checked, path: mine, folds: 2}", "--data", tmp_path, "--plugin", plugin)
    answer = audiobench(*asked)
    assert answer.status == 0, answer.err
    assert "5 files are the official ones, by their SHA-256\n1 .aif files were not compared" in answer.out
    soundfile.write(audio / "cat" / "1.wav", np.full(160, 0.9), 16000)
    (audio / "dog" / "0.wav").write_bytes(b"noise")
    answer = audiobench(*asked)
    assert answer.status == 1
    assert "2 of 5 files are not the official ones, by their SHA-256:\n  cat/1.wav\n  dog/0.wav\n" in answer.out
    result = json.loads(audiobench(*asked, "--json").out)
    assert (list(result["faults"]), result["unofficial"]) == (["dog/0.wav"], ["cat/1.wav", "dog/0.wav"])
    assert (result["compared"], result["not_compared"]) == (5, {".aif": 1})


def test_made_wavs_under_urbansound8ks_names_are_not_the_official_ones(audiobench: Call, tmp_path: Path) -> None:
    rows = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for fold, name in ((1, "101415-3-0-2.wav"), (1, "101415-3-0-3.ogg"), (2, "100652-3-0-0.wav")):
        path = tmp_path / "UrbanSound8K" / "audio" / f"fold{fold}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(1600), 16000)
        rows.append(f"{name},{name.split('-')[0]},0,1,1,{fold},3,dog_bark")
    (tmp_path / "UrbanSound8K" / "metadata").mkdir()
    (tmp_path / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv").write_text("\n".join(rows))
    answer = audiobench("data", "verify", "{name: us8k, folds: [1, 2]}", "--data", tmp_path, "--json")
    assert answer.status == 1
    result = json.loads(answer.out)
    assert result["unofficial"] == ["101415-3-0-2.wav", "100652-3-0-0.wav"]
    assert result["not_compared"] == {".ogg": 1}


def test_an_audit_tells_and_exits_with_0(audiobench: Call, tmp_path: Path) -> None:
    folder = freesound(tmp_path)
    two = "{name: us8k, folds: [1, 2]}"
    answer = audiobench("data", "audit", "esc50", two, "--data", folder)
    assert answer.status == 0, answer.err
    assert cells(answer, "esc50") == ["esc50", two, "Freesound id", "1", "1", "2", "0"]
    assert "  sources in several folds (1):\n  100: fold 1 dog; fold 2 rooster\n" in answer.out
    assert "4 clips of 3 sources, no source in several folds\n" in answer.out
    answer = audiobench("data", "audit", "--content", "--data", folder)
    assert answer.status == 0, answer.err
    assert "esc10 is a part of esc50: its clips are the same files" in answer.out
    assert "  1-1-A-1.wav (fold 1), 3-5-A-1.wav (fold 3)\n" in answer.out
    assert "us8k: UrbanSound8K lacks the folds 3, 4" in answer.out
    assert "sounds" not in answer.out
    result = json.loads(audiobench("data", "audit", "esc50", "sounds", "--data", folder, "--json").out)
    assert result["not_compared"] == [["esc50", "sounds"]]
    assert result["data_sets"][0]["spanning"] == [{"source": "100", "folds": {"1": ["dog"], "2": ["rooster"]}}]
    assert audiobench("data", "audit", "us8k", "--data", folder).status == 2
    assert audiobench("data", "audit", "--data", tmp_path / "nowhere").status == 2


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, runpy; sys.argv = ['audiobench', 'data', 'fetch', '--help']\n"
        "try: runpy.run_module('audiobench', run_name='__main__')\nexcept SystemExit: pass\n"
        "loaded = {'torch', 'pandas', 'numpy', 'pooch', 'requests', 'registry.tasks'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_verifying_a_data_set_does_not_load_torch(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['audiobench', 'data', 'verify', 'esc50', '--data', {str(esc50(tmp_path))!r}]\n"
        "from audiobench.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.real
def test_the_real_recordings_are_right(audiobench: Call, data: Path) -> None:
    answer = audiobench("data", "verify", "esc50", "--data", data, "--json")
    assert answer.status == 0, answer.err
    result = json.loads(answer.out)
    assert result["differences"] == []
    assert {tuple(row["folds"].values()) for row in result["rows"][:-1]} == {(8,) * 5}
    assert (result["rows"][-1]["clips"], result["rows"][-1]["seconds"]) == (2000, 10_000)
    answer = audiobench("data", "fetch", "esc50", "--data", data)
    assert answer.status == 0
    assert "there already: 2,000 clips" in answer.out
    answer = audiobench("data", "verify", "{name: us8k, folds: [1, 2, 10]}", "--data", data)
    assert answer.status == 0, answer.err
    assert "2,598 .ogg files were not compared with the official checksums" in answer.out
    assert "the official ones, by" not in answer.out
    answer = audiobench("data", "verify", "us8k", "--data", data)
    assert answer.status == 2
    assert "lacks the folds 3, 4, 5, 6, 7, 8, 9" in answer.err
