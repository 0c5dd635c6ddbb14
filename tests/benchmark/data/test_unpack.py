"""Unpacking what is whole, damaged, hostile, split, or more than the disk has room for."""

import io
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.data.pieces import joined
from benchmark.data.unpack import unpack
from benchmark.progress import Progress
from registry.errors import Mistake
from tests.benchmark.conftest import Make, Server, esc50_files, get, noises, part, split, tarred, zipped


@pytest.mark.parametrize("mode", ["w:gz", "w", "w:bz2"])
def test_a_tar_is_unpacked(offer: Make, tmp_path: Path, mode: str) -> None:
    assert "10 clips" in get(offer(tarred(esc50_files(), mode=mode), "esc.tar.gz").task, tmp_path)


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.95])
def test_a_truncated_archive_without_a_checksum(
    server: Server, offer: Make, tmp_path: Path, pack: Callable[..., bytes], kept: float
) -> None:
    name = "master.zip" if pack is zipped else "esc50.tar.gz"
    content = pack(esc50_files())
    with pytest.raises(Mistake, match=f"{name} is truncated or damaged"):
        get(offer(content[: int(kept * len(content))], name, checksum="").task, tmp_path)
    assert not (tmp_path / "ESC-50").exists()
    assert "10 clips" in get(offer(content, name, checksum="").task, tmp_path)  # the damaged one was not kept
    assert len(server.asked) == 2


def test_a_bit_that_flipped_is_found_without_a_checksum(offer: Make, tmp_path: Path) -> None:
    for name, content in (("a.zip", zipped(esc50_files())), ("a.tar.gz", tarred(esc50_files()))):
        damaged = bytearray(content)
        damaged[len(content) // 2] ^= 0x10
        with pytest.raises(Mistake, match="is truncated or damaged"):
            get(offer(bytes(damaged), name, checksum="").task, tmp_path)


EVIL = ["../evil", "ESC-50-master/../../evil", "/evil", "//evil", "..\\evil", "C:\\evil", "\\evil"]


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_that_would_write_elsewhere_is_refused(
    offer: Make, tmp_path: Path, pack: Callable[..., bytes], name: str
) -> None:
    data = tmp_path / "deep" / "data"
    content = pack({**esc50_files(), name: b"evil"})
    with pytest.raises(Mistake, match="would write outside its folder") as caught:
        get(offer(content, "a.zip" if pack is zipped else "a.tar").task, data)
    assert "do not trust this archive" in caught.value.fix
    assert not list(tmp_path.rglob("*evil*"))
    assert not (data / "ESC-50").exists()


@pytest.mark.parametrize("target", ["/etc", "../../..", "meta"])
def test_links_are_refused(offer: Make, tmp_path: Path, target: str) -> None:
    content = tarred(esc50_files(), ("ESC-50-master/audio", target))
    with pytest.raises(Mistake, match="holds a link or a device: 'ESC-50-master/audio'"):
        get(offer(content, "a.tar.gz").task, tmp_path)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        link = zipfile.ZipInfo("ESC-50-master/audio")
        link.external_attr = 0o120777 << 16
        file.writestr(link, target)
    with pytest.raises(Mistake, match="holds a link or a device"):
        get(offer(archive.getvalue(), "a.zip").task, tmp_path)
    assert not (tmp_path / "ESC-50").exists()


def test_a_disk_without_room_is_told_before_anything_is_written(
    offer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, content = offer()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12 - 1000, 1000))
    with pytest.raises(Mistake, match=f"needs {len(content):,} bytes, and 1,000 are free"):
        get(task, tmp_path)
    assert not part(tmp_path).exists()


def test_a_disk_without_room_to_unpack_keeps_the_archive(
    server: Server, offer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = esc50_files() | {"ESC-50-master/zeros": bytes(10**6)}
    task, content = offer(zipped(files))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, len(content) + 1))
        needed = sum(map(len, files.values()))
        with pytest.raises(Mistake, match=f"unpacking master.zip needs {needed:,} bytes, and {len(content) + 1:,} are"):
            get(task, tmp_path)
    assert not (tmp_path / "ESC-50").exists()
    assert "10 clips" in get(task, tmp_path)
    assert server.asked == ["/master.zip"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_while_writing(offer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = offer().task
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).symlink_to("/dev/full")
    with pytest.raises(
        Mistake, match=r"the disk is full: fetching master\.zip needs [\d,]+ bytes, and [\d,]+ are free"
    ):
        get(task, tmp_path)
    part(tmp_path).unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(Mistake, match=r"the disk is full: unpacking master\.zip needs"):
            get(task, tmp_path)
    assert not (tmp_path / ".downloads" / "aside").exists()
    assert "10 clips" in get(task, tmp_path)


# Split zips.


@pytest.mark.parametrize(("count", "size"), [(9, 30_000), (3, 200_000)])  # entries within two pieces, and in more
def test_a_split_zip_gives_what_was_zipped(tmp_path: Path, count: int, size: int) -> None:
    files = noises(count, size)
    pieces = split(tmp_path, files)
    assert len(pieces) > 4
    (tmp_path / "out").mkdir()
    unpack(pieces, tmp_path / "out", Progress())
    unpacked = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*.wav")}
    assert unpacked == files
    with pytest.raises(Mistake, match=f"it was split into {len(pieces)} pieces, and {len(pieces) - 1} are here"):
        unpack(pieces[1:], tmp_path / "out", Progress())
    (tmp_path / "again").mkdir()
    with pytest.raises(Mistake, match="truncated or damaged"):
        unpack([*pieces[:2], pieces[3], pieces[2], *pieces[4:]], tmp_path / "again", Progress())


def test_pieces_of_more_than_4_gib_and_64_bit_records(tmp_path: Path) -> None:
    """Made by hand after the format's description: an entry far into the third of three pieces, the first two huge."""
    body, name = b"far away", b"far.txt"
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, 33, zlib.crc32(body), len(body), len(body), len(name), 0)
    before = 5 * 2**30
    extra = struct.pack("<2HQ", 1, 8, before)  # its place, too far for 32 bits
    other = struct.pack("<2H2s", 0x7075, 2, b"xx")
    entry = struct.pack(
        *("<4s6H3L5H2L", b"PK\1\2", 45, 45, 0, 0, 0, 33, zlib.crc32(body), len(body), len(body), len(name)),
        *(len(extra + other), 0, 2, 0, 0, 0xFFFFFFFF),
    )
    directory = entry + name + other + extra
    start = before + len(local + name + body)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 2, 2, 1, 1, len(directory), start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 2, start + len(directory), 3)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 2, 2, 1, 1, len(directory), 0xFFFFFFFF, 0)
    for part_name in ("a.z01", "a.z02", "a.zip"):
        with (tmp_path / part_name).open("wb") as hole:
            hole.truncate(before)  # it takes no room
    with (tmp_path / "a.zip").open("r+b") as last:
        last.seek(before)
        last.write(local + name + body + directory + end64 + locator + end)
    files = [(tmp_path / part_name).open("rb") for part_name in ("a.z01", "a.z02", "a.zip")]
    with zipfile.ZipFile(joined(files)) as archive:
        assert archive.namelist() == ["far.txt"]
        assert archive.infolist()[0].header_offset == 3 * before
        assert archive.read("far.txt") == body
    for file in files:
        file.close()
