"""Nothing stale: what a suite was run on may change in any way, and the next run takes it as it is now."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from benchmark.jobs.packing import make_pack
from tests.conftest import Answer

Call = Callable[..., Answer]

SUITE = """
schema_version: 1
name: mine
frontend: {name: logmel, sample_rate: 16000}
crop: 0.5
encoder: {name: cnn6, width: 4, dropout: 0.0}
entries: {random: {weights: random}}
tasks: [{name: folder, path: sounds, folds: 2}]
protocols: {knn: {k: [1]}}
"""


def record(path: Path, pitch: float) -> None:
    """Half a second at 16 kHz: as many bytes whatever the pitch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_T = np.arange(8000) / 16000
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * pitch * time_T), 16000, subtype="PCM_16")


class Place:
    """A folder with recordings of two classes, a suite, and its records."""

    def __init__(self, folder: Path, audiobench: Call) -> None:
        self.folder, self.call, self.runs = folder, audiobench, folder / "runs"
        (folder / "mine.yaml").write_text(SUITE)
        for i in range(4):
            record(self.file(f"low/{i}.wav"), 200 + 10 * i)
            record(self.file(f"high/{i}.wav"), 2000 + 10 * i)

    def file(self, name: str) -> Path:
        return self.folder / "data" / "sounds" / name

    def run(self, *options: object, command: str = "run") -> Answer:
        where = ("--data", self.folder / "data", "--runs", self.runs)
        answer = self.call(command, self.folder / "mine.yaml", *where, *options)
        assert answer.status == 0, answer.err
        return answer

    def packs(self) -> set[Path]:
        return set((self.runs / "pack").iterdir())


@pytest.fixture
def place(tmp_path: Path, audiobench: Call) -> Place:
    made = Place(tmp_path, audiobench)
    assert "changed" not in made.run().err
    return made


def samples(pack: Path, clip: str) -> np.ndarray:
    table = pd.read_parquet(pack / "clips.parquet")
    at = table["id"].tolist().index(clip)
    end = int(table["samples"].cumsum()[at])
    return np.fromfile(pack / "samples.i16", np.int16)[end - int(table["samples"][at]) : end]


def test_a_recording_of_the_same_size_and_time_is_another_recording(place: Place) -> None:
    (first,) = place.packs()
    for name in ("low/0.wav", "low/2.wav"):
        before = place.file(name).stat()
        record(place.file(name), 700)
        os.utime(place.file(name), ns=(before.st_atime_ns, before.st_mtime_ns))
        assert place.file(name).stat().st_size == before.st_size
    told = "2 recordings of folder changed since they were last read: low/0.wav, low/2.wav"
    answer = place.run(command="plan")
    assert told in answer.err
    assert "3 jobs, 0 done" in answer.out
    assert told not in place.run().err  # once
    (pack,) = place.packs() - {first}
    heard = soundfile.read(place.file("low/0.wav"), dtype="int16")[0]
    assert np.allclose(samples(pack, "low/0.wav"), heard, atol=1)
    assert not np.allclose(samples(first, "low/0.wav"), heard, atol=1000)
    assert "3 jobs, 3 done" in place.run(command="plan").out


def test_a_recording_that_was_touched_or_moved_is_the_same(place: Place) -> None:
    place.file("low/1.wav").touch()
    content = place.file("low/2.wav").read_bytes()
    place.file("low/2.wav").unlink()
    place.file("low/2.wav").write_bytes(content)
    assert "3 jobs, 3 done" in place.run(command="plan").out
    (place.folder / "data").rename(place.folder / "elsewhere")
    answer = place.call("plan", place.folder / "mine.yaml", "--data", place.folder / "elsewhere", "--runs", place.runs)
    assert (answer.err, "3 jobs, 3 done" in answer.out) == ("", True)


def test_a_file_that_was_mended_is_no_longer_left_out(place: Place) -> None:
    whole = place.file("high/3.wav").read_bytes()
    place.file("high/3.wav").write_bytes(bytes(len(whole)))
    assert "1 unusable recordings were left out" in place.run("--skip-bad").out
    place.file("high/3.wav").write_bytes(whole)
    answer = place.run()
    assert "left out" not in answer.out
    assert "3 jobs, 3 done" in place.run(command="plan").out


def test_what_changes_between_plan_and_pack_is_refused(
    place: Place, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*given: object, **options: object) -> object:
        record(place.file("low/0.wav"), 900)
        return make_pack(*given, **options)  # type: ignore[arg-type]

    record(place.file("low/0.wav"), 800)
    monkeypatch.setattr("benchmark.jobs.packing.make_pack", slowly)
    where = ("--data", place.folder / "data", "--runs", place.runs)
    answer = audiobench("run", place.folder / "mine.yaml", *where)
    assert (answer.status, "recordings changed after the suite was planned" in answer.err) == (1, True)
    assert answer.err.count("1 recording of folder changed since it was last read: low/0.wav") == 2  # with the plan's
    assert len(place.packs()) == 1


def test_a_recording_that_is_damaged_after_it_was_packed_is_named_and_no_figure_is_made(place: Place) -> None:
    before = place.packs()
    place.file("low/2.wav").write_bytes(place.file("low/2.wav").read_bytes()[:30])
    where = ("--data", place.folder / "data", "--runs", place.runs)
    answer = place.call("run", place.folder / "mine.yaml", *where)
    assert answer.status == 1
    assert "1 recording of folder changed since it was last read: low/2.wav" in answer.err
    assert re.search(r"1 of 8 recordings cannot be used:\n +low/2.wav: does not decode", answer.err)
    assert "not run" in answer.out
    assert place.packs() == before


def test_a_damaged_cache_of_digests_changes_nothing(place: Place) -> None:
    (cache,) = (place.runs / "digests").iterdir()
    cache.write_text("{")
    answer = place.run(command="plan")
    assert (answer.err, "3 jobs, 3 done" in answer.out) == ("", True)


PLUGIN = """
from registry.encoders.cnn6 import Cnn6

class Mine(Cnn6):
    def embed(self, x_BCFN):
        return {scale} * super().embed(x_BCFN)
"""


def test_an_edited_plugin_is_new_work_and_another_of_its_name_too(place: Place, audiobench: Call) -> None:
    suite = SUITE.replace("{name: cnn6,", "{name: mine,") + "plugins: [mine.py]\n"
    (place.folder / "mine.yaml").write_text(suite)
    (place.folder / "mine.py").write_text(PLUGIN.format(scale=1))
    place.run()
    assert "3 jobs, 3 done" in place.run(command="plan").out
    (place.folder / "mine.py").write_text(PLUGIN.format(scale=2))
    assert "3 jobs, 1 done" in place.run(command="plan").out
    place.run()
    hers = place.folder / "hers"
    hers.mkdir()
    (hers / "mine.yaml").write_text(suite)
    (hers / "mine.py").write_text(PLUGIN.format(scale=3))
    where = ("--data", place.folder / "data", "--runs", place.runs)
    assert "3 jobs, 1 done" in audiobench("plan", hers / "mine.yaml", *where).out
    (hers / "mine.py").write_text(PLUGIN.format(scale=1))
    assert "3 jobs, 3 done" in audiobench("plan", hers / "mine.yaml", *where).out


def test_show_tells_the_version_of_a_plugin(place: Place, audiobench: Call) -> None:
    (place.folder / "mine.py").write_text(PLUGIN.format(scale=1))
    answer = audiobench("show", "encoders", "mine", "--plugin", place.folder / "mine.py")
    assert answer.status == 0, answer.err
    assert "version: 1+" in answer.out
    assert "version: 1\n" in audiobench("show", "encoders", "cnn6").out


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's cache, offline, with random weights in the place of torchvision's of ResNet-18: their file."""
    import timm
    from huggingface_hub import constants
    from safetensors.torch import save_file

    folder = tmp_path / "hub" / "models--timm--resnet18.tv_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    path = folder / "snapshots" / "abc" / "model.safetensors"
    path.parent.mkdir(parents=True)
    save_file(timm.create_model("resnet18").state_dict(), path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return path


def test_weights_of_a_hub_are_named_in_keys_and_their_file_in_records(place: Place, hub: Path) -> None:
    before = {path.parent.name for path in place.runs.glob("e*/*/result.json")}
    text = SUITE.replace("{name: cnn6, width: 4, dropout: 0.0}", "{name: esresnet, depth: 18}")
    (place.folder / "mine.yaml").write_text(text.replace("random: {weights: random}", "imagenet: {weights: imagenet}"))
    place.run()
    digest = hashlib.sha256(hub.read_bytes()).hexdigest()
    records = [path for path in place.runs.glob("e*/*/result.json") if path.parent.name not in before]
    assert [json.loads(path.read_text())["weights_sha256"] for path in records] == [digest] * 2
    (job,) = [
        json.loads(path.read_text()) for path in place.runs.glob("embed/*/job.json") if "imagenet" in path.read_text()
    ]
    assert job["config"]["weights"] == {"kind": "imagenet", "model": "resnet18.tv_in1k"}
    hub.unlink()
    assert "3 jobs, 3 done" in place.run(command="plan").out
