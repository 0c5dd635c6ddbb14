"""Archives from strangers: a mistake that names the archive, the old files as they were, and nothing else anywhere."""

import shutil
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.data import unpack as unpacking
from benchmark.data.unpack import BadArchive
from benchmark.progress import Progress
from registry.errors import Mistake
from registry.tasks import Archive
from registry.tasks.dcase2013 import Dcase2013
from registry.tasks.esc50 import Esc50
from tests.benchmark.conftest import Server, get, made, md5, tarred, zipped
from tests.benchmark.data import hostile

# What is odd and does no harm: all that is unpacked is the data set.
HARMLESS = {
    "zip, a version to come",
    "zip, more entries than are there",
    "zip, a piece that is not there",
    "zip, bytes before it",
    "zip, zeros at 0.0001",  # in the head of an entry, which the directory has, too
    "tar, cut at 0.9999",  # in the zeros after its end
}
FAST: dict[str, Callable[[], dict[str, hostile.Archive]]] = {
    "names in a zip": lambda: hostile.by_name(zipped, "zip"),
    "names in a tar": lambda: hostile.by_name(tarred, "tar.gz"),
    "links and devices": hostile.links_and_devices,
    "whole, and more": hostile.whole_but,
    "sizes that lie": hostile.sizes_that_lie,
    "zips that lie": hostile.zips_that_lie,
    "damaged": lambda: hostile.damaged((0.0, 0.2, 0.9999), (0.0001, 0.6)),
    "misnamed": hostile.misnamed,
}
SLOW: dict[str, Callable[[], dict[str, hostile.Archive]]] = {
    "bombs": lambda: hostile.bombs(150_000_000),
    "many members": lambda: hostile.many(10_000),
}


def below(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def refuse_all(cases: dict[str, hostile.Archive], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {}
    for i, (name, (file, content)) in enumerate(cases.items()):
        root = tmp_path / str(i)
        data = root / "deep" / "data"
        (data / "old").mkdir(parents=True)
        (data / "old" / "x").write_bytes(b"old")
        (root / file).write_bytes(content)
        monkeypatch.setattr(Esc50, "archives", (Archive(f"http://x/{file}", folder="ESC-50"),))
        before = below(root)
        try:
            get(made("esc50"), data, root / file)
            good = {f"deep/data/{name.replace(hostile.ROOT, 'ESC-50')}": body for name, body in hostile.GOOD.items()}
            if name not in HARMLESS or below(root) != before | good:
                wrong[name] = "was taken"
        except Mistake as mistake:
            if below(root) != before or file not in str(mistake) or not mistake.fix or name in HARMLESS:
                wrong[name] = f"{mistake} {below(root).keys() - before.keys()}"
        except Exception as error:
            wrong[name] = repr(error)
    assert not wrong


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", FAST)
def test_what_a_stranger_packed_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_all(FAST[kind](), tmp_path, monkeypatch)


SAYS = {
    "tar, a recording twice": r"holds two entries in one place: 'ESC-50-master/audio/1-0-A-0\.wav'",
    "zip, deep beside the rest": "holds more than 50 folders inside one another",
    "tar, without an end": "is truncated or damaged: it breaks off",
    "zip, an encrypted recording": r"a\.zip is encrypted",
    "zip, another method": "is compressed by another method, 97",
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", SAYS)
def test_the_reason_is_told(name: str, tmp_path: Path) -> None:
    file, content = hostile.whole_but()[name]
    (tmp_path / file).write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(BadArchive, match=SAYS[name]):
        unpacking.unpack([tmp_path / file], tmp_path / "out", Progress())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_may_be_packed_as_fmas_are(method: int, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(hostile.zip_of(*hostile.good_by(method)))
    (tmp_path / "out").mkdir()
    unpacking.unpack([tmp_path / "a.zip"], tmp_path / "out", Progress())
    assert below(tmp_path / "out") == hostile.GOOD


def test_a_bomb_of_lzma_is_not_unpacked_in_one_piece(tmp_path: Path) -> None:
    bomb = zipfile.ZipInfo("bomb")
    bomb.compress_type = zipfile.ZIP_LZMA
    (tmp_path / "a.zip").write_bytes(hostile.zip_of((bomb, bytes(60 * 10**6))))
    tracemalloc.start()
    (tmp_path / "out").mkdir()
    unpacking.unpack([tmp_path / "a.zip"], tmp_path / "out", Progress())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 10**6  # 150 in one piece


def test_bombs_are_found_before_they_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    write = shutil.copyfileobj

    def counted(source: Any, file: Any, size: int) -> None:
        nonlocal written
        write(source, file, size)
        written += file.tell()

    monkeypatch.setattr(unpacking, "_ALWAYS", 10**6)
    monkeypatch.setattr(shutil, "copyfileobj", counted)
    refuse_all(hostile.bombs(20_000_000), tmp_path, monkeypatch)
    assert written < 10**6


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLOW)
def test_what_a_stranger_packed_in_masses_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_all(SLOW[kind](), tmp_path, monkeypatch)


@pytest.mark.slow
def test_an_archive_that_breaks_off_anywhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = [i / 20 for i in range(1, 19)]
    refuse_all(hostile.damaged(shares, (0.0003, 0.3, 0.5, 0.7, 0.95)), tmp_path, monkeypatch)


def test_what_nobody_vouches_for_is_taken_back(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = zipped({f"scenes_stereo/{scene}{i:02}.wav": b"x" for scene in Dcase2013.classes for i in range(10)})
    server.files = {"/a.zip": public, "/b.zip": zipped({"bomb/x": bytes(999)}), "/key.csv": b"a,b\n"}
    folders = ("DCASE2013/scenes_stereo", "DCASE2013/scenes_stereo_testset", "DCASE2013/key.csv")
    archives = [
        Archive(server.url + path, "", folder=folder) for path, folder in zip(server.files, folders, strict=True)
    ]
    archives[0] = Archive(archives[0].url, md5(public), folder=folders[0])
    monkeypatch.setattr(Dcase2013, "archives", tuple(archives))
    with pytest.raises(Mistake, match="is still not whole"):
        get(made("dcase2013"), tmp_path)
    assert {path.split("/")[1] for path in below(tmp_path)} == {"scenes_stereo"}
