"""A flipped bit and a cut in every small file of a store: noticed, or of no consequence."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmark.store import digests, leases
from benchmark.store.digests import Digests
from benchmark.store.integrity import check_record, read_record, seal
from benchmark.store.job import AnyJob
from benchmark.store.leases import Lost
from benchmark.store.plan_file import read_plan
from benchmark.store.store import Store, write_json
from registry.errors import Mistake
from tests.benchmark.store.test_digests import clips
from tests.benchmark.store.test_plan_file import plan
from tests.jobs import MEASURED, measure_job

JOB: AnyJob = measure_job(title="measure it")


def harmed(whole: bytes) -> Iterator[bytes]:
    """The content with one bit flipped, in every byte once, and cut at some places."""
    draw = random.Random(0)
    for i in range(len(whole)):
        yield whole[:i] + bytes([whole[i] ^ 1 << draw.randrange(8)]) + whole[i + 1 :]
    for end in (0, *(draw.randrange(len(whole)) for _ in range(5))):
        yield whole[:end]


def refusal(read: Callable[[], object]) -> Mistake | None:
    try:
        read()
    except Mistake as mistake:
        return mistake
    return None


def test_a_cache_of_digests_that_is_damaged_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_SETTLED_NS", -(10**18))
    recordings, told = clips(tmp_path / "data"), list[str]()
    known = Digests(tmp_path / "digests", told.append)
    right = known.of("x", recordings)
    (cache,) = (tmp_path / "digests").iterdir()
    whole = cache.read_bytes()
    for content in harmed(whole):
        cache.write_bytes(content)
        assert known.of("x", recordings) == right
    assert not told
    assert cache.read_bytes() == whole


def test_a_cache_of_an_older_version_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_SETTLED_NS", -(10**18))
    recordings = clips(tmp_path / "data")
    right = Digests(tmp_path / "digests").of("x", recordings)
    (cache,) = (tmp_path / "digests").iterdir()
    cache.write_text(json.dumps(json.loads(cache.read_text())["files"]))
    monkeypatch.setattr(digests, "_digest", lambda path: pytest.fail("it is read again"))
    assert Digests(tmp_path / "digests").of("x", recordings) == right


def test_a_plan_that_is_damaged_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_plan("a", plan("a", "A"))
    path = store.plan_path("a")
    whole, meant = path.read_bytes(), read_plan(path)
    for content in harmed(whole):
        path.write_bytes(content)
        refused = refusal(lambda: read_plan(path))
        assert refused.where == str(path) if refused else read_plan(path)["plan"] == meant["plan"]


@pytest.mark.parametrize("name", ["job.json", "result.json"])
def test_a_measurement_that_is_damaged_is_refused(name: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing(JOB, print) as folder:
        assert folder
        write_json(folder / "job.json", JOB.to_json())
        write_json(folder / "result.json", seal({**MEASURED, "key": JOB.key}, folder))
    path = store.folder(JOB) / name
    whole, meant = path.read_bytes(), read_record("measure", store.folder(JOB))
    for content in harmed(whole):
        path.write_bytes(content)
        refused = refusal(lambda: check_record("measure", store.folder(JOB), large=True))
        assert refused.where == str(path) if refused else read_record("measure", store.folder(JOB)) == meant


def test_a_lease_that_is_damaged_costs_at_most_its_own_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder may seem dead, and then finds out before it publishes; or of no known host, and is watched."""
    monkeypatch.setattr(leases, "LEASE_S", 0.02)
    monkeypatch.setattr(leases, "BEAT_S", 0.01)
    monkeypatch.setattr(leases, "_PAUSES_S", (0.005, 0.005))
    monkeypatch.setattr(leases.Lease, "_beat", lambda lease: None)
    lock = tmp_path / "lock"
    with leases.leased(lock, None) as first:
        assert first
        whole = next(tmp_path.glob("lock.*")).read_bytes()
    told, lost = list[str](), 0
    for content in list(harmed(whole))[::4]:
        with pytest.MonkeyPatch.context() as patched, leases.leased(lock, None) as lease:
            assert lease
            lock.with_name(f"lock.{lease.token}").write_bytes(content)
            patched.setattr(leases, "LEASE_S", 0.02)
            with leases.leased(lock, told.append) as other:  # it is watched until it seems dead, for it does not beat
                assert other
                assert other.held()
                with pytest.raises(Lost):
                    lease.require()
                lost += 1
        assert not list(tmp_path.iterdir())
    assert lost > 20
