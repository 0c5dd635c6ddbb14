"""Packs of several shards: the samples of one file, whatever stopped the packing, and none of other recordings."""

import json
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from benchmark.jobs import shards
from benchmark.jobs.pack import Record
from benchmark.jobs.packing import make_pack, open_pack
from benchmark.jobs.shards import Checkpoint
from benchmark.progress import Progress
from benchmark.store.digests import Digests
from registry.errors import Mistake
from registry.settings import Settings
from registry.tasks import Clip, Task, listing_hash
from tests.audiobench.test_damage import cut, flip

RATE = 16000
LENGTHS = (300, 200, 499, 501, 1, 1200, 2, 998, 999)  # samples: shards of 1,000 hold 3, 2, 1 (which is longer), 2, 1


class Noise(Task[Settings]):
    """Noise that nothing rounds or resamples, over full scale here and there; each clip with several labels."""

    classes = ("a", "b", "c")
    folds = (1, 2)
    target = "several-labels"

    def __init__(self, stop_at: str = "") -> None:
        super().__init__(Settings())
        self.stop_at, self.seen = stop_at, list[str]()

    def clips(self, data: Path | None) -> list[Clip]:
        labels = ((), (0,), (0, 2))
        return [Clip(f"{i}", labels[i % 3], i % 2 + 1, f"s{i}", None, n) for i, n in enumerate(LENGTHS)]

    def read(self, clip: Clip) -> tuple[NDArray[np.float32], int]:
        if clip.id == self.stop_at:
            raise KeyboardInterrupt
        self.seen.append(clip.id)
        if clip.id == "1":
            return np.empty(0, np.float32), RATE
        wave_T = np.random.default_rng(int(clip.id)).uniform(-0.9, 0.9, clip.size).astype(np.float32)
        wave_T[::400] = 1 + int(clip.id) / 1000
        return wave_T, RATE


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 2000)
    monkeypatch.setattr("benchmark.jobs.packing._CLIPS_AT_ONCE", 1)


def packed(folder: Path, task: Noise, checkpoint: Checkpoint | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    given = (task, task.clips(None), RATE, folder, Progress())
    made = make_pack(*given, skip_bad=True, checkpoint=checkpoint)
    (folder / "result.json").write_text(made.model_dump_json())
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kept(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "kept", listing_hash)


def test_shards_hold_what_one_file_does_and_no_clip_crosses_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = packed(tmp_path / "one", Noise())
    monkeypatch.setattr(shards, "SHARD_BYTES", 2000)
    several = packed(tmp_path / "several", Noise())
    files = sorted(several.glob("samples*"))
    assert [path.name for path in files] == [f"samples-{i:05}.i16" for i in range(5)]
    assert [path.stat().st_size // 2 for path in files] == [300 + 499, 501 + 1, 1200, 2 + 998, 999]
    assert b"".join(path.read_bytes() for path in files) == (whole / "samples.i16").read_bytes()
    assert (several / "clips.parquet").read_bytes() == (whole / "clips.parquet").read_bytes()
    stated = {folder: json.loads((folder / "result.json").read_text()) for folder in (whole, several)}
    assert stated[several] == {**stated[whole], "shards": 5}
    assert stated[whole]["clipped"] == {"clips": 7, "samples": 15, "peak": 1.008}
    assert set(stated[whole]) == set(Record.model_fields) - {"shards"}  # as before there were shards
    a, b = (open_pack(folder).recordings for folder in (whole, several))
    every_N = torch.arange(len(a))
    for samples in (7, 500, 1300):
        assert torch.equal(a.windows(every_N, samples)[0], b.windows(every_N, samples)[0])
        cut_a, cut_b = (one.crops(every_N, samples, 3, torch.Generator().manual_seed(0)) for one in (a, b))
        assert torch.equal(cut_a, cut_b)
    assert torch.equal(a.norms(), b.norms())
    assert len(a.samples) == len(b.samples) == sum(LENGTHS) - 200  # type: ignore[arg-type]


@pytest.mark.parametrize("stop_at", ["0", "3", "5", "8"])
def test_packing_goes_on_after_the_last_finished_shard(tmp_path: Path, small: None, stop_at: str) -> None:
    unbroken = packed(tmp_path / "unbroken", Noise())
    with pytest.raises(KeyboardInterrupt):
        packed(tmp_path / "stopped", Noise(stop_at), kept(tmp_path))
    again = Noise()
    made = packed(tmp_path / "made", again, kept(tmp_path))
    assert content(made) == content(unbroken)
    begun = {"0": 0, "3": 0, "5": 3, "8": 6}[stop_at]  # the first clip of the shard that was not finished
    assert again.seen == [f"{i}" for i in range(begun, len(LENGTHS))]
    assert not packed(tmp_path / "third", idle := Noise(), kept(tmp_path)).joinpath("growing").exists()
    assert idle.seen == []
    assert content(tmp_path / "third") == content(unbroken)


DAMAGE: dict[str, Callable[[Path, random.Random], None]] = {
    "00001.samples": flip,
    "00001.json": cut,
    "00000.samples": cut,
    "00002.json": lambda path, rng: path.unlink(),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_shard_that_is_not_whole_is_made_again_with_all_after_it(tmp_path: Path, small: None, name: str) -> None:
    unbroken = content(packed(tmp_path / "unbroken", Noise(), kept(tmp_path)))
    DAMAGE[name](tmp_path / "kept" / name, random.Random(1))
    again = Noise()
    assert content(packed(tmp_path / "made", again, kept(tmp_path))) == unbroken
    assert len(again.seen) == len(LENGTHS) - {"00000": 0, "00001": 3, "00002": 5}[name[:5]]


def test_shards_of_another_size_are_not_mixed_in(tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(tmp_path / "old", Noise(), kept(tmp_path))
    monkeypatch.setattr(shards, "SHARD_BYTES", 4000)
    assert content(packed(tmp_path / "made", Noise(), kept(tmp_path))) == content(packed(tmp_path / "new", Noise()))


class Files(Noise):
    """The noise in files."""

    def __init__(self, folder: Path, stop_at: str = "") -> None:
        super().__init__(stop_at)
        self.folder = folder

    def write(self, name: str, seed: int) -> None:
        wave_T = np.random.default_rng(seed).uniform(-0.9, 0.9, LENGTHS[int(name)])
        soundfile.write(self.folder / f"{name}.wav", wave_T, RATE, subtype="FLOAT")

    def clips(self, data: Path | None) -> list[Clip]:
        return [Clip(c.id, c.label, c.fold, c.source, self.folder / f"{c.id}.wav", 1) for c in super().clips(data)]

    def read(self, clip: Clip) -> tuple[NDArray[np.float32], int]:
        if clip.id == self.stop_at:
            raise KeyboardInterrupt
        return Task.read(self, clip)


def test_shards_of_recordings_that_changed_since_are_made_again(tmp_path: Path, small: None) -> None:
    (tmp_path / "data").mkdir()
    task = Files(tmp_path / "data")
    for i in range(len(LENGTHS)):
        task.write(f"{i}", i)

    def of_now() -> Checkpoint:
        digests = Digests()
        digests.of("noise", task.clips(None))

        def listing(clips: Any) -> str:
            made = digests.listing_again(clips)
            if made is None:
                raise Mistake("changed")
            return made

        return Checkpoint(tmp_path / "kept", listing)

    task.stop_at = "6"
    with pytest.raises(KeyboardInterrupt):
        packed(tmp_path / "stopped", task, of_now())
    assert len(list((tmp_path / "kept").iterdir())) == 4
    task.stop_at = ""
    task.write("4", 40)  # in the second shard
    assert content(packed(tmp_path / "made", task, of_now())) == content(packed(tmp_path / "new", task))
    stale = of_now()
    task.write("7", 70)
    for path in (tmp_path / "kept").iterdir():
        path.unlink()
    with pytest.raises(Mistake, match="changed"):
        packed(tmp_path / "late", task, stale)
    assert {path.name for path in (tmp_path / "kept").glob("*.json")} == {f"0000{i}.json" for i in range(3)}


def test_memory_does_not_grow_with_the_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if every clip goes over full scale."""
    monkeypatch.setattr("benchmark.jobs.packing._CLIPS_AT_ONCE", 8)
    monkeypatch.setattr(shards, "SHARD_BYTES", 1 << 20)

    class Loud(Noise):
        def read(self, clip: Clip) -> tuple[NDArray[np.float32], int]:
            return np.full(8000, 1.01, np.float32), RATE

    def peak(count: int) -> int:
        task = Loud()
        clips = [Clip(f"{i:09}", (0,), 1, f"{i:09}", None, 1) for i in range(count)]
        (folder := tmp_path / f"{count}").mkdir()
        tracemalloc.start()
        make_pack(task, clips, RATE, folder, Progress())
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(8)  # what is imported only once
    assert peak(300) - peak(100) < 200 * 1000  # of samples there are 16,000 bytes a clip


def test_a_pack_that_lacks_a_shard_is_named(tmp_path: Path, small: None) -> None:
    folder = packed(tmp_path / "pack", Noise())
    (folder / "samples-00001.i16").write_bytes(b"ab")
    with pytest.raises(Mistake, match="3999 samples instead of 4500"):
        open_pack(folder)
