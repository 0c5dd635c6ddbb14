"""Fetching from a server on this machine, or taking what was fetched elsewhere; and that nothing comes twice."""

import io
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmark.data.fetch import fetch
from benchmark.data.unpack import unpack
from benchmark.progress import Progress
from benchmark.store import leases
from benchmark.store.leases import Lost, leased
from registry.errors import Mistake
from registry.tasks import Archive
from registry.tasks.esc50 import Esc50
from registry.tasks.fsd50k import Fsd50k
from tests.benchmark.conftest import Make, Server, esc50_files, get, made, md5, noises, split, tarred, zipped


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
    with leased(tmp_path / ".downloads" / "lease", None), pytest.raises(Mistake, match="another fetch is at work"):
        get(task, tmp_path)
    assert "10 clips" in get(task, tmp_path)


def test_a_fetch_that_another_one_took_over_puts_nothing_into_the_data_folder(
    offer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack_and_stand_still(files: Sequence[Path], folder: Path, progress: Progress) -> None:
        unpack(files, folder, progress)
        with monkeypatch.context() as patched:
            patched.setattr(leases, "LEASE_S", 0.0)
            with leased(tmp_path / ".downloads" / "lease", None) as other:
                assert other

    monkeypatch.setattr("benchmark.data.fetch.unpack", unpack_and_stand_still)
    with pytest.raises(Lost, match="another process took the work over"):
        get(offer().task, tmp_path)
    assert not (tmp_path / "ESC-50").exists()
    monkeypatch.undo()
    assert "10 clips" in get(offer().task, tmp_path)


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


def test_fsd50k_comes_in_pieces_and_an_archive_that_is_done_is_not_fetched_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = split(tmp_path, noises(5, 50_000))
    rows = "\n".join(f"{i},Bark,/m/1,train" for i in range(5))
    truth = zipped({"FSD50K.ground_truth/dev.csv": f"fname,labels,mids,split\n{rows}".encode()})
    server.files = {f"/{path.name}": path.read_bytes() for path in files}
    pieces = [Archive(f"{server.url}/{path.name}?download=1", md5(path.read_bytes())) for path in files]
    audio = Archive(pieces[-1].url, pieces[-1].checksum, pieces=tuple(pieces[:-1]), folder="FSD50K/FSD50K.dev_audio")
    server.files = {f"/{path.name}?download=1": path.read_bytes() for path in files} | {"/truth.zip": truth}
    labels = Archive(f"{server.url}/truth.zip", md5(truth), folder="FSD50K/FSD50K.ground_truth")
    monkeypatch.setattr(Fsd50k, "archives", (labels, audio))
    corpus = made({"name": "fsd50k", "part": "dev"})
    missing = server.files.pop("/a.z02?download=1")
    data = tmp_path / "data"
    with pytest.raises(Mistake, match="404"):
        fetch(corpus, "fsd50k", data, None, Progress())
    server.files["/a.z02?download=1"] = missing
    assert "5 clips" in fetch(corpus, "fsd50k", data, None, Progress())
    assert {path.name for path in data.iterdir()} == {"FSD50K"}
    assert server.asked.count("/truth.zip") == 1
    assert server.asked.count("/a.z01?download=1") == 1
    assert "5 clips" in fetch(corpus, "fsd50k", tmp_path / "again", _folder(tmp_path, files, truth), Progress())


def _folder(tmp_path: Path, files: list[Path], truth: bytes) -> Path:
    """Archives that were fetched elsewhere."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for path in files:
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
