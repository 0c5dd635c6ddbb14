"""Packs against soundfile, and what cannot be packed."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmark.jobs.pack import Samples
from benchmark.jobs.packing import Pack, make_pack, open_pack
from benchmark.progress import Progress
from registry.errors import Mistake
from registry.settings import Settings
from registry.tasks import Clip, Task
from registry.tasks.esc10 import Esc10

KINDS: tuple[Samples, ...] = ("int16", "float32")


class Folder(Task):
    """Files of a folder."""

    classes = ("a", "b")
    folds = (1, 2)


def clips_of(folder: Path) -> list[Clip]:
    paths = sorted(folder.iterdir())
    return [Clip(p.name, i % 2, i % 2 + 1, p.stem, p, p.stat().st_size) for i, p in enumerate(paths)]


def pack(
    clips: list[Clip],
    rate: int,
    out: Path,
    task: Task | None = None,
    skip_bad: bool = False,
    samples: Samples = "int16",
) -> Pack:
    out.mkdir()
    reads = task or Folder(Settings())
    result = make_pack(reads, clips, rate, out, Progress(), samples=samples, skip_bad=skip_bad)
    (out / "result.json").write_text(result.model_dump_json())
    return open_pack(out)


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    folder = tmp_path / "audio"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i, length in enumerate((16000, 123, 40000)):
        soundfile.write(folder / f"{i}.wav", rng.uniform(-0.9, 0.9, length), 16000, subtype="PCM_16")
    return folder


def test_a_pack_holds_what_soundfile_reads(audio: Path, tmp_path: Path) -> None:
    made = pack(clips_of(audio), 16000, tmp_path / "pack")
    assert made.ids.to_pylist() == ["0.wav", "1.wav", "2.wav"]
    assert made.labels.tolist() == [0, 1, 0]
    for i, path in enumerate(sorted(audio.iterdir())):
        begin, end = made.recordings.offsets[i : i + 2]
        theirs = soundfile.read(path, dtype="int16")[0]
        assert np.abs(made.recordings.samples[begin:end].astype(int) - theirs).max() <= 1


def test_a_pack_of_floats_neither_rounds_nor_clips(audio: Path, tmp_path: Path) -> None:
    loud = np.random.default_rng(1).uniform(-1.5, 1.5, 500)
    soundfile.write(audio / "3.wav", loud, 16000, subtype="FLOAT")
    made = {kind: pack(clips_of(audio), 16000, tmp_path / kind, samples=kind) for kind in KINDS}
    assert [made[kind].recordings.samples.dtype.name for kind in KINDS] == list(KINDS)
    for i, path in enumerate(sorted(audio.iterdir())):
        begin, end = made["float32"].recordings.offsets[i : i + 2]
        theirs = soundfile.read(path, dtype="float32")[0]
        assert np.array_equal(made["float32"].recordings.samples[begin:end], theirs)
        rounded = made["int16"].recordings.samples[begin:end] / 32767
        assert np.abs(rounded - np.clip(theirs, -1, 1)).max() <= 0.502 / 32767
    for kind, file in (("int16", "samples.i16"), ("float32", "samples.f32")):
        assert json.loads((tmp_path / kind / "result.json").read_text())["samples"] == kind
        assert [path.name for path in (tmp_path / kind).glob("samples.*")] == [file]
    assert made["int16"].content_hash != made["float32"].content_hash
    assert made["int16"].ids == made["float32"].ids


def test_a_pack_whose_record_does_not_tell_its_samples_has_integers(audio: Path, tmp_path: Path) -> None:
    """As all packs had when records did not tell."""
    made = pack(clips_of(audio), 16000, tmp_path / "pack")
    record = json.loads((tmp_path / "pack" / "result.json").read_text())
    del record["samples"]
    (tmp_path / "pack" / "result.json").write_text(json.dumps(record))
    opened = open_pack(tmp_path / "pack")
    assert np.array_equal(opened.recordings.samples[:], made.recordings.samples[:])


@pytest.mark.real
def test_a_real_pack_holds_what_soundfile_reads(data: Path, tmp_path: Path) -> None:
    task = Esc10(Settings())
    clips = task.clips(data)[::20]
    made = pack(clips, 16000, tmp_path / "pack", task)
    assert len(made.ids) == 20
    for i, clip in enumerate(clips):
        wave = made.recordings.samples[made.recordings.offsets[i] : made.recordings.offsets[i + 1]]
        theirs = soundfile.read(clip.path, dtype="float32")[0]
        assert len(wave) == len(theirs) == 80000
        np.testing.assert_allclose(wave / 32767, np.clip(theirs, -1, 1), atol=1 / 32767)


def test_resampling_keeps_tones_below_the_new_nyquist_and_removes_those_above(tmp_path: Path) -> None:
    folder = tmp_path / "audio"
    folder.mkdir()
    time = np.arange(44100) / 44100
    for hz in (440, 7000, 12000):
        soundfile.write(folder / f"{hz:05}.wav", 0.5 * np.sin(2 * np.pi * hz * time), 44100, subtype="FLOAT")
    made = pack(clips_of(folder), 16000, tmp_path / "pack")
    assert np.diff(made.recordings.offsets).tolist() == [16000] * 3
    levels = [
        np.sqrt(np.mean((made.recordings.samples[i * 16000 + 1000 : (i + 1) * 16000 - 1000] / 32767) ** 2))
        for i in range(3)
    ]
    assert levels[0] == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)
    assert levels[1] == pytest.approx(0.5 / np.sqrt(2), rel=5e-3)
    assert levels[2] < 1e-3


def test_channels_are_averaged(tmp_path: Path) -> None:
    folder = tmp_path / "audio"
    folder.mkdir()
    soundfile.write(folder / "s.wav", np.stack([np.full(100, 0.5), np.full(100, 0.1)], 1), 16000, subtype="FLOAT")
    made = pack(clips_of(folder), 16000, tmp_path / "pack")
    assert np.abs(made.recordings.samples[:100] / 32767 - 0.3).max() < 1e-4


def test_content_hashes_follow_the_samples(audio: Path, tmp_path: Path) -> None:
    first, again = (pack(clips_of(audio), 16000, tmp_path / name) for name in ("one", "two"))
    assert first.content_hash == again.content_hash
    soundfile.write(audio / "1.wav", np.zeros(123), 16000, subtype="PCM_16")
    changed = pack(clips_of(audio), 16000, tmp_path / "three")
    assert changed.content_hash != first.content_hash
    assert [a == b for a, b in zip(changed.hashes(), first.hashes(), strict=True)] == [True, False, True]


@pytest.fixture
def faulty(audio: Path) -> Path:
    (audio / "3.wav").write_bytes(b"RIFF, and then nothing of use")
    soundfile.write(audio / "4.wav", np.empty(0), 16000)
    soundfile.write(audio / "5.wav", np.array([0.1, np.nan, 0.1]), 16000, subtype="FLOAT")
    return audio


def test_unusable_recordings_stop_the_pack_and_are_all_named(faulty: Path, tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="3 of 6 recordings cannot be used") as caught:
        pack(clips_of(faulty), 16000, tmp_path / "pack")
    for name, why in (("3.wav", "does not decode"), ("4.wav", "is empty"), ("5.wav", "not finite")):
        assert any(name in line and why in line for line in caught.value.what.splitlines())
    assert "--skip-bad" in caught.value.fix


def test_unusable_recordings_can_be_left_out_and_enter_the_record(faulty: Path, tmp_path: Path) -> None:
    made = pack(clips_of(faulty), 16000, tmp_path / "pack", skip_bad=True)
    assert made.ids.to_pylist() == ["0.wav", "1.wav", "2.wav"]
    record = json.loads((tmp_path / "pack" / "result.json").read_text())
    assert set(record["skipped"]) == {"3.wav", "4.wav", "5.wav"}
    assert record["clips"] == 3


def test_samples_over_full_scale_are_counted_or_refused(audio: Path, tmp_path: Path) -> None:
    """As lossy coding leaves them, and as no recording should be."""
    wave_T = 0.9 * np.sin(np.arange(16000) / 5)
    clicks_T = wave_T.copy()
    clicks_T[::1000] = 1.2
    soundfile.write(audio / "3.wav", clicks_T, 16000, subtype="FLOAT")
    pack(clips_of(audio), 16000, tmp_path / "pack")
    record = json.loads((tmp_path / "pack" / "result.json").read_text())
    assert record["clipped"] == {"clips": 1, "samples": 16, "peak": 1.2}
    soundfile.write(audio / "4.wav", 4 * wave_T, 16000, subtype="FLOAT")
    soundfile.write(audio / "5.wav", 32767 * wave_T, 16000, subtype="FLOAT")
    with pytest.raises(Mistake, match="2 of 6 recordings cannot be used") as caught:
        pack(clips_of(audio), 16000, tmp_path / "int16")
    assert "4.wav: reaches 3.6 times full scale, and would lose" in caught.value.what
    assert "5.wav: reaches 29,490, and full scale is 1: it seems to hold integers" in caught.value.what
    with pytest.raises(Mistake, match=r"1 of 6 .*\n    5\.wav"):
        pack(clips_of(audio), 16000, tmp_path / "float32", samples="float32")


def test_recordings_without_a_sample_at_the_new_rate_are_named(audio: Path, tmp_path: Path) -> None:
    soundfile.write(audio / "3.wav", np.array([0.5]), 48000)
    with pytest.raises(Mistake, match="too short for a single sample at 16,000 Hz"):
        pack(clips_of(audio), 16000, tmp_path / "pack")


def test_channels_of_any_number_give_the_same_hash_as_their_mean(tmp_path: Path) -> None:
    folder = tmp_path / "audio"
    folder.mkdir()
    soundfile.write(folder / "s.wav", np.random.default_rng(0).uniform(-0.9, 0.9, (900, 3)), 16000, subtype="FLOAT")
    made = pack(clips_of(folder), 16000, tmp_path / "pack")
    mean_T = soundfile.read(folder / "s.wav", dtype="float32")[0].mean(1)
    assert np.array_equal(made.recordings.samples[:], np.round(mean_T * 32767).astype(np.int16))
