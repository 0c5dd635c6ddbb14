"""Fetching from a server on this machine: what breaks, what is wrong, what is hostile, and that nothing comes twice."""

import fcntl
import hashlib
import io
import shutil
import struct
import subprocess
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from benchmark.fetch import fetch
from benchmark.progress import Progress
from benchmark.unpack import joined, unpack
from registry.errors import Mistake
from registry.lookup import choose, find
from registry.tasks import Archive, Task
from registry.tasks.esc50 import Esc50
from registry.tasks.fsd50k import Fsd50k

CLIPS = 10


@dataclass
class Server:
    """What a server on this machine serves, how it fails, and what it was asked.

    ``cuts``: after how many bytes each answer breaks off; when they are used up, answers are whole.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    sized: bool = True
    cuts: list[int] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.asked.append(f"{self.path} {wanted}".strip())
            body = state.files.get(self.path)
            if body is None or state.refusals:
                self.send_error(state.refusals.pop(0) if state.refusals else 404)
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and state.ranges else 0
            if start and start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if state.sized:
                self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            rest = body[start:]
            self.wfile.write(rest[: state.cuts.pop(0)] if state.cuts else rest)

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")
    monkeypatch.setattr("benchmark.download.PAUSES_S", (0.01, 0.01))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        state.url = f"http://127.0.0.1:{web.server_port}"
        thread = threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield state
        web.shutdown()
        thread.join()


def esc50_files() -> dict[str, bytes]:
    """A miniature of ESC-50's archive: ten clips of noise, which no compression makes small."""
    rng = np.random.default_rng(0)
    rows, files = ["filename,fold,target,category,esc10,src_file,take"], {}
    for i in range(CLIPS):
        wave = io.BytesIO()
        soundfile.write(wave, rng.uniform(-0.5, 0.5, 4000), 16000, format="WAV")
        name = f"{i % 5 + 1}-{i}-A-{i % 2}.wav"
        files[f"ESC-50-master/audio/{name}"] = wave.getvalue()
        rows.append(f"{name},{i % 5 + 1},{i % 2},x,True,{i},A")
    return {"ESC-50-master/meta/esc50.csv": "\n".join(rows).encode(), **files}


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def tarred(files: dict[str, bytes], *links: tuple[str, str], mode: str = "w:gz") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:  # type: ignore[call-overload]
        for name, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return content.getvalue()


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


class Offer(NamedTuple):
    task: Task
    content: bytes


@pytest.fixture
def offer(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Offer]:
    """ESC-50 as an archive that the server has, by default with its right checksum."""

    def make(content: bytes | None = None, name: str = "master.zip", checksum: str | None = None) -> Offer:
        content = zipped(esc50_files()) if content is None else content
        server.files[f"/{name}"] = content
        archive = Archive(f"{server.url}/{name}", md5(content) if checksum is None else checksum, folder="ESC-50")
        monkeypatch.setattr(Esc50, "archives", (archive,))
        return Offer(made("esc50"), content)

    return make


def made(name: str) -> Task:
    choice = choose("tasks", name)
    task: Task = find("tasks", name)(choice.settings)
    return task


def get(task: Task, data: Path, given: Path | None = None) -> str:
    return fetch(task, "esc50", data, given, Progress())


def part(data: Path, name: str = "master.zip") -> Path:
    return data / ".downloads" / "ESC-50" / f"{name}.part"


Make = Callable[..., Offer]


def test_a_data_set_is_fetched_once(server: Server, offer: Make, tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    task = offer().task
    assert get(task, data) == f"esc50 is whole: 10 clips in {data / 'ESC-50'}"
    assert [path.name for path in data.iterdir()] == ["ESC-50"]
    for name, body in esc50_files().items():
        assert (data / name.replace("ESC-50-master", "ESC-50")).read_bytes() == body
    assert get(task, data) == f"esc50 is there already: 10 clips in {data / 'ESC-50'}"
    assert "there already" in get(task, data / "ESC-50")
    assert server.asked == ["/master.zip"]


@pytest.mark.parametrize("mode", ["w:gz", "w", "w:bz2"])
def test_a_tar_is_unpacked(offer: Make, tmp_path: Path, mode: str) -> None:
    assert "10 clips" in get(offer(tarred(esc50_files(), mode=mode), "esc.tar.gz").task, tmp_path)


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, offer: Make, tmp_path: Path) -> None:
    task, content = offer()
    half = len(content) // 2
    server.cuts = [half, 100]
    assert "10 clips" in get(task, tmp_path)
    assert server.asked == ["/master.zip", f"/master.zip bytes={half}-", f"/master.zip bytes={half + 100}-"]


def test_progress_counts_every_megabyte_once(server: Server, offer: Make, tmp_path: Path) -> None:
    class Told(Progress):
        def __init__(self) -> None:
            self.steps: list[tuple[int, int]] = []

        def expect(self, total: int, done: int = 0) -> None:
            self.steps.append((total, done))

        def advance(self, steps: int = 1, fact: str = "") -> None:
            total, done = self.steps[-1]
            self.steps[-1] = (total, done + steps)

    extra = np.random.default_rng(0).bytes(5_300_000)
    task, content = offer(zipped(esc50_files() | {"ESC-50-master/extra": extra}))
    server.cuts = [2_700_000]
    told = Told()
    fetch(task, "esc50", tmp_path, None, told)
    assert told.steps == [(len(content) // 10**6, 2), (5, 5), (5, 5)]  # broken off, taken up, unpacked


def test_a_fetch_that_was_given_up_goes_on_the_next_time(server: Server, offer: Make, tmp_path: Path) -> None:
    task, content = offer()
    half = len(content) // 2
    server.cuts = [half, 0, 0, 0]
    with pytest.raises(Mistake, match="the connection broke, and trying again did not help") as caught:
        get(task, tmp_path)
    assert f"goes on from byte {half:,}" in caught.value.fix
    assert part(tmp_path).read_bytes() == content[:half]
    server.asked.clear()
    assert "10 clips" in get(task, tmp_path)
    assert server.asked == [f"/master.zip bytes={half}-"]


def test_a_server_that_cannot_go_on_is_asked_for_all_of_it_again(server: Server, offer: Make, tmp_path: Path) -> None:
    task, content = offer()
    server.ranges = False
    server.cuts = [len(content) // 2]
    assert "10 clips" in get(task, tmp_path)
    assert len(server.asked) == 2
    shutil.rmtree(tmp_path / "ESC-50")
    server.cuts = [len(content) // 2] * 9
    with pytest.raises(Mistake, match="did not help"):  # it never gets further, and ends
        get(task, tmp_path)
    assert len(server.asked) == 2 + 4


def test_a_part_that_is_whole_is_only_checked(server: Server, offer: Make, tmp_path: Path) -> None:
    task, content = offer()
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).write_bytes(content)
    assert "10 clips" in get(task, tmp_path)
    assert server.asked == [f"/master.zip bytes={len(content)}-"]


def test_a_part_of_another_file_is_thrown_away(server: Server, offer: Make, tmp_path: Path) -> None:
    task, content = offer()
    part(tmp_path).parent.mkdir(parents=True)
    part(tmp_path).write_bytes(content + b"more")
    assert "10 clips" in get(task, tmp_path)
    assert server.asked[1:] == ["/master.zip"]


def test_an_answer_without_a_length_is_taken_until_it_ends(server: Server, offer: Make, tmp_path: Path) -> None:
    server.sized = False
    assert "10 clips" in get(offer().task, tmp_path)


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(server: Server, offer: Make, tmp_path: Path) -> None:
    task = offer().task
    server.refusals = [503, 429]
    assert "10 clips" in get(task, tmp_path)
    server.files.clear()
    server.asked.clear()
    shutil.rmtree(tmp_path / "ESC-50")
    with pytest.raises(Mistake, match="the server answers 404 Not Found") as caught:
        get(task, tmp_path)
    assert caught.value.where == f"{server.url}/master.zip"
    assert "--from PATH" in caught.value.fix
    assert len(server.asked) == 1


def test_a_server_that_is_not_there(offer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = offer().task
    monkeypatch.setattr(Esc50, "archives", (Archive("http://127.0.0.1:9/master.zip", folder="ESC-50"),))
    with pytest.raises(Mistake, match="the connection broke"):
        get(task, tmp_path)


def test_a_wrong_checksum_leaves_nothing(server: Server, offer: Make, tmp_path: Path) -> None:
    task = offer(checksum="md5:" + "0" * 32).task
    with pytest.raises(Mistake, match="does not have the checksum md5:000") as caught:
        get(task, tmp_path)
    assert caught.value.where == f"{server.url}/master.zip"
    assert not (tmp_path / "ESC-50").exists()
    assert not part(tmp_path).exists()
    assert "10 clips" in get(offer().task, tmp_path)
    assert server.asked == ["/master.zip", "/master.zip"]


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
def test_other_checksums_count_too(offer: Make, tmp_path: Path, kind: str) -> None:
    content = zipped(esc50_files())
    assert "10 clips" in get(offer(content, checksum=f"{kind}:{hashlib.new(kind, content).hexdigest()}").task, tmp_path)
    shutil.rmtree(tmp_path / "ESC-50")
    with pytest.raises(Mistake, match=f"does not have the checksum {kind}"):
        get(offer(content, checksum=f"{kind}:{hashlib.new(kind, b'other').hexdigest()}").task, tmp_path)


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


def test_a_folder_that_is_there_but_not_whole_is_left_alone(server: Server, offer: Make, tmp_path: Path) -> None:
    task = offer().task
    (tmp_path / "ESC-50").mkdir()
    with pytest.raises(Mistake, match="esc50 is there, but not whole: the metadata of ESC-50 is missing") as caught:
        get(task, tmp_path)
    assert f"move {tmp_path / 'ESC-50'} away" in caught.value.fix
    assert server.asked == []


def test_two_fetches_do_not_write_into_each_other(offer: Make, tmp_path: Path) -> None:
    task = offer().task
    (tmp_path / ".downloads").mkdir()
    with (tmp_path / ".downloads" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Mistake, match="another fetch is at work"):
            get(task, tmp_path)
    assert "10 clips" in get(task, tmp_path)


def test_a_killed_run_leaves_nothing_that_counts(offer: Make, tmp_path: Path) -> None:
    (tmp_path / ".downloads" / "aside" / "ESC-50-master").mkdir(parents=True)
    (tmp_path / ".downloads" / "aside" / "junk").touch()
    assert "10 clips" in get(offer().task, tmp_path)
    assert not (tmp_path / ".downloads").exists()


@pytest.mark.parametrize("name", ["master.zip", "ESC-50-master.zip"])
def test_an_archive_from_elsewhere(server: Server, offer: Make, tmp_path: Path, name: str) -> None:
    task, content = offer()
    given = tmp_path / "elsewhere" / name
    given.parent.mkdir()
    given.write_bytes(content)
    assert "10 clips" in get(task, tmp_path / "data", given)
    assert given.read_bytes() == content
    given.write_bytes(content + b"\0")
    with pytest.raises(Mistake, match="does not have the checksum"):
        get(task, tmp_path / "again", given)
    with pytest.raises(Mistake, match="does not exist"):
        get(task, tmp_path / "again", tmp_path / "nowhere")
    assert server.asked == []


def test_a_folder_from_elsewhere(server: Server, offer: Make, tmp_path: Path) -> None:
    task, content = offer()
    given = tmp_path / "elsewhere"
    given.mkdir()
    (given / "master.zip").write_bytes(content)
    assert "10 clips" in get(task, tmp_path / "of archives", given)
    zipfile.ZipFile(io.BytesIO(content)).extractall(given)
    for number, folder in enumerate((given / "ESC-50-master", given)):
        (given / "master.zip").unlink(missing_ok=True)
        assert "10 clips" in get(task, tmp_path / f"copy {number}", folder)
    (given / "ESC-50-master" / "audio" / "1-0-A-0.wav").unlink()
    with pytest.raises(Mistake, match="is not a whole esc50: 1 of 10 files"):
        get(task, tmp_path / "data", given)
    assert list((tmp_path / "data").rglob("ESC-50*")) == []
    assert server.asked == []


def test_what_no_archive_holds(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Esc50, "archives", ())
    with pytest.raises(Mistake, match="cannot be fetched by a command") as caught:
        get(made("esc50"), tmp_path)
    assert "--from PATH" in caught.value.fix
    (tmp_path / "any.tar.gz").write_bytes(tarred(esc50_files()))
    assert "10 clips" in get(made("esc50"), tmp_path, tmp_path / "any.tar.gz")
    assert fetch(made("sounds"), "sounds", tmp_path, None, Progress()) == "sounds: nothing to fetch"


# Split zips.


def split(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """Zips files in parts of 64 KiB with the program that FSD50K's parts were made for."""
    if shutil.which("zip") is None:
        pytest.skip("the program zip is not installed")
    for name, body in files.items():
        path = folder / "content" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    subprocess.run(["zip", "-q", "-s", "64k", "-r", "../a.zip", "."], cwd=folder / "content", check=True)
    return [*sorted(folder.glob("a.z[0-9]*")), folder / "a.zip"]


def noises(count: int, size: int) -> dict[str, bytes]:
    rng = np.random.default_rng(1)
    return {f"FSD50K.dev_audio/{i}.wav": rng.bytes(size) for i in range(count)}


@pytest.mark.parametrize(("count", "size"), [(9, 30_000), (3, 200_000)])  # entries within two parts, and in more
def test_a_split_zip_gives_what_was_zipped(tmp_path: Path, count: int, size: int) -> None:
    files = noises(count, size)
    parts = split(tmp_path, files)
    assert len(parts) > 4
    (tmp_path / "out").mkdir()
    unpack(parts, tmp_path / "out", Progress())
    found = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*.wav")}
    assert found == files
    with pytest.raises(Mistake, match=f"it was split into {len(parts)} parts, and {len(parts) - 1} are here"):
        unpack(parts[1:], tmp_path / "out", Progress())
    with pytest.raises(Mistake, match="truncated or damaged"):
        unpack([*parts[:2], parts[3], parts[2], *parts[4:]], tmp_path / "out", Progress())


def test_parts_of_more_than_4_gib_and_64_bit_records(tmp_path: Path) -> None:
    """Made by hand after the format's description: an entry far into the third of three parts, the first two huge."""
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


def test_fsd50k_comes_in_parts_and_an_archive_that_is_done_is_not_fetched_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = split(tmp_path, noises(5, 50_000))
    rows = "\n".join(f"{i},Bark,/m/1,train" for i in range(5))
    truth = zipped({"FSD50K.ground_truth/dev.csv": f"fname,labels,mids,split\n{rows}".encode()})
    server.files = {f"/{path.name}": path.read_bytes() for path in parts}
    pieces = [Archive(f"{server.url}/{path.name}?download=1", md5(path.read_bytes())) for path in parts]
    audio = Archive(pieces[-1].url, pieces[-1].checksum, parts=tuple(pieces[:-1]), folder="FSD50K/FSD50K.dev_audio")
    server.files = {f"/{path.name}?download=1": path.read_bytes() for path in parts} | {"/truth.zip": truth}
    labels = Archive(f"{server.url}/truth.zip", md5(truth), folder="FSD50K/FSD50K.ground_truth")
    monkeypatch.setattr(Fsd50k, "archives", (labels, audio))
    missing = server.files.pop("/a.z02?download=1")
    data = tmp_path / "data"
    with pytest.raises(Mistake, match="404"):
        fetch(made("fsd50k"), "fsd50k", data, None, Progress())
    server.files["/a.z02?download=1"] = missing
    assert "5 clips" in fetch(made("fsd50k"), "fsd50k", data, None, Progress())
    assert {path.name for path in data.iterdir()} == {"FSD50K"}
    assert server.asked.count("/truth.zip") == 1
    assert server.asked.count("/a.z01?download=1") == 1
    assert "5 clips" in fetch(made("fsd50k"), "fsd50k", tmp_path / "again", _folder(tmp_path, parts, truth), Progress())


def _folder(tmp_path: Path, parts: list[Path], truth: bytes) -> Path:
    """Archives that were fetched elsewhere."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for path in parts:
        shutil.copy(path, folder)
    (folder / "truth.zip").write_bytes(truth)
    return folder


def test_a_file_that_is_no_archive_is_put_in_its_place(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = esc50_files()
    table = files.pop("ESC-50-master/meta/esc50.csv")
    server.files = {"/audio.zip": zipped({k.removeprefix("ESC-50-master/audio/"): v for k, v in files.items()})}
    server.files["/table.csv"] = table
    archives = (
        Archive(f"{server.url}/audio.zip", folder="ESC-50/audio"),  # its files lie at the top
        Archive(f"{server.url}/table.csv", folder="ESC-50/meta/esc50.csv"),
    )
    monkeypatch.setattr(Esc50, "archives", archives)
    assert "10 clips" in get(made("esc50"), tmp_path)


def test_a_data_folder_that_is_a_file(offer: Make, tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(Mistake, match="fetching esc50 failed: Not a directory"):
        get(offer().task, tmp_path / "data")
