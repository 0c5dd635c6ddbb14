"""Downloads from a server on this machine: what breaks goes on where it broke, and what is wrong is not kept."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.fetch import fetch
from benchmark.progress import Progress
from registry.errors import Mistake
from registry.tasks import Archive
from registry.tasks.esc50 import Esc50
from tests.benchmark.conftest import Make, Server, esc50_files, get, part, zipped


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

        def expect(self, total: int, done: int = 0, unit: str = "") -> None:
            self.steps.append((total, done))

        def advance(self, steps: int = 1, status: str = "") -> None:
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
