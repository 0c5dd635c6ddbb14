"""DCASE 2013 and Speech Commands: listings of made miniatures of the official layouts, with their quirks."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from registry.describe import summary
from registry.errors import Mistake
from registry.tasks import listing_hash
from registry.tasks.dcase2013 import Dcase2013
from tests.registry._recordings import copies, counted, sound, write
from tests.registry.test_tasks import task

# DCASE 2013


@pytest.fixture
def dcase(tmp_path: Path) -> Path:
    sound(tmp_path / "one.wav", channels=2, rate=44100)
    names = [f"{scene}{number:02}.wav" for scene in Dcase2013.classes for number in range(1, 11)]
    folder = tmp_path / "DCASE2013"
    for part in ("scenes_stereo", "scenes_stereo_testset"):
        copies(tmp_path / "one.wav", [folder / part / name for name in names])
    return tmp_path


def test_dcase2013_is_its_public_and_its_private_part(dcase: Path) -> None:
    scenes = task("dcase2013")
    clips = scenes.clips(dcase)
    assert len({clip.id for clip in clips}) == 200
    assert counted(clips, 10) == scenes.counts
    assert all(clip.source == scenes.source_of(clip.id) for clip in clips)
    tube = [clip.id for clip in clips if scenes.labels(clip) == ("tube",) and clip.fold == 2]
    assert tube == [f"scenes_stereo_testset/tube{number:02}.wav" for number in range(1, 11)]
    wave_T, rate = scenes.read(clips[0])
    assert (wave_T.shape, rate) == ((441,), 44100)


@pytest.mark.parametrize("columns", [2, 4])
def test_dcase2013_reads_hidden_names_by_the_key(dcase: Path, columns: int) -> None:
    plain = counted(task("dcase2013").clips(dcase), 10)
    private = dcase / "DCASE2013" / "scenes_stereo_testset"
    rows = ["hidden,original"] if columns == 2 else ["fold,,hidden,original"]
    for i, path in enumerate(sorted(private.iterdir())):
        rows.append(f"{i:04}.wav,{path.name}" if columns == 2 else f"fold{i % 5 + 1},{i},{i:04}.wav,{path.name}")
        path.rename(private / f"{i:04}.wav")
    with pytest.raises(Mistake, match="the scene of 100 recordings cannot be told") as caught:
        task("dcase2013").clips(dcase)
    assert "dcase2013_task1_filenamekey.csv" in caught.value.fix
    write(dcase / "DCASE2013" / "dcase2013_task1_filenamekey.csv", "\n".join(rows))
    clips = task("dcase2013").clips(dcase)
    assert counted(clips, 10) == plain
    assert [task("dcase2013").labels(clip) for clip in clips if clip.id.endswith("/0025.wav")] == [("office",)]


def test_dcase2013_names_what_is_missing(dcase: Path) -> None:
    public = dcase / "DCASE2013" / "scenes_stereo"
    (public / "bus03.wav").unlink()
    (public / "park10.wav").unlink()
    with pytest.raises(Mistake, match=r"every scene has 10 recordings, and here are: bus 9, park 9\n"):
        task("dcase2013").clips(dcase)
    public.rename(dcase / "elsewhere")
    with pytest.raises(Mistake, match="the public part of DCASE2013 is missing"):
        task("dcase2013").clips(dcase)


# Speech Commands


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Two recordings of every word by each of three speakers, with the lists and the folder of noises."""
    folder = tmp_path / "speech_commands_v0.02"
    sound(folder / "_background_noise_" / "white_noise.wav")
    speakers = {"00aa": "validation", "00bb": "testing", "00cc": ""}
    for speaker, part in speakers.items():
        names = [f"{w}/{speaker}_nohash_{i}.wav" for w in task("speech-commands").classes for i in range(2)]
        copies(folder / "_background_noise_" / "white_noise.wav", [folder / name for name in names])
        if part:
            write(folder / f"{part}_list.txt", "\n".join(names) + "\n")
    return tmp_path


def test_speech_commands_tests_on_its_list_and_trains_on_all_the_rest(commands: Path) -> None:
    words = task("speech-commands")
    clips = words.clips(commands)
    assert counted(clips, 35) == {0: (4,) * 35, 1: (2,) * 35}
    assert {clip.source for clip in clips if clip.fold == 1} == {"00bb"}
    assert all(clip.source == words.source_of(clip.id) for clip in clips)
    assert (words.folds, clips[0].id) == ((1,), "backward/00aa_nohash_0.wav")
    assert all(clip.id.startswith(f"{words.labels(clip)[0]}/") for clip in clips)
    assert [sum(counts) for counts in words.counts.values()] == [105_829 - 11_005, 11_005]


def test_speech_commands_names_what_is_missing(commands: Path) -> None:
    folder = commands / "speech_commands_v0.02"
    (folder / "cat" / "00bb_nohash_1.wav").unlink()
    with pytest.raises(Mistake, match=r"1 of 210 .* missing: cat/00bb_nohash_1\.wav"):
        task("speech-commands").clips(commands)
    (folder / "dog").rename(folder / "hound")
    with pytest.raises(Mistake, match="the recordings of 1 of 35 words are missing: dog"):
        task("speech-commands").clips(commands)
    (folder / "testing_list.txt").unlink()
    with pytest.raises(Mistake, match="an official list of Speech Commands is missing") as caught:
        task("speech-commands").clips(commands)
    assert caught.value.where.endswith("testing_list.txt")


@pytest.mark.real
def test_the_speech_commands_test_set_has_the_published_counts(data: Path) -> None:
    words = task("speech-commands-test")
    clips = words.clips(data)
    counts = (408, 408, 406, 402, 412, 405, 402, 396, 396, 411, 425, 419)
    assert (len(clips), len(words.classes), words.folds) == (4890, 12, (1, 2, 3, 4, 5))
    assert tuple(Counter(clip.label for clip in clips)[label] for label in range(12)) == counts
    with (data / "speech_commands_test_set_v0.02" / "folds.csv").open() as file:
        rows = {row["filename"]: row for row in csv.DictReader(file)}
    assert {clip.id: str(clip.fold) for clip in clips} == {name: row["fold"] for name, row in rows.items()}
    assert all(clip.source == (rows[clip.id]["speaker"] or clip.id) for clip in clips)
    assert words.read(clips[0])[1] == 16000


@pytest.mark.real
def test_the_speech_commands_test_set_gets_folds_of_disjoint_speakers(data: Path, tmp_path: Path) -> None:
    """The archive as it is published has no folds."""
    bare = tmp_path / "speech_commands_test_set_v0.02"
    bare.mkdir()
    for word in task("speech-commands-test").classes:
        (bare / word).symlink_to(data / "speech_commands_test_set_v0.02" / word)
    clips = task("speech-commands-test").clips(tmp_path)
    assert len(clips) == 4890
    folds = counted(clips, 12)
    assert set(folds) == {1, 2, 3, 4, 5}
    assert all(min(counts) > 50 for counts in folds.values())
    assert {counts[0] for counts in folds.values()} <= {81, 82}
    assert not any(len({c.fold for c in clips if c.source == s}) > 1 for s in {c.source for c in clips})
    assert listing_hash(clips) == listing_hash(task("speech-commands-test").clips(tmp_path))
    other = task({"name": "speech-commands-test", "seed": 1}).clips(tmp_path)
    assert [c.fold for c in other] != [c.fold for c in clips]


def test_the_speech_commands_test_set_knows_its_names(tmp_path: Path) -> None:
    """Some names of the archive end in .wav.wav; those of other words begin with the word."""
    folder = tmp_path / "speech_commands_test_set_v0.02"
    sound(folder / "_silence_" / "0.wav.wav")
    words = task("speech-commands-test").classes[1:]
    names = [f"_unknown_/bed_00{i}a_nohash_0.wav.wav" for i in range(5)]
    names += [f"{word}/00{i}a_nohash_1.wav" for word in words[1:] for i in range(5)]
    copies(folder / "_silence_" / "0.wav.wav", [folder / name for name in names])
    clips = task("speech-commands-test").clips(tmp_path)
    assert {clip.source for clip in clips} == {"_silence_/0.wav.wav", *(f"00{i}a" for i in range(5))}
    assert all(clip.source == task("speech-commands-test").source_of(clip.id) for clip in clips)
    write(folder / "folds.csv", "filename,fold\nyes/000a_nohash_1.wav,3\nyes/111a_nohash_1.wav,1\n")
    with pytest.raises(Mistake, match=r"1 of 2 files .* missing: yes/111a_nohash_1\.wav"):
        task("speech-commands-test").clips(tmp_path)
    (folder / "up").rename(folder / "down_and_up")
    with pytest.raises(Mistake, match="the recordings of 1 of 12 classes are missing: up"):
        task("speech-commands-test").clips(tmp_path)


@pytest.mark.parametrize("name", ["dcase2013", "fma", "folder", "gtzan", "speech-commands", "speech-commands-test"])
def test_listings_show_tasks_without_their_data(name: str) -> None:
    row = summary("tasks", name)
    assert row["folds"] > 0
    assert (row["classes"] > 0) == (name != "folder")
