"""Packs that lie elsewhere: the same figures from a web server and from S3, by ranges, and every fault told."""

import json
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmark.jobs import shards
from benchmark.jobs.packing import Pack, open_pack
from benchmark.store import elsewhere
from benchmark.store.elsewhere import BLOCK_BYTES
from registry.errors import Mistake
from tests.audiobench.test_damage import flip
from tests.audiobench.test_run import Call, results
from tests.conftest import Answer
from tests.ranges import Web, served


@pytest.fixture(autouse=True)
def _no_blocks_left() -> None:
    elsewhere._block.cache_clear()


@pytest.fixture
def runs(finished: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[1], tmp_path / "runs"))


def pack_of(runs: Path) -> Path:
    (folder,) = (runs / "pack").iterdir()
    return folder


@pytest.fixture
def web(runs: Path, tmp_path: Path) -> Iterator[Web]:
    """A server that has the samples of the pack."""
    (tmp_path / "www" / pack_of(runs).name).mkdir(parents=True)
    shutil.copy(pack_of(runs) / "samples.i16", tmp_path / "www" / pack_of(runs).name)
    with served(tmp_path / "www") as web:
        yield web


def forget(runs: Path, *kinds: str) -> None:
    for kind in kinds:
        shutil.rmtree(runs / kind, ignore_errors=True)


def again(audiobench: Call, suite: Path, runs: Path) -> Answer:
    """Embeds and evaluates anew."""
    forget(runs, "embed", "evaluate")
    return audiobench("run", suite, "--runs", runs, "--entry", "random", "--protocol", "knn", "--device", "cpu")


def test_a_pack_goes_and_comes_back_and_figures_stay(
    finished: tuple[Path, Path], runs: Path, tmp_path: Path, audiobench: Call
) -> None:
    folder, meant = pack_of(runs), results(finished[1])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (away := tmp_path / "away").mkdir()
    answer = audiobench("store", "push", folder.name, away, "--runs", runs)
    assert answer.status == 0, answer.err
    there = away / folder.name / "samples.i16"
    assert there.read_bytes() == before["samples.i16"]
    note = json.loads((folder / "samples.i16.elsewhere").read_text())
    assert note == {"url": f"file://{there}", "bytes": len(before["samples.i16"])}
    assert {path.name for path in folder.iterdir()} == before.keys() - {"samples.i16"} | {"samples.i16.elsewhere"}
    assert "lies elsewhere already" in audiobench("store", "push", folder.name, away, "--runs", runs).out
    checked = audiobench("store", "check", "--runs", runs)
    assert (checked.status, "0 damaged" in checked.out) == (0, True)
    assert again(audiobench, finished[0], runs).status == 0
    made = results(runs)
    assert made
    assert made == {key: meant[key] for key in made}
    assert audiobench("store", "pull", folder.name, "--runs", runs).status == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert there.exists()


def windows(pack: Pack) -> list[torch.Tensor]:
    """Every window of some clips, and random crops, in a few lengths."""
    recordings, every_N = pack.recordings.subset(torch.arange(0, 100, 17)), torch.arange(6)
    crops = [recordings.crops(every_N, n, 2, torch.Generator().manual_seed(n)) for n in (1, 700, 8000, 30000)]
    return [*crops, *(recordings.windows(every_N, n)[0] for n in (700, 8000, 30000)), recordings.norms()]


def test_what_a_web_server_has_is_not_copied_and_read_by_ranges(
    runs: Path, web: Web, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pack_of(runs)
    local = open_pack(folder)
    meant, total = windows(local), len(local.recordings.samples[:]) * 2
    answer = audiobench("store", "push", folder.name, web.url, "--runs", runs)
    assert answer.status == 0, answer.err
    assert not (folder / "samples.i16").exists()
    web.sent.clear()
    for size in (5000, BLOCK_BYTES):
        monkeypatch.setattr(elsewhere, "BLOCK_BYTES", size)
        elsewhere._block.cache_clear()
        remote = open_pack(folder)
        assert not web.sent
        assert all(torch.equal(a, b) for a, b in zip(windows(remote), meant, strict=True))
        assert max(web.sent) == size
        web.sent.clear()
    elsewhere._block.cache_clear()
    monkeypatch.setattr(elsewhere, "BLOCK_BYTES", 16384)
    every_N = torch.arange(100)
    remote.recordings.windows(every_N, 8000)
    assert sum(web.sent) == total  # each byte once
    elsewhere._block.cache_clear()
    web.sent.clear()
    remote.recordings.crops(every_N[:10], 100, 1, torch.Generator().manual_seed(0))
    assert sum(web.sent) <= 10 * 2 * 16384


def test_memory_of_blocks_is_bounded(runs: Path, web: Web, audiobench: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert audiobench("store", "push", pack_of(runs).name, web.url, "--runs", runs).status == 0
    monkeypatch.setattr(elsewhere, "BLOCK_BYTES", 40960)
    pack = open_pack(pack_of(runs))
    assert len(pack.recordings.samples[:]) * 2 > 40960 * elsewhere._BLOCKS
    assert elsewhere._block.cache_info().currsize == elsewhere._BLOCKS


def break_it(web: Web, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = web.folder.glob("*/samples.i16")
    if how == "gone":
        file.unlink()
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:-2])
    elif how == "no package":
        monkeypatch.setitem(sys.modules, "aiohttp", None)
        for name in [name for name in sys.modules if name.startswith("fsspec")]:
            monkeypatch.delitem(sys.modules, name)
    else:
        web.fault = how


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("no ranges", "cannot be read in parts"),
        ("403", "may not be read or written"),
        ("500", "cannot be reached"),
        ("no package", "pip install 'audiobench[remote]'"),
    ],
)
def test_a_server_that_does_not_serve_stops_the_run_and_costs_nothing(
    finished: tuple[Path, Path],
    runs: Path,
    web: Web,
    how: str,
    says: str,
    audiobench: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = pack_of(runs)
    assert audiobench("store", "push", folder.name, web.url, "--runs", runs).status == 0
    with monkeypatch.context() as patch:
        break_it(web, how, patch)
        answer = again(audiobench, finished[0], runs)
        assert answer.status == (1 if how == "no ranges" else 2), answer.err
        assert says in answer.err
        assert "Traceback" not in answer.err
    assert (folder / "samples.i16.elsewhere").exists()
    assert not (runs / ".aside").exists()
    assert audiobench("store", "pull", folder.name, "--runs", runs).status == (0 if how.startswith("no") else 2)
    web.fault = ""
    assert again(audiobench, finished[0], runs).status == 0


def test_a_server_that_is_down_stops_the_run_and_costs_nothing(
    finished: tuple[Path, Path], runs: Path, web: Web, audiobench: Call
) -> None:
    folder = pack_of(runs)
    assert audiobench("store", "push", folder.name, web.url, "--runs", runs).status == 0
    note = folder / "samples.i16.elsewhere"
    note.write_text(note.read_text().replace(web.url, "http://127.0.0.1:9"))  # where nobody listens
    answer = again(audiobench, finished[0], runs)
    assert (answer.status, "cannot be reached" in answer.err) == (2, True)
    assert note.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("how", "says"), [("gone", "is not there"), ("cut", "bytes instead of")])
def test_what_is_lost_elsewhere_is_packed_again(
    finished: tuple[Path, Path],
    runs: Path,
    web: Web,
    how: str,
    says: str,
    audiobench: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert audiobench("store", "push", pack_of(runs).name, web.url, "--runs", runs).status == 0
    break_it(web, how, monkeypatch)
    answer = audiobench("store", "check", "--runs", runs)
    assert (answer.status, says in answer.out) == (1, True)
    answer = again(audiobench, finished[0], runs)
    assert (answer.status, says in answer.err, "made anew" in answer.err) == (0, True, True)
    assert (pack_of(runs) / "samples.i16").exists()


def test_a_flipped_bit_elsewhere_is_found_by_the_check_alone(
    runs: Path, web: Web, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert audiobench("store", "push", pack_of(runs).name, web.url, "--runs", runs).status == 0
    flip(next(web.folder.glob("*/samples.i16")), random.Random(0))
    answer = audiobench("store", "check", "--runs", runs)
    assert (answer.status, "its digest differs from the record's" in answer.out) == (1, True)
    answer = audiobench("store", "pull", pack_of(runs).name, "--runs", runs)
    assert (answer.status, "its digest differs from the record's" in answer.err) == (2, True)
    assert not (pack_of(runs) / "samples.i16").exists()
    assert audiobench("store", "check", "--yes", "--runs", runs).status == 1
    assert not (runs / "pack").exists() or not list((runs / "pack").iterdir())


def test_a_file_that_is_lost_while_it_is_read_is_named(runs: Path, web: Web, audiobench: Call) -> None:
    assert audiobench("store", "push", pack_of(runs).name, web.url, "--runs", runs).status == 0
    samples = open_pack(pack_of(runs)).recordings.samples
    for fault, says in (("404", "is no longer there"), ("short", "bytes instead of"), ("503", "cannot be reached")):
        web.fault = fault
        elsewhere._block.cache_clear()
        with pytest.raises(Mistake, match=says):
            samples[:10]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://me:secret@host/packs", "holds credentials or parameters"),
        ("https://host/packs?X-Amz-Signature=abc", "holds credentials or parameters"),
        ("nothing://host/packs", "cannot be reached: Protocol not known"),
        ("/proc/none", "cannot write file:///proc/none"),
    ],
)
def test_places_that_take_no_pack_are_refused(runs: Path, url: str, says: str, audiobench: Call) -> None:
    answer = audiobench("store", "push", pack_of(runs).name, url, "--runs", runs)
    assert (answer.status, says in answer.err) == (2, True), answer.err
    assert "secret" not in answer.err
    assert (pack_of(runs) / "samples.i16").exists()
    assert not list(runs.rglob("*.elsewhere"))


def test_a_web_server_without_the_file_and_a_pack_that_is_not_there_are_named(
    runs: Path, web: Web, audiobench: Call
) -> None:
    break_it(web, "gone", pytest.MonkeyPatch())
    answer = audiobench("store", "push", pack_of(runs).name, web.url, "--runs", runs)
    assert (answer.status, "does not write to web servers" in answer.err) == (2, True)
    answer = audiobench("store", "push", "a" * 32, web.url, "--runs", runs)
    assert (answer.status, f"{pack_of(runs).name}: 100 clips" in answer.err) == (2, True)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    pytest.importorskip("s3fs")
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "top-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        yield "s3://packs"
    finally:
        server.stop()


@pytest.mark.slow
def test_s3_gives_the_same_figures(
    finished: tuple[Path, Path],
    tmp_path: Path,
    s3: str,
    audiobench: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a pack of several shards."""
    import s3fs

    monkeypatch.setattr(shards, "SHARD_BYTES", 2_000_000)
    runs = tmp_path / "runs"
    asked = ("run", finished[0], "--runs", runs, "--entry", "random", "--entry", "moco", "--protocol", "knn")
    assert audiobench(*asked, "--device", "cpu").status == 0
    folder, meant = pack_of(runs), results(finished[1])
    assert len(list(folder.glob("samples-*"))) == 3
    local = windows(open_pack(folder))
    answer = audiobench("store", "push", folder.name, s3, "--runs", runs)
    assert (answer.status, "packs" in answer.err) == (2, True), answer.err  # there is no such bucket
    assert len(list(folder.glob("samples-*.i16"))) == 3
    s3fs.S3FileSystem().mkdir("packs")
    answer = audiobench("store", "push", folder.name, f"{s3}/deep/er", "--runs", runs)
    assert answer.status == 0, answer.err
    assert not list(folder.glob("*.i16"))
    assert all(torch.equal(a, b) for a, b in zip(windows(open_pack(folder)), local, strict=True))
    forget(runs, "pretrain", "embed", "evaluate")
    assert audiobench(*asked, "--device", "cpu").status == 0
    made = results(runs)
    assert len(made) == 2
    assert made == {key: meant[key] for key in made}
    assert audiobench("store", "check", "--runs", runs).status == 0
    written = b"".join(path.read_bytes() for path in runs.rglob("*") if path.is_file())
    assert b"top-secret" not in written
    assert b"somebody" not in written
    s3fs.S3FileSystem().rm(f"packs/deep/er/{folder.name}/samples-00001.i16")
    assert "samples-00001.i16 is not there" in audiobench("store", "check", "--runs", runs).out
