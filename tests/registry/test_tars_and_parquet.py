"""The task folder on webdataset's tars and on Parquet files, against the libraries that define these forms."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from pyarrow import parquet

from benchmark.store.digests import UNREADABLE, Digests
from registry.errors import Mistake
from registry.tasks import Clip, Task, listing_hash, read_clip
from tests.conftest import Answer
from tests.registry.test_tasks import task

LABELS = ("dog", "rain", "crow")
FORMS = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3"}


def content(seed: int, form: str = "wav", seconds: float = 0.1) -> bytes:
    wave_T = np.random.default_rng(seed).uniform(-0.5, 0.5, int(16000 * seconds))
    soundfile.write(held := io.BytesIO(), wave_T, 16000, format=FORMS[form])
    return held.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, held in members.items():
            (header := tarfile.TarInfo(name)).size = len(held)
            tar.addfile(header, io.BytesIO(held))


def xares(folder: Path, folds: int = 2, clips: int = 6) -> Path:
    """Tars as X-ARES' users hold them: folds in the names, a label in JSON."""
    for fold in range(1, folds + 1):
        members = {}
        for i in range(clips):
            members[f"{fold}-{i}.wav"] = content(10 * fold + i)
            members[f"{fold}-{i}.json"] = json.dumps({"soundevent": LABELS[i % 3], "take": i}).encode()
        for shard in (0, 1):
            part = dict(list(members.items())[shard * clips : (shard + 1) * clips])
            write_tar(folder / f"wds-audio-fold-{fold}-{shard:06}.tar", part)
    return folder


def asked(**settings: Any) -> Task:
    return task({"name": "folder", "path": "own", **settings})


def names(made: Task, clips: list[Clip]) -> list[tuple[str, ...]]:
    return [made.labels(clip) for clip in clips]


def test_tars_give_the_samples_that_webdataset_gives(tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset")
    folder = xares(tmp_path / "own")
    made = asked(table="wds-audio-*.tar", label="soundevent", folds=2)
    clips = made.clips(tmp_path)
    files = sorted(map(str, folder.iterdir()))
    theirs = list(wds.WebDataset(files, shardshuffle=False, empty_check=False))
    assert len(clips) == len(theirs) == 12
    for clip, sample, label in zip(clips, theirs, names(made, clips), strict=True):
        assert clip.inside
        assert clip.inside.read() == sample["wav"]
        assert len(sample["wav"]) == clip.size
        assert label == (json.loads(sample["json"])["soundevent"],)
        assert clip.id == f"{Path(sample['__url__']).name}/{sample['__key__']}.wav"
        assert clip.fold == int(sample["__key__"][0])
        wave_T, rate = soundfile.read(io.BytesIO(sample["wav"]), dtype="float32")
        read = made.read(clip)
        assert (np.array_equal(read[0], wave_T), read[1]) == (True, rate)


def test_labels_may_be_text_classes_or_lists_and_names_tell_the_split(tmp_path: Path) -> None:
    for split, i in (("train", 0), ("valid", 1), ("test", 2)):
        several = json.dumps({"label": LABELS[: i + 1]})
        for suffix, held in (("cls", str(i)), ("txt", LABELS[i]), ("json", several)):
            sample = {"a.b/c.flac": content(i, "flac"), f"a.b/c.{suffix}": held.encode()}
            write_tar(tmp_path / "own" / f"{suffix}_{split}_0000000.tar", sample)
    for suffix, meant in (("cls", [("2",), ("0",), ("1",)]), ("txt", [("crow",), ("dog",), ("rain",)])):
        made = asked(table=f"{suffix}_*.tar", folds=1)
        clips = made.clips(tmp_path)
        assert [clip.fold for clip in clips] == [1, 0, 2]  # test, train, valid
        assert names(made, clips) == meant
    made = asked(table="json_*.tar", folds=1)
    assert names(made, made.clips(tmp_path)) == [("crow", "dog", "rain"), ("dog",), ("dog", "rain")]
    assert made.target == "several-labels"


def _held(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_fields_tell_more_than_names_and_one_name_tells_nothing(tmp_path: Path) -> None:
    def write(fields: Callable[[int], dict[str, Any]]) -> None:
        members = dict[str, bytes]()
        for i in range(6):
            members |= {f"{i}.wav": content(i), f"{i}.json": json.dumps({"label": LABELS[i % 2], **fields(i)}).encode()}
        write_tar(tmp_path / "own" / "train-0.tar", members)

    write(lambda i: {"fold": i % 3 + 1, "source": f"s{i}"})
    clips = asked(table="*.tar", folds=3).clips(tmp_path)
    assert [(clip.fold, clip.source) for clip in clips] == [(i % 3 + 1, f"s{i}") for i in range(6)]
    write(lambda i: {"split": ("train", "test")[i % 2]})
    assert [clip.fold for clip in asked(table="*.tar", folds=1).clips(tmp_path)] == [0, 1] * 3
    write(lambda i: {})
    assert sorted({clip.fold for clip in asked(table="*.tar", folds=3).clips(tmp_path)}) == [1, 2, 3]
    write(lambda i: {"value": i / 2})  # a label counts more
    assert asked(table="*.tar", folds=3).clips(tmp_path)[1].label == 1
    made = asked(table="*.tar", folds=3, label="value")
    assert [clip.label for clip in made.clips(tmp_path)] == [i / 2 for i in range(6)]
    assert made.target == "number"


def test_keys_follow_the_contents_of_clips(tmp_path: Path) -> None:
    """A clip's digest is that of the file that it was."""
    xares(tmp_path / "own")
    made = asked(table="*.tar", label="soundevent", folds=2)
    known, told = Digests(tmp_path / "digests", (told := list[str]()).append), told
    clips = made.clips(tmp_path)
    digests = known.of("own", clips)
    assert [digests[clip.sound] for clip in clips if clip.sound] == [
        hashlib.sha256(content(10 * fold + i)).hexdigest() for fold in (1, 2) for i in range(6)
    ]
    before = known.listing("own", clips)
    assert known.listing_again(clips) == before == Digests().listing("own", clips) != listing_hash(clips)
    path = tmp_path / "own" / "wds-audio-fold-1-000000.tar"
    held = _held(path)
    held["1-1.wav"] = content(99)
    write_tar(path, held)
    assert known.listing_again(clips) is None
    clips = made.clips(tmp_path)
    assert known.listing("own", clips) != before
    assert told == ["1 recording of own changed since it was last read: wds-audio-fold-1-000000.tar/1-1.wav"]
    path.write_bytes(path.read_bytes()[:2000])
    assert known.of("own", clips)[clips[0].sound] == UNREADABLE  # type: ignore[index]


@pytest.mark.parametrize("form", FORMS)
def test_sounds_in_memory_are_those_of_files(tmp_path: Path, form: str) -> None:
    """And are refused for the same reasons."""
    held = content(1, form, seconds=1.3)
    label = json.dumps({"label": "a"}).encode()
    faulty = {"whole": held, "cut": held[: len(held) // 2], "empty": b"", "noise": b"no sound at all" * 9}
    write_tar(
        tmp_path / "own" / "a.tar",
        {f"{name}.{end}": one for name, sound in faulty.items() for end, one in ((form, sound), ("json", label))},
    )
    made = asked(table="a.tar", folds=2)
    for clip, (name, sound) in zip(made.clips(tmp_path), faulty.items(), strict=True):
        path = tmp_path / f"{name}.{form}"
        path.write_bytes(sound)
        ours, theirs = read_clip(made, clip), read_clip(made, Clip(name, 0, 1, name, path, 1))
        if isinstance(theirs, str):
            assert isinstance(ours, str)  # the words of libraries differ
        else:
            assert np.array_equal(ours[0], theirs[0])
            assert ours[1] == theirs[1]


def test_members_that_are_no_plain_files_are_not_read(tmp_path: Path) -> None:
    own, outside = tmp_path / "own", tmp_path / "secret.wav"
    outside.write_bytes(content(1))
    xares(own)
    with tarfile.open(own / "wds-audio-fold-1-000009.tar", "w") as tar:
        kinds = {"sym": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "dev": tarfile.CHRTYPE, "pipe": tarfile.FIFOTYPE}
        for name, kind in kinds.items():
            (header := tarfile.TarInfo(f"{name}.wav")).type = kind
            header.linkname = str(outside)
            tar.addfile(header)
        (header := tarfile.TarInfo("../../up.wav")).size = 4
        tar.addfile(header, io.BytesIO(b"RIFF"))
        tar.addfile(tarfile.TarInfo("__meta__"))
    made = asked(table="*.tar", label="soundevent", folds=2)
    assert len(made.clips(tmp_path)) == 12
    assert made.unused == {"wds-audio-fold-1-000009.tar/*.wav": 5}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "secret.wav"]


def damaged(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = xares(tmp_path / "own") / "wds-audio-fold-1-000000.tar"
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda held: held[:3000], "the tar cannot be read to its end"),
        (lambda held: held[:4096] + b"x" * 512 + held[4608:], "the tar cannot be read to its end"),
        (lambda held: b"\x1f\x8b" + held[2:], "the tar cannot be read to its end"),
        (lambda held: b"", "the tar cannot be read to its end"),
        (lambda held: held.replace(b'{"soundevent"', b'["soundevent"'), "the JSON of the sample cannot be read"),
        (lambda held: held.replace(b'"soundevent"', b'"sound event'), "the JSON of the sample cannot be read"),
        (lambda held: held.replace(b'"soundevent"', b'"SOUNDEVENT"'), "no field 'soundevent'"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, change: Callable[[bytes], bytes], says: str) -> None:
    damaged(tmp_path, change)
    with pytest.raises(Mistake, match=says) as caught:
        asked(table="*.tar", label="soundevent", folds=2).clips(tmp_path)
    assert "wds-audio-fold-1-000000.tar" in caught.value.where


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"a.wav": "", "a.flac": "", "a.cls": "1"}, "the sample a has several sounds, wav and flac"),
        ({"a.wav": "", "a.WAV": "", "a.cls": "1"}, "the sample a has wav twice"),
        ({"a.wav": ""}, "no field 'label'"),
        ({"a.wav": "", "a.txt": " "}, "the label is empty"),
        ({"a.wav": "", "a.txt": "x" * 10_000_001}, "has 10,000,001 bytes"),
        (
            {"a.wav": "", "a.json": '{"value": 1}', "b.wav": "", "b.cls": "1"},
            r"a\.wav has a number, and .*b\.wav has none",
        ),
        ({"a.wav": "", "a.cls": "1", "b.wav": "", "b.json": '{"label": 1, "fold": 1}'}, "has a fold or split, and"),
    ],
)
def test_samples_that_cannot_be_understood_are_named(tmp_path: Path, members: dict[str, str], says: str) -> None:
    write_tar(tmp_path / "own" / "a.tar", {name: held.encode() for name, held in members.items()})
    with pytest.raises(Mistake, match=says):
        asked(table="a.tar", folds=1).clips(tmp_path)


@pytest.mark.parametrize("table", ["../*.tar", "/etc/*.tar", "none-*.tar", "none.parquet"])
def test_patterns_that_name_nothing_below_the_folder_are_refused(tmp_path: Path, table: str) -> None:
    xares(tmp_path / "own")
    with pytest.raises(Mistake, match=r"leads out of the folder|no file has a name"):
        asked(table=table).clips(tmp_path)


def test_tars_without_a_table_that_names_them_are_offered(tmp_path: Path) -> None:
    """Tars beside folders of classes may be what these folders came in."""
    xares(tmp_path / "own")
    with pytest.raises(Mistake, match="no recordings are listed") as caught:
        asked().clips(tmp_path)
    assert caught.value.fix == "4 files are not used: 4 *.tar; to read them, table: '*.tar'"


# Parquet


def write_parquet(path: Path, first: int = 0, **columns: list[Any]) -> None:
    """As datasets writes it."""
    path.parent.mkdir(exist_ok=True, parents=True)
    sounds = [{"bytes": content(first + i), "path": f"{first + i}.wav"} for i in range(6)]
    features = {
        "audio": {"sampling_rate": 16000, "_type": "Audio"},
        "label": {"names": list(LABELS), "_type": "ClassLabel"},
    }
    table = pa.table({"audio": sounds, "label": [i % 3 for i in range(6)], **columns})
    held = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(table.replace_schema_metadata(held), path, row_group_size=4)


def test_parquet_gives_sounds_names_of_classes_and_splits(tmp_path: Path) -> None:
    for split, first in (("test", 0), ("train", 10), ("validation", 20)):
        write_parquet(tmp_path / "own" / "data" / f"{split}-00000-of-00001.parquet", first=first)
    made = asked(table="data/*.parquet", folds=1)
    clips = made.clips(tmp_path)
    assert [clip.fold for clip in clips] == [1] * 6 + [0] * 6 + [2] * 6
    assert names(made, clips) == [(LABELS[i % 3],) for i in range(6)] * 3
    assert clips[7].id == "data/train-00000-of-00001.parquet/1"
    digests = Digests().of("own", clips)
    meant = [hashlib.sha256(content(first + i)).hexdigest() for first in (0, 10, 20) for i in range(6)]
    assert [digests[clip.sound] for clip in clips if clip.sound] == meant
    theirs = soundfile.read(io.BytesIO(content(15)), dtype="float32")[0]
    assert np.array_equal(made.read(clips[11])[0], theirs)


def test_the_same_recordings_have_the_same_digests_in_any_form(tmp_path: Path) -> None:
    for i in range(6):
        (tmp_path / "own" / LABELS[i % 3]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / LABELS[i % 3] / f"{i}.wav").write_bytes(content(i))
    write_parquet(tmp_path / "own" / "x.parquet")
    rows = {
        f"{i}.{end}": held for i in range(6) for end, held in (("wav", content(i)), ("txt", LABELS[i % 3].encode()))
    }
    write_tar(tmp_path / "own" / "x.tar", rows)
    found = []
    for settings in ({}, {"table": "x.parquet"}, {"table": "x.tar"}):
        made = asked(folds=2, **settings)
        clips = made.clips(tmp_path)
        digests = Digests().of("own", clips)
        found.append({(digests[clip.sound], made.labels(clip)) for clip in clips if clip.sound})
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 6


@pytest.mark.parametrize(
    ("columns", "settings", "says"),
    [
        ({"audio": ["x.wav"] * 6}, {}, "no column holds sounds as bytes"),
        ({"label": [0, 1, 2, 3, 0, 1]}, {}, "the label 3 is none of 3 classes"),
        ({"label": [0, -1, 2, 1, 0, 1]}, {}, "the label is empty"),
        ({}, {"label": "genre"}, "there is no column 'genre'"),
        ({"fold": [1, 2, 1, 2, 1, None]}, {"folds": 2}, "the fold '' is no whole number"),
    ],
)
def test_mistakes_in_parquet_are_named(
    tmp_path: Path, columns: dict[str, list[Any]], settings: dict[str, Any], says: str
) -> None:
    write_parquet(tmp_path / "own" / "x.parquet", 0, **columns)
    with pytest.raises(Mistake, match=says) as caught:
        asked(**{"table": "x.parquet", "folds": 1, **settings}).clips(tmp_path)
    assert "x.parquet" in caught.value.where


def test_damaged_parquet_and_sounds_that_are_elsewhere_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own" / "x.parquet"
    write_parquet(path, audio=[{"bytes": None if i == 2 else content(i), "path": "x.wav"} for i in range(6)])
    made = asked(table="x.parquet", folds=2)
    read = [read_clip(made, clip) for clip in made.clips(tmp_path)]
    assert [isinstance(one, str) for one in read] == [i == 2 for i in range(6)]
    assert "the sound is in another file" in str(read[2])
    clips = made.clips(tmp_path)
    path.write_bytes(b"PAR1" + path.read_bytes()[4:9000][::-1] + path.read_bytes()[9000:])
    assert any(isinstance(read_clip(made, clip), str) for clip in clips)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Mistake, match="the Parquet file cannot be read"):
        made.clips(tmp_path)


@pytest.mark.slow
def test_parquet_gives_what_the_library_datasets_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    library = pytest.importorskip("datasets")
    rows = {
        "sound": [{"bytes": content(i), "path": None} for i in range(250)],
        "kinds": [list(range(i % 3 + 1)) for i in range(250)],
        "fold": [i % 5 + 1 for i in range(250)],
    }
    (tmp_path / "own").mkdir()
    file = tmp_path / "own" / "train-00000-of-00001.parquet"
    kinds = library.Sequence(library.ClassLabel(names=list(LABELS)))
    plain = library.Dataset.from_dict(rows).cast_column("kinds", kinds)
    plain.cast_column("sound", library.Audio(decode=False)).to_parquet(file, batch_size=100)
    assert parquet.ParquetFile(file).num_row_groups == 3
    again = library.load_dataset("parquet", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    again = again.cast_column("sound", library.Audio(decode=False))
    made = asked(table="train-*.parquet", label="kinds")
    clips = made.clips(tmp_path)
    digests = Digests().of("own", clips)
    assert len(again) == len(clips) == 250
    for clip, row, label in zip(clips, again, names(made, clips), strict=True):
        assert clip.sound
        assert digests[clip.sound] == hashlib.sha256(row["sound"]["bytes"]).hexdigest()
        assert set(label) == {again.features["kinds"].feature.names[i] for i in row["kinds"]}
        assert clip.fold == row["fold"]


SUITE = """
name: own
frontend: {{name: logmel, n_mels: 16}}
crop: 0.5
encoder: {{name: cnn10, width: 4}}
entries: {{random: {{weights: random}}}}
tasks: [{{name: folder, path: own, folds: 2, label: soundevent, table: {table}}}]
protocols: {{knn: {{k: [1]}}}}
"""


@pytest.mark.slow
def test_a_run_on_tars_has_the_figures_of_a_run_on_their_files(
    tmp_path: Path, audiobench: Callable[..., Answer]
) -> None:
    own = xares(tmp_path / "own")
    rows = ["path,soundevent,fold"]
    for tar in sorted(own.iterdir()):
        for name, held in _held(tar).items():
            if name.endswith(".wav"):
                (own / f"{tar.name}.d").mkdir(exist_ok=True)
                (own / f"{tar.name}.d" / name).write_bytes(held)
                rows.append(f"{tar.name}.d/{name},{LABELS[int(name[2]) % 3]},{name[0]}")
    (own / "all.csv").write_text("\n".join(rows))
    found = []
    for table in ("all.csv", "wds-*.tar"):
        (suite := tmp_path / "own.yaml").write_text(SUITE.format(table=table))
        answer = audiobench("run", suite, "--data", tmp_path, "--runs", tmp_path / table[:3], "--device", "cpu")
        assert answer.status == 0, answer.err
        (packed,) = (tmp_path / table[:3]).glob("pack/*/result.json")
        (evaluated,) = (tmp_path / table[:3]).glob("evaluate/*/result.json")
        found.append((json.loads(packed.read_text())["content_hash"], json.loads(evaluated.read_text())["folds"]))
    assert found[0] == found[1]
    verified = audiobench(
        "data", "verify", "{name: folder, path: own, table: wds-*.tar, label: soundevent, folds: 2}", "--data", tmp_path
    )
    assert (verified.status, "12" in verified.out) == (0, True), verified.err
