"""GTZAN and FMA: listings of made miniatures of the official layouts, with their quirks."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from registry.errors import Mistake
from registry.lookup import TASKS
from registry.tasks import gtzan
from registry.tasks.gtzan import Gtzan
from tests.registry._recordings import copies, counted, sound, write
from tests.registry.test_tasks import task

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


@pytest.mark.parametrize("split", ["10-fold", "filtered", "70-15-15", "stratified"])
def test_gtzan_has_the_counts_of_its_splits(genres: Path, split: str) -> None:
    music = task({"name": "gtzan", "split": split})
    clips = music.clips(genres)
    assert counted(clips, 10) == music.counts
    assert len({clip.id for clip in clips}) == len(clips)
    assert all(clip.source == music.source_of(clip.id) for clip in clips)
    assert all(clip.id.startswith("{0}/{0}.".format(*music.labels(clip))) for clip in clips)
    if split == "10-fold":
        assert music.counts == dict.fromkeys(music.folds, (10,) * 10)
    elif split == "70-15-15":
        assert music.counts == {0: (70,) * 10, 1: (15,) * 10, 2: (15,) * 10}
    elif split == "stratified":
        assert music.counts == {0: (50,) * 10, 1: (25,) * 10, 2: (25,) * 10}
    else:
        assert {fold: sum(counts) for fold, counts in music.counts.items()} == {0: 443, 1: 290, 2: 197}
        assert music.counts[1] == (31, 31, 30, 29, 27, 27, 27, 30, 26, 32)
    assert music.folds == (tuple(range(1, 11)) if split == "10-fold" else (1,))


def test_gtzan_filtered_is_the_split_of_torchaudio(genres: Path) -> None:
    from torchaudio.datasets import gtzan as theirs

    parts = {0: theirs.filtered_train, 2: theirs.filtered_valid, 1: theirs.filtered_test}
    clips = task({"name": "gtzan", "split": "filtered"}).clips(genres)
    assert {clip.source: clip.fold for clip in clips} == {name: fold for fold, names in parts.items() for name in names}


@pytest.mark.real
@pytest.mark.parametrize("split", ["filtered", "stratified"])
def test_gtzan_lists_are_those_of_kereliuk(metadata: Path, split: str) -> None:
    parts = {0: "train", 2: "valid", 1: "test"}
    lists = {fold: (metadata / "gtzan" / f"{part}_{split}.txt").read_text().split() for fold, part in parts.items()}
    folds = {Path(name).stem: fold for fold, names in lists.items() for name in names}
    assert Gtzan(Gtzan.Config(split=split)).fold_of == folds


def test_gtzan_70_15_15_is_a_list_drawn_by_the_rule_for_seed_0() -> None:
    """The rule as it stood when there was no list: names in the order of their hashes, 15 test and 15 validate."""
    for seed in (0, 1):
        expected: dict[str, int] = {}
        for genre in Gtzan.classes:
            names = [f"{genre}.{number:05}" for number in range(100)]
            names.sort(key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
            expected |= {name: 1 if i < 15 else 2 if i < 30 else 0 for i, name in enumerate(names)}
        assert Gtzan(Gtzan.Config(split="70-15-15", seed=seed)).fold_of == expected
    listed = (Path(gtzan.__file__).parent / "gtzan_70-15-15.csv").read_text().splitlines()
    parts = ["train", "test", "valid"]
    folds = Gtzan(Gtzan.Config(split="70-15-15")).fold_of
    assert listed == ["track,split", *(f"{name},{parts[folds[name]]}" for name in sorted(folds))]


@pytest.mark.parametrize("split", ["10-fold", "filtered", "70-15-15"])
def test_gtzan_keeps_the_canonical_form_that_keys_are_made_of(split: str) -> None:
    assert TASKS.choose({"name": "gtzan", "split": split}).config == {
        "name": "gtzan",
        "version": 1,
        "split": split,
        "seed": 0,
    }


def test_gtzan_folds_follow_the_seed_alone(genres: Path) -> None:
    """Figures of two machines are comparable only if this never changes."""

    def digest(reference: dict[str, object]) -> str:
        folds = sorted((clip.source, clip.fold) for clip in task({"name": "gtzan", **reference}).clips(genres))
        return hashlib.sha256(repr(folds).encode()).hexdigest()[:12]

    assert digest({}) == "2259f532a84c"
    assert digest({"split": "70-15-15"}) == "39ce6e9080bb"
    assert digest({"seed": 1}) != digest({})
    assert digest({"split": "70-15-15", "seed": 1}) != digest({"split": "70-15-15"})
    for split in ("filtered", "stratified"):
        assert digest({"split": split, "seed": 1}) == digest({"split": split})


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
        assert [(c.id, music.labels(c)[0], c.fold, c.source) for c in clips] == expected[:count]
        assert (len(music.classes), music.folds) == (classes, (1,))
        assert music.source_of(clips[0].id) is None  # an artist, whom no name tells
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
