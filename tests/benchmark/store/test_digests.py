"""Digests of recordings: what changed is read and told, and what did not is not read."""

import hashlib
import json
import ntpath
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from benchmark.store import digests
from benchmark.store.digests import Digests
from registry.tasks import Clip

OLD_NS = 10**18  # long before any test


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that were read, where every file counts as settled."""
    read: list[str] = []
    plain = digests._digest

    def noted(path: Path) -> digests.Known:
        read.append(path.name)
        return plain(path)

    monkeypatch.setattr(digests, "_digest", noted)
    monkeypatch.setattr(digests, "_SETTLED_NS", -OLD_NS)
    return read


def clips(folder: Path, count: int = 3) -> list[Clip]:
    for i in range(count):
        (folder / str(i % 2)).mkdir(parents=True, exist_ok=True)
        (folder / str(i % 2) / f"{i}.wav").write_bytes(bytes([i]) * 100)
    return [Clip(f"{i}.wav", 0, 1, "", folder / str(i % 2) / f"{i}.wav", 100) for i in range(count)]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs the program sha256sum")
def test_they_are_sha256_of_the_bytes(tmp_path: Path) -> None:
    recordings = clips(tmp_path)
    digest_of = Digests().of("x", recordings)
    asked = ["sha256sum", *map(str, digest_of)]
    sums = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in sums] == list(digest_of.values())
    assert Digests().of("x", [Clip("made", 0, 1, "", None, 0)]) == {}


def test_what_did_not_change_is_read_once(tmp_path: Path, reads: list[str]) -> None:
    recordings, told = clips(tmp_path / "data"), list[str]()
    first = Digests(tmp_path / "digests", told.append).of("x", recordings)
    assert sorted(reads) == ["0.wav", "1.wav", "2.wav"]
    assert Digests(tmp_path / "digests", told.append).of("x", recordings) == first
    assert len(reads) == 3
    more = clips(tmp_path / "data", 4)[3:]
    Digests(tmp_path / "digests", told.append).of("x", [*recordings, *more])
    assert reads[3:].count("3.wav") == 1
    assert not told


@pytest.mark.parametrize("how", ["the size", "the time of modification", "the time of change alone"])
def test_what_changed_is_read_again_and_told(tmp_path: Path, reads: list[str], how: str) -> None:
    recordings, told = clips(tmp_path / "data"), list[str]()
    known = Digests(tmp_path / "digests", told.append)
    before = known.of("x", recordings)
    reads.clear()
    path = recordings[1].path
    assert path
    times = path.stat()
    time.sleep(0.02)
    path.write_bytes(b"z" * (101 if how == "the size" else 100))
    if how == "the time of change alone":  # as rsync and archives leave it
        if os.name == "nt":
            pytest.skip("Windows tells no such time")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = known.of("x", recordings)
    assert reads == ["1.wav"]
    assert after == {**before, path: hashlib.sha256(path.read_bytes()).hexdigest()}
    assert told == ["1 recording of x changed since it was last read: 1.wav"]
    path.touch()
    assert known.of("x", recordings) == after
    assert (len(reads), len(told)) == (2, 1)


def test_many_changes_are_told_in_one_line(tmp_path: Path) -> None:
    told = list[str]()
    known = Digests(tmp_path / "digests", told.append)
    recordings = clips(tmp_path / "data", 8)
    known.of("x", recordings)
    for clip in recordings:
        assert clip.path
        clip.path.write_bytes(b"other")
    known.of("x", recordings)
    assert told == [
        "8 recordings of x changed since they were last read: 0.wav, 1.wav, 2.wav, 3.wav, 4.wav, ...",
    ]


def test_a_file_that_was_just_written_is_read_once_more(tmp_path: Path) -> None:
    """Two changes within one tick of the clock leave the same times."""
    recordings, told = clips(tmp_path / "data"), list[str]()
    known = Digests(tmp_path / "digests", told.append)
    before = known.of("x", recordings)
    path = recordings[0].path
    assert path
    times = path.stat()
    path.write_bytes(b"z" * 100)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert known.of("x", recordings)[path] != before[path]
    assert len(told) == 1


@pytest.mark.parametrize("damage", ["", "null", "[1]", '{"0/0.wav": 3}', '{"0/0.wav": [1, 2', "\x00"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: str, reads: list[str]) -> None:
    recordings = clips(tmp_path / "data")
    first = Digests(tmp_path / "digests").of("x", recordings)
    (cache,) = (tmp_path / "digests").iterdir()
    whole = json.loads(cache.read_text())
    cache.write_text(damage)
    assert Digests(tmp_path / "digests").of("x", recordings) == first
    assert len(reads) == 6
    assert json.loads(cache.read_text()) == whole


def test_two_folders_of_one_name_have_a_cache_each(tmp_path: Path) -> None:
    known = Digests(tmp_path / "digests")
    for place in ("a", "b"):
        known.of("x", clips(tmp_path / place / "audio"))
    assert len(list((tmp_path / "digests").iterdir())) == 2


def test_recordings_on_several_drives_are_known_but_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    """Windows has no folder that holds them all."""
    recordings = [*clips(tmp_path / "c" / "data", 1), *clips(tmp_path / "d" / "data", 1)]
    (tmp_path / "d" / "data" / "0" / "0.wav").write_bytes(b"other")
    digest_of = Digests(tmp_path / "digests").of("x", recordings)
    monkeypatch.setattr(os.path, "commonpath", lambda folders: ntpath.commonpath(["C:\\data", "D:\\data"]))
    assert Digests(tmp_path / "digests").of("x", recordings) == digest_of
    assert len(set(digest_of.values())) == 2
    assert len(reads) == 4


def test_a_file_that_cannot_be_read_has_a_mark_until_it_can(tmp_path: Path) -> None:
    recordings = clips(tmp_path / "data")
    path = recordings[2].path
    assert path
    path.unlink()
    path.symlink_to(path)
    known = Digests(tmp_path / "digests")
    assert known.of("x", recordings)[path] == digests.UNREADABLE
    path.unlink()
    path.write_bytes(b"mended")
    assert known.of("x", recordings)[path] == hashlib.sha256(b"mended").hexdigest()
