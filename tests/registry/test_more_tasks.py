"""Tasks whose data are mostly not here: listings of made miniatures of the official layouts, with their quirks."""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from registry.describe import summary
from registry.errors import Mistake
from registry.tasks import Clip, listing_hash
from registry.tasks.dcase2013 import Dcase2013
from registry.tasks.gtzan import Gtzan
from tests.conftest import Answer
from tests.registry.test_tasks import task


def sound(path: Path, seconds: float = 0.01, channels: int = 1, rate: int = 16000, hz: float = 440) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave_T = 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    soundfile.write(path, np.stack([wave_T] * channels, 1), rate)


def copies(one: Path, paths: list[Path]) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.read_bytes())


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def counted(clips: list[Clip], classes: int) -> dict[int, tuple[int, ...]]:
    found = Counter((clip.fold, clip.label) for clip in clips)
    return {fold: tuple(found[fold, label] for label in range(classes)) for fold in sorted({f for f, _ in found})}


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
    tube = [clip.id for clip in clips if scenes.classes[clip.label] == "tube" and clip.fold == 2]
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
    assert [Dcase2013.classes[clip.label] for clip in clips if clip.id.endswith("/0025.wav")] == ["office"]


def test_dcase2013_names_what_is_missing(dcase: Path) -> None:
    public = dcase / "DCASE2013" / "scenes_stereo"
    (public / "bus03.wav").unlink()
    (public / "park10.wav").unlink()
    with pytest.raises(Mistake, match=r"every scene has 10 recordings, and here are: bus 9, park 9\n"):
        task("dcase2013").clips(dcase)
    public.rename(dcase / "elsewhere")
    with pytest.raises(Mistake, match="the public part of DCASE2013 is missing"):
        task("dcase2013").clips(dcase)


# GTZAN


@pytest.fixture(scope="module")
def genres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of the archive, with one genre in the older format and the file that one copy has broken."""
    folder = tmp_path_factory.mktemp("data")
    sound(folder / "one.wav")
    sound(folder / "one.au")
    for genre in Gtzan.classes:
        kind = "au" if genre == "rock" else "wav"
        copies(folder / f"one.{kind}", [folder / "genres" / genre / f"{genre}.{i:05}.{kind}" for i in range(100)])
    return folder


@pytest.mark.parametrize("split", ["10-fold", "filtered", "70-15-15"])
def test_gtzan_has_the_counts_of_its_splits(genres: Path, split: str) -> None:
    music = task({"name": "gtzan", "split": split})
    clips = music.clips(genres)
    assert counted(clips, 10) == music.counts
    assert len({clip.id for clip in clips}) == len(clips)
    assert all(clip.id.startswith(f"{music.classes[clip.label]}/{music.classes[clip.label]}.") for clip in clips)
    if split == "10-fold":
        assert music.counts == dict.fromkeys(music.folds, (10,) * 10)
    elif split == "70-15-15":
        assert music.counts == {0: (70,) * 10, 1: (15,) * 10, 2: (15,) * 10}
    else:
        assert {fold: sum(counts) for fold, counts in music.counts.items()} == {0: 443, 1: 290, 2: 197}
        assert music.counts[1] == (31, 31, 30, 29, 27, 27, 27, 30, 26, 32)
    assert music.folds == (tuple(range(1, 11)) if split == "10-fold" else (1,))


def test_gtzan_filtered_is_the_split_of_torchaudio(genres: Path) -> None:
    from torchaudio.datasets import gtzan

    parts = {0: gtzan.filtered_train, 2: gtzan.filtered_valid, 1: gtzan.filtered_test}
    clips = task({"name": "gtzan", "split": "filtered"}).clips(genres)
    assert {clip.source: clip.fold for clip in clips} == {name: fold for fold, names in parts.items() for name in names}


def test_gtzan_folds_follow_the_seed_alone(genres: Path) -> None:
    """Figures of two machines are comparable only if this never changes."""

    def digest(reference: dict[str, object]) -> str:
        folds = sorted((clip.source, clip.fold) for clip in task({"name": "gtzan", **reference}).clips(genres))
        return hashlib.sha256(repr(folds).encode()).hexdigest()[:12]

    assert digest({}) == "2259f532a84c"
    assert digest({"split": "70-15-15"}) == "39ce6e9080bb"
    assert digest({"seed": 1}) != digest({})
    assert digest({"split": "filtered", "seed": 1}) == digest({"split": "filtered"})


@pytest.mark.parametrize("fault", ["garbage", "no samples", "gone"])
def test_gtzan_goes_on_without_the_one_file_known_to_be_broken(genres: Path, tmp_path: Path, fault: str) -> None:
    whole = task("gtzan").clips(genres)
    (tmp_path / "GTZAN").mkdir()
    for genre in Gtzan.classes:
        (tmp_path / "GTZAN" / "genres_original" / genre).mkdir(parents=True)
        for path in (genres / "genres" / genre).iterdir():
            (tmp_path / "GTZAN" / "genres_original" / genre / path.name).hardlink_to(path)
    broken = tmp_path / "GTZAN" / "genres_original" / "jazz" / "jazz.00054.wav"
    broken.unlink()
    if fault == "garbage":
        broken.write_bytes(b"noise")
    elif fault == "no samples":
        soundfile.write(broken, np.zeros(0), 22050)
    with pytest.warns(UserWarning, match=r"jazz/jazz\.00054\.wav is unreadable or missing, and is left out"):
        clips = task("gtzan").clips(tmp_path)
    assert [(c.id, c.fold) for c in clips] == [(c.id, c.fold) for c in whole if c.source != "jazz.00054"]
    (broken.parent / "jazz.00055.wav").unlink()
    with pytest.warns(UserWarning, match="left out"), pytest.raises(Mistake, match=r"1 of 999 .*jazz/jazz\.00055\.wav"):
        task("gtzan").clips(tmp_path)


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
    assert (words.folds, clips[0].id) == ((1,), "backward/00aa_nohash_0.wav")
    assert all(clip.id.startswith(words.classes[clip.label] + "/") for clip in clips)
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
    write(folder / "folds.csv", "filename,fold\nyes/000a_nohash_1.wav,3\nyes/111a_nohash_1.wav,1\n")
    with pytest.raises(Mistake, match=r"1 of 2 files .* missing: yes/111a_nohash_1\.wav"):
        task("speech-commands-test").clips(tmp_path)
    (folder / "up").rename(folder / "down_and_up")
    with pytest.raises(Mistake, match="the recordings of 1 of 12 classes are missing: up"):
        task("speech-commands-test").clips(tmp_path)


# FMA

TRACKS = """\
,album,album,artist,set,set,track,track
,comments,information,id,split,subset,genre_top,title
track_id,,,,,,,
2,0,"<p>Lines,
and commas</p>",1,training,small,Hip-Hop,Food
137,0,,2,validation,small,Rock,"Side ""A"", live"
1042,0,,3,test,small,Folk,NA
1043,0,,1,training,medium,Old-Time / Historic,None
155320,0,,4,test,large,Jazz,nan
20,0,,5,training,large,,Spiritual
"""


@pytest.fixture
def fma(tmp_path: Path) -> Path:
    write(tmp_path / "FMA" / "fma_metadata" / "tracks.csv", TRACKS)
    names = ["000/000002", "000/000137", "001/001042", "001/001043", "155/155320"]
    for size, count in (("small", 3), ("medium", 4), ("large", 5)):
        for name in names[:count]:
            sound(tmp_path / "FMA" / f"fma_{size}" / f"{name}.mp3", seconds=0.5, channels=2, rate=44100)
        write(tmp_path / "FMA" / f"fma_{size}" / "checksums", "")
    return tmp_path


def test_fma_lists_its_nested_sets(fma: Path) -> None:
    expected = [
        ("000/000002.mp3", "Hip-Hop", 0, "1"),
        ("000/000137.mp3", "Rock", 2, "2"),
        ("001/001042.mp3", "Folk", 1, "3"),
        ("001/001043.mp3", "Old-Time / Historic", 0, "1"),
        ("155/155320.mp3", "Jazz", 1, "4"),
    ]
    for size, count, classes in (("small", 3, 8), ("medium", 4, 16), ("large", 5, 16)):
        music = task({"name": "fma", "size": size})
        clips = music.clips(fma)
        assert [(c.id, music.classes[c.label], c.fold, c.source) for c in clips] == expected[:count]
        assert (len(music.classes), music.folds) == (classes, (1,))
        assert [archive.folder for archive in music.archives] == ["FMA/fma_metadata", f"FMA/fma_{size}"]
    for size, pieces in (("small", 8_000), ("medium", 25_000)):
        assert sum(count for (count,) in task({"name": "fma", "size": size}).counts.values()) == pieces


def test_fma_reads_mp3(fma: Path) -> None:
    music = task("fma")
    wave_T, rate = music.read(music.clips(fma)[0])
    assert rate == 44100
    assert 0.4 < len(wave_T) / rate < 0.6
    spectrum = np.abs(np.fft.rfft(wave_T))
    assert abs(spectrum.argmax() * rate / len(wave_T) - 440) < 4


def test_fma_lists_pieces_without_audio_and_cannot_read_them(fma: Path) -> None:
    """A pack names them, and goes on without them where that is asked for."""
    for content in (b"", b"ID3\x04\x00\x00\x00\x00\x00\x00"):
        (fma / "FMA" / "fma_small" / "000" / "000002.mp3").write_bytes(content)
        clip = task("fma").clips(fma)[0]
        assert (clip.id, clip.size) == ("000/000002.mp3", len(content))
        with pytest.raises(RuntimeError):
            task("fma").read(clip)


def test_fma_names_what_is_missing(fma: Path) -> None:
    tracks = fma / "FMA" / "fma_metadata" / "tracks.csv"
    (fma / "FMA" / "fma_small" / "000" / "000137.mp3").unlink()
    with pytest.raises(Mistake, match=r"1 of 3 files .* missing: 000/000137\.mp3"):
        task("fma").clips(fma)
    (fma / "FMA" / "fma_medium").rename(fma / "FMA" / "fma")
    with pytest.raises(Mistake, match="the medium set of FMA is missing"):
        task({"name": "fma", "size": "medium"}).clips(fma)
    tracks.write_text(TRACKS.replace("genre_top", "genres"))
    with pytest.raises(Mistake, match=r"tracks\.csv lacks the columns track genre_top"):
        task("fma").clips(fma)
    tracks.unlink()
    with pytest.raises(Mistake, match="metadata of FMA are missing"):
        task("fma").clips(fma)


# A user's own recordings


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder for each of two classes, six recordings each by three speakers, and other files beside them."""
    for label, hz in (("high", 3000), ("low", 300)):
        for i in range(6):
            sound(tmp_path / "birds" / label / f"{i}.wav", seconds=0.6, hz=hz + 10 * i)
    write(tmp_path / "birds" / "high" / "notes.txt", "recorded in May")
    write(tmp_path / "birds" / ".cache" / "0.wav", "")
    return tmp_path


def table(own: Path, header: str, row: Callable[[str, int], str]) -> None:
    rows = [f"{label}/{i}.wav,{row(label, i)}" for i in range(6) for label in ("low", "high")]
    write(own / "birds" / "birds.csv", "\ufeff" + "\n".join([f"path,{header}", *rows]))


def birds(**settings: object) -> dict[str, object]:
    return {"name": "folder", "path": "birds", **settings}


def test_a_folder_for_each_class_gets_stratified_folds(own: Path) -> None:
    made = task(birds(folds=3))
    clips = made.clips(own)
    assert made.classes == ("high", "low")
    assert [clip.id for clip in clips] == [f"{label}/{i}.wav" for label in ("high", "low") for i in range(6)]
    assert counted(clips, 2) == dict.fromkeys(made.folds, (2, 2))
    assert listing_hash(clips) == listing_hash(task(birds(folds=3)).clips(own))
    assert listing_hash(clips) != listing_hash(task(birds(folds=3, seed=1)).clips(own))
    absolute = task({"name": "folder", "path": str(own / "birds"), "folds": 3}).clips(None)
    assert listing_hash(absolute) == listing_hash(clips)
    assert made.read(clips[0])[1] == 16000


def test_a_table_keeps_sources_together(own: Path) -> None:
    table(own, "label,source", lambda label, i: f"{label},speaker {i % 3}")
    clips = task(birds(table="birds.csv", folds=3)).clips(own)
    assert counted(clips, 2) == dict.fromkeys((1, 2, 3), (2, 2))
    assert len({(clip.source, clip.fold) for clip in clips}) == 3
    assert [clip.id for clip in clips[:2]] == ["low/0.wav", "high/0.wav"]


def test_a_table_may_number_its_folds_or_name_its_parts(own: Path) -> None:
    table(own, "label,fold", lambda label, i: f"{label},{i % 3}")
    clips = task(birds(table="birds.csv", folds=2)).clips(own)
    assert counted(clips, 2) == dict.fromkeys((0, 1, 2), (2, 2))
    with pytest.raises(Mistake, match=r"5 folds are asked for, 1 to 5, and the table has 1, 2\n") as caught:
        task(birds(table="birds.csv")).clips(own)
    assert caught.value.fix == "folds: 2"
    table(own, "label,split", lambda label, i: f"{label},{('train', 'validation', 'test')[i % 3]}")
    made = task(birds(table="birds.csv", folds=1))
    assert [clip.fold for clip in made.clips(own)] == [fold for i in range(6) for fold in [(0, 2, 1)[i % 3]] * 2]
    assert made.folds == (1,)


@pytest.mark.parametrize(
    ("header", "row", "settings", "says"),
    [
        ("label", "low;high", {}, r"'low;high': several labels a recording are not offered yet"),
        ("label", "", {}, "the label is empty"),
        ("genre", "low", {}, "the table needs the columns path and label"),
        ("label,fold", "low,one", {}, "the fold 'one' is no whole number"),
        ("label,fold", "low,1", {"folds": 1}, "every recording is in the only fold"),
        ("label,split", "low,dev", {}, "the split 'dev' is none of train, test, validation"),
        ("label,split", "low,train", {"folds": 1}, "1 folds are asked for, 1 to 1, and the table has none"),
        ("label,fold,split", "low,1,test", {}, "both a column fold and a column split"),
        ("label,source", "low,here", {}, "5 folds cannot be made: 'low' has 1 independent recordings"),
        ("label", "low", {"folds": 13}, "13 folds cannot be made: 'low' has 12 independent recordings"),
        ("label", "low", {"folds": 1}, "one fold alone cannot be made"),
    ],
)
def test_mistakes_in_a_table_are_named(
    own: Path, header: str, row: str, settings: dict[str, object], says: str
) -> None:
    table(own, header, lambda label, i: row)
    with pytest.raises(Mistake, match=says) as caught:
        task(birds(table="birds.csv", **settings)).clips(own)
    assert "birds.csv" in caught.value.where


def test_what_a_table_or_folder_lacks_is_named(own: Path) -> None:
    write(own / "birds" / "birds.csv", "path,label\nlow/0.wav,a\nlow/9.wav,a\n")
    with pytest.raises(Mistake, match=r"1 of 2 files .* missing: low/9\.wav"):
        task(birds(table="birds.csv", folds=2)).clips(own)
    write(own / "birds" / "birds.csv", "path,label\nlow/0.wav,a\nlow/0.wav,b\n")
    with pytest.raises(Mistake, match=r"low/0\.wav stands in the table twice") as caught:
        task(birds(table="birds.csv", folds=2)).clips(own)
    assert caught.value.where.endswith("birds.csv:3")
    with pytest.raises(Mistake, match="the table of the recordings is missing"):
        task(birds(table="fish.csv")).clips(own)
    with pytest.raises(Mistake, match="fish does not exist"):
        task({"name": "folder", "path": "fish"}).clips(own)
    with pytest.raises(Mistake, match="birds lies below --data, and none is given"):
        task(birds()).clips(None)
    (own / "fish").mkdir()
    with pytest.raises(Mistake, match="no recordings are listed"):
        task({"name": "folder", "path": "fish"}).clips(own)


def test_own_recordings_go_through_a_run(own: Path, tiny: Path, audiobench: Callable[..., Answer]) -> None:
    """Classes that are known once the data are read, and a single test part."""
    table(own, "label,split", lambda label, i: f"{label},{('train', 'validation', 'test')[i % 3]}")
    named = "{name: folder, path: birds, table: birds.csv, folds: 1}"
    tiny.write_text(tiny.read_text().replace("tasks: [{name: sounds, clips: 2}]", f"tasks: [{named}]"))
    ran = audiobench("run", tiny, "--runs", own / "runs", "--data", own, "--entry", "random", "--protocol", "knn")
    assert ran.status == 0, ran.err
    shown = audiobench("leaderboard", "--runs", own / "runs")
    assert "folder" in shown.out


@pytest.mark.parametrize("name", ["dcase2013", "fma", "folder", "gtzan", "speech-commands", "speech-commands-test"])
def test_listings_show_tasks_without_their_data(name: str) -> None:
    row = summary("tasks", name)
    assert row["folds"] > 0
    assert (row["classes"] > 0) == (name != "folder")
