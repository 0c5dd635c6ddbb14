"""Tables as spreadsheets and other systems write them, in every task: read as they are, or refused by file and line."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.errors import Mistake
from registry.tasks import MissingFiles, listing_hash
from registry.tasks._tables import read_table
from tests.registry._recordings import sound
from tests.registry.test_tasks import task

ESC = "filename,fold,target,category,esc10,src_file,take\n1-1-A-0.wav,1,0,dog,True,1,A\n"
ESC += "2-2-A-1.wav,2,1,rooster,False,2,A\n"
US8K = "slice_file_name,fsID,fold,classID\n7-3-0-0.wav,7,1,3\n8-1-0-0.wav,8,2,1\n"
DEV = 'fname,labels,mids,split\n1,"Dog,Bark",/m/1,train\n2,Rain,/m/2,val\n'
SEGMENTS = 'YTID,start,end,labels\n-0RWZT-miFs,420,430,"/m/1,/m/2"\n--4gqARaEJE,0.000,10.000,/m/1\n'
KINDS = "index,mid,display_name\n0,/m/1,Speech\n1,/m/2,Dog\n"
TRACKS = (
    ",set,set,track,artist\n,split,subset,genre_top,id\ntrack_id,,,,\n2,training,small,Rock,1\n3,test,small,Folk,2\n"
)
FOLDS = "filename,fold\nyes/0_nohash_1.wav,1\nno/1_nohash_1.wav,2\n"
OWN = "path,label,fold\na/0.wav,Vögel,1\nb/0.wav,b,1\na/1.wav,Vögel,2\nb/1.wav,b,2\n"
US8K_TASK: dict[str, object] = {"name": "us8k", "folds": [1, 2]}

# Of every task with a table: the file, what stands in it, and files that it needs beside.
TABLES: dict[str, tuple[str | dict[str, object], str, str, list[str]]] = {
    "esc50": ("esc50", "ESC-50/meta/esc50.csv", ESC, []),
    "esc10": ("esc10", "ESC-50/meta/esc50.csv", ESC, []),
    "us8k": (
        US8K_TASK,
        "UrbanSound8K/metadata/UrbanSound8K.csv",
        US8K,
        [f"UrbanSound8K/audio/fold{n}/x" for n in (1, 2)],
    ),
    "fsd50k": ({"name": "fsd50k", "part": "dev"}, "FSD50K/FSD50K.ground_truth/dev.csv", DEV, []),
    "fma": ("fma", "FMA/fma_metadata/tracks.csv", TRACKS, ["FMA/fma_small/checksums"]),
    "audioset": ("audioset", "AudioSet/balanced_train_segments.csv", SEGMENTS, []),
    "audioset classes": ("audioset", "AudioSet/class_labels_indices.csv", KINDS, []),
    "speech-commands-test": (
        "speech-commands-test",
        "speech_commands_test_set_v0.02/folds.csv",
        FOLDS,
        [
            f"speech_commands_test_set_v0.02/{word}/x.wav"
            for word in ("_silence_ _unknown_ down go left no off on right stop up yes").split()
        ],
    ),
    "folder": ({"name": "folder", "path": "own", "table": "t.csv", "folds": 2}, "own/t.csv", OWN, []),
}


def listed(name: str, data: Path, content: bytes) -> str:
    """What is said of a task whose table holds this: a hash where it is read, whatever files are missing."""
    asked, table, _, beside = TABLES[name]
    for path, own in [(f"AudioSet/{part}_segments.csv", SEGMENTS) for part in ("balanced_train", "eval")] + [
        ("AudioSet/class_labels_indices.csv", KINDS)
    ]:
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).write_text(own)
    for video in ("-0RWZT-miFs", "--4gqARaEJE"):
        (data / "AudioSet" / f"{video}.wav").touch()
    for path in beside:
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).touch()
    (data / table).parent.mkdir(parents=True, exist_ok=True)
    (data / table).write_bytes(content)
    made = task(asked)
    try:
        clips = made.clips(data)
    except MissingFiles as lack:
        clips = lack.clips
    return listing_hash(clips) + " ".join(name for clip in clips for name in made.labels(clip))


@pytest.mark.parametrize("name", TABLES)
def test_other_encodings_separators_and_line_ends_change_nothing(name: str, tmp_path: Path) -> None:
    text = TABLES[name][2]
    plain = listed(name, tmp_path, text.encode())
    for content in (
        text.encode("utf-8-sig"),
        text.encode("utf-16"),
        b"\xfe\xff" + text.encode("utf-16-be"),
        text.replace("\n", "\r\n").encode(),
        ("\n" + text + "\n\n").encode(),
        text.replace("\n", "\n" + "," * text.split("\n")[0].count(",") + "\n").encode(),
        text.replace(",", " , ").encode() if '"' not in text else text.encode(),
        text.replace(",", ";").replace("/m/1;/m/2", "/m/1,/m/2").replace("Dog;B", "Dog,B").encode(),
        text.replace(",", "\t").replace("/m/1\t/m/2", "/m/1,/m/2").replace("Dog\tB", "Dog,B").encode(),
    ):
        assert listed(name, tmp_path, content) == plain, content


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text.replace("dog", "dög").replace("Rock", "Röck").encode("utf-16")[2:], "no|not|zero|needs"),
        (lambda text: text.encode() + b"caf\xe9\n", "is not UTF-8"),
        (lambda text: text.encode().rstrip(b"\n") + b",surplus\n", "cells, and the head has|is not a video"),
        (lambda text: text.encode()[: text.rindex(",")], "cells, and the head has|is not a video"),
        (lambda text: text.encode() + b'"open quote,1\n', "cannot be read"),
        (lambda text: text.encode() + text.encode().splitlines(True)[-1], "twice"),
        (
            lambda text: "".join(text.splitlines(True)[: 3 if "track_id" in text else 1]).encode(),
            "no rows|no recordings",
        ),
        (lambda text: b"", "empty"),
        (lambda text: b"PK\x03\x04\0\0\xff" + bytes(99), "is not UTF-8|zero bytes"),
    ],
)
@pytest.mark.parametrize("name", TABLES)
def test_what_cannot_be_read_is_refused_with_file_and_line(
    name: str, damage: Callable[[str], bytes], says: str, tmp_path: Path
) -> None:
    _, table, text, _ = TABLES[name]
    with pytest.raises(Mistake, match=says) as caught:
        listed(name, tmp_path, damage(text))
    assert Path(table).name in caught.value.where or "no recordings" in caught.value.what
    assert caught.value.fix or ":" in caught.value.where


@pytest.mark.parametrize(
    ("name", "good", "bad", "says"),
    [
        ("esc50", ",1,0,dog", ",1.0,0,dog", "the fold '1.0' is no whole number"),
        ("esc50", ",1,0,dog", ",6,0,dog", "the fold 6 is none of 1 to 5"),
        ("esc50", ",1,0,dog", ",1,99,dog", "the target 99 is none of 0 to 49"),
        ("esc10", ",1,0,dog", ",1,2,dog", "the target 2 is none of"),
        ("esc50", "1-1-A-0.wav", "", "the filename is empty"),
        ("us8k", ",1,3", ",11,3", "the fold 11 is none of 1 to 10"),
        ("us8k", ",1,3", ",1,10", "the classID 10 is none of 0 to 9"),
        ("us8k", ",1,3", ",1,-1", "the classID '-1' is no whole number"),
        ("us8k", ",1,3", ",1," + 5000 * "9", "is no whole number"),
        ("fsd50k", "/m/1,train", "/m/1,dev", "the split 'dev' is none of train, val"),
        ("fsd50k", ",Rain,", ",,", "the labels is empty"),
        ("fma", "Rock", "Rok", "the genre 'Rok' is none of Electronic"),
        ("fma", "training", "train", "the split 'train' is none of training"),
        ("audioset", ",/m/1\n", ",/m/3\n", "the label '/m/3' is none of class_labels_indices.csv"),
        ("audioset", "0.000,10", "start,10", "is not a video, two times"),
        ("audioset", "0.000,10", "nan,10", "is not a video, two times"),
        ("audioset classes", "1,/m/2", "7,/m/2", "the index 7 is none of 0 to 1"),
        ("audioset classes", "1,/m/2", "0,/m/2", "twice"),
        ("speech-commands-test", "no/1", "ja/1", "ja/1_nohash_1.wav is in none of the 12 classes' folders"),
        ("speech-commands-test", ".wav,2", ".wav,6", "the fold 6 is none of 1 to 5"),
        ("folder", "a/1.wav", "./a//0.wav", "./a//0.wav stands in the table twice, first in line 2"),
        ("folder", "label,fold", "label,label", "the column label twice"),
        ("folder", "b,1", "b,¹", "the fold '¹' is no whole number"),
    ],
)
def test_what_cannot_be_is_named(name: str, good: str, bad: str, says: str, tmp_path: Path) -> None:
    _, table, text, _ = TABLES[name]
    assert good in text
    with pytest.raises(Mistake, match=says) as caught:
        listed(name, tmp_path, text.replace(good, bad, 1).encode())
    assert Path(table).name in caught.value.where


def test_a_label_with_a_comma_is_not_cut_off(tmp_path: Path) -> None:
    lines = OWN.replace("Vögel", "Child speech, kid speaking")
    with pytest.raises(Mistake, match="the line has 4 cells, and the head has 3") as caught:
        listed("folder", tmp_path, lines.encode())
    assert caught.value.where.endswith("t.csv:2")
    assert '"Speech, child"' in caught.value.fix
    quoted = lines.replace("Child speech, kid speaking", '"Child speech, kid speaking"')
    assert "Child speech, kid speaking" in listed("folder", tmp_path, quoted.encode())


def test_all_spellings_of_a_name_in_unicode_are_one(tmp_path: Path) -> None:
    """macOS gives out ``ö`` as two characters, and most others write it as one."""
    apart = unicodedata.normalize("NFD", "Vögel")
    for i in range(2):
        sound(tmp_path / "own" / apart / f"{apart}{i}.wav")
        sound(tmp_path / "own" / "b" / f"{i}.wav")
    rows = [f"Vögel/Vögel{i}.wav,{(apart, 'Vögel')[i]},{i + 1}\nb/{i}.wav,b,{i + 1}\n" for i in range(2)]
    (tmp_path / "own" / "t.csv").write_text("path,label,fold\n" + "".join(rows))
    made = task({"name": "folder", "path": "own", "table": "t.csv", "folds": 2})
    clips = made.clips(tmp_path)
    assert made.classes == ("Vögel", "b") or made.classes == ("b", "Vögel")
    assert all(clip.path and clip.path.is_file() and clip.size > 0 for clip in clips)
    twice = f"Vögel/Vögel0.wav,b,1\n{apart}/{apart}0.wav,b,2\n"
    (tmp_path / "own" / "t.csv").write_text("path,label,fold\n" + twice)
    with pytest.raises(Mistake, match="stands in the table twice, first in line 2"):
        made.clips(tmp_path)


def test_a_hidden_recording_that_a_table_names_is_read(tmp_path: Path) -> None:
    for name in ("a/.0.wav", "a/1.wav", "b/0.wav", "b/1.wav"):
        sound(tmp_path / "own" / name)
    (tmp_path / "own" / "t.csv").write_text("path,label\na/.0.wav,a\na/1.wav,a\nb/0.wav,b\nb/1.wav,b\n")
    assert len(task({"name": "folder", "path": "own", "table": "t.csv", "folds": 2}).clips(tmp_path)) == 4


def test_the_line_of_a_wrong_byte_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"path,label\n" + b"a.wav,x\n" * 5000 + "b.wav,Vögel\n".encode("cp1252"))
    with pytest.raises(Mistake, match="line 5002 of the table is not UTF-8") as caught:
        read_table(path, ("path", "label"), "the table is")
    assert caught.value.where.endswith("t.csv:5002")


def test_folds_numbered_from_zero_are_explained(tmp_path: Path) -> None:
    zero = OWN.replace(",1\n", ",0\n").replace(",2\n", ",1\n")
    with pytest.raises(Mistake, match="the table has 1, and 0, which only ever trains") as caught:
        listed("folder", tmp_path, zero.encode())
    assert caught.value.fix == "number them from 1 on, or folds: 1, if fold 0 is not to be tested"


STRANGE: dict[str, tuple[Callable[[str], bytes], str]] = {
    "latin-1": (lambda text: text.encode() + b"caf\xe9\n", "is not UTF-8"),
    "Shift JIS": (lambda text: text.encode() + "日本\n".encode("shift-jis"), "is not UTF-8"),
    "UTF-16 without a mark": (lambda text: text.replace("ö", "o").encode("utf-16-le"), "UTF-16 without a byte-order"),
    "a mark in the middle": (lambda text: text.replace("\n", "\n\ufeff", 1).encode(), "byte-order mark, which belongs"),
    "a zero byte": (lambda text: text.encode().replace(b"\n", b"\0\n"), "holds zero bytes"),
    "a cell without end": (lambda text: text.encode() + b"x" * 10_000_001, "is longer than 10,000,000 characters"),
    "a quote without end": (
        lambda text: text.encode() + b'"' + (b"x" * 99 + b"\n") * 101_000,
        "cannot be read: field larger",
    ),
    "a head without end": (lambda text: b"x" * 10_000_001 + text.encode(), "is longer than 10,000,000"),
    "a million columns": (lambda text: b"a," * 1_000_000 + text.encode(), "columns|lacks|is not a video"),
    "separators alone": (lambda text: b",,,\n,,,\n", "empty"),
    "too long a number": (
        lambda text: text.encode().replace(b"1", b"1" * 5000),
        "no whole number|is none|twice|missing",
    ),
}


@pytest.mark.parametrize("what", STRANGE)
@pytest.mark.parametrize("name", ["esc50", "folder", "audioset classes"])
def test_what_strangers_call_a_table_is_refused_with_file_and_line(name: str, what: str, tmp_path: Path) -> None:
    _, table, text, _ = TABLES[name]
    make, says = STRANGE[what]
    with pytest.raises(Mistake, match=says) as caught:
        listed(name, tmp_path, make(text))
    assert Path(table).name in caught.value.where
    if what == "a quote without end":
        assert caught.value.where.endswith(f":{text.count(chr(10)) + 1}")  # where it begins
    assert len(str(caught.value)) < 1000


OUT = ["../x.wav", "a/../../x.wav", "a/../b.wav", "/etc/passwd", "//x/y.wav", "/dev/zero", ".."]


@pytest.mark.parametrize("path", OUT)
@pytest.mark.parametrize("name", ["esc50", "us8k", "speech-commands-test", "folder"])
def test_a_table_names_files_below_its_folder_alone(name: str, path: str, tmp_path: Path) -> None:
    _, table, text, _ = TABLES[name]
    old = "7-3-0-0.wav" if name == "us8k" else text.splitlines()[1].split(",")[0]
    with pytest.raises(Mistake, match="leads out of the folder") as caught:
        listed(name, tmp_path, text.replace(old, path, 1).encode())
    assert caught.value.where.endswith(f"{Path(table).name}:2")
    assert "a link there may lead to files elsewhere" in caught.value.fix


def test_links_lead_to_recordings_elsewhere(tmp_path: Path) -> None:
    """On clusters, large data sets are linked: the folder itself, a folder in it, and single files."""
    for name in ("a/0.wav", "a/1.wav"):
        sound(tmp_path / "elsewhere" / name)
    sound(tmp_path / "b.wav")
    (tmp_path / "real" / "b").mkdir(parents=True)
    (tmp_path / "real" / "a").symlink_to(tmp_path / "elsewhere" / "a")
    for i in range(2):
        (tmp_path / "real" / "b" / f"{i}.wav").symlink_to(tmp_path / "b.wav")
    (tmp_path / "own").symlink_to("real")
    (tmp_path / "real" / "t.csv").write_text(OWN)
    for asked in ({"table": "t.csv"}, {}):
        clips = task({"name": "folder", "path": "own", "folds": 2, **asked}).clips(tmp_path)
        assert sorted(clip.id for clip in clips) == ["a/0.wav", "a/1.wav", "b/0.wav", "b/1.wav"]


def test_what_is_no_file_is_missing(tmp_path: Path) -> None:
    for name in ("a/0.wav", "b/0.wav", "b/1.wav"):
        sound(tmp_path / "own" / name)
    (tmp_path / "own" / "t.csv").write_text(OWN)
    place = tmp_path / "own" / "a" / "1.wav"
    made = task({"name": "folder", "path": "own", "table": "t.csv", "folds": 2})
    for make in (
        os.mkfifo,
        lambda path: path.symlink_to(path.name),
        os.mkdir,
        lambda path: path.symlink_to("/dev/zero"),
    ):
        make(place)
        with pytest.raises(MissingFiles, match=r"1 of 4 files named by the metadata are missing: a/1\.wav"):
            made.clips(tmp_path)
        place.rmdir() if place.is_dir() else place.unlink()
