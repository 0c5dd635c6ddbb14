"""The store: whole folders or none, one writer at a time."""

import json
import multiprocessing
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.jobs.measure import MeasureJob
from benchmark.store.integrity import seal
from benchmark.store.job import Job, key_of
from benchmark.store.store import Store, write_json
from registry.errors import Mistake
from tests.jobs import EMBEDDED, MEASURED, embed_job, measure_job

JOB = measure_job(title="measure it")  # whose record has no files but its own


def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing(JOB, print) as folder:
        assert folder is not None
        (folder / "result.json").write_text(json.dumps(MEASURED))
        assert not store.done(JOB)
        store.checkpoint(JOB).write_text("half way")
    assert store.done(JOB)
    assert not store.checkpoint(JOB).exists()
    assert store.result(MeasureJob, JOB.key).clips == 0


def test_a_job_that_fails_leaves_nothing_but_its_checkpoint(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ZeroDivisionError), store.writing(JOB, print) as folder:  # noqa: PT012
        assert folder is not None
        (folder / "half").write_text("x")
        store.checkpoint(JOB).write_text("half way")
        raise ZeroDivisionError
    assert not store.folder(JOB).exists()
    assert not folder.exists()
    assert store.checkpoint(JOB).exists()


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    store = Store(tmp_path)
    left = tmp_path / ".partial" / JOB.key
    left.mkdir(parents=True)
    (left / "old").touch()
    left.with_name(f".{JOB.key}.checkpoint.123").touch()  # not written to the end
    with store.writing(JOB, print) as folder:
        assert folder is not None
        assert not list(folder.iterdir())
        (folder / "result.json").write_text("{}")
    assert not list((tmp_path / ".partial").iterdir())
    assert [p.name for p in store.folder(JOB).iterdir()] == ["result.json"]


def _write_slowly(root: Path) -> None:
    with Store(root).writing(JOB, print) as folder:
        assert folder is not None
        (root / "started").touch()
        time.sleep(1)
        (folder / "result.json").write_text(json.dumps(MEASURED))


def test_a_second_writer_waits_and_finds_the_work_done(tmp_path: Path) -> None:
    other = multiprocessing.Process(target=_write_slowly, args=(tmp_path,))
    other.start()
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    waited: list[str] = []
    with Store(tmp_path).writing(JOB, waited.append) as folder:
        assert folder is None
    other.join()
    assert waited == [f"another run is at work on it (process {other.pid} on {socket.gethostname()}); waiting"]


def test_keys_do_not_depend_on_titles_or_the_order_of_settings() -> None:
    assert key_of("embed", {"a": 1, "b": 2}, {}) == key_of("embed", {"b": 2, "a": 1}, {})
    assert len({key_of("embed", {"a": 1}, {}), key_of("embed", {"a": 2}, {}), key_of("evaluate", {"a": 1}, {})}) == 3
    assert replace(JOB, title="x", blocked="y").key == JOB.key
    assert Job.from_json(json.loads(json.dumps(JOB.to_json()))) == JOB


def test_a_record_of_another_schema_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.folder(JOB).mkdir(parents=True)
    (store.folder(JOB) / "result.json").write_text('{"schema": 0}')
    with pytest.raises(Mistake, match="a record of schema 0, and this version reads 1"):
        store.result(MeasureJob, JOB.key)


def test_large_files_are_hashed_when_asked_or_when_they_are_newer_than_their_record(tmp_path: Path) -> None:
    store, job = Store(tmp_path), embed_job("p")
    with store.writing(job, print) as folder:
        assert folder is not None
        (folder / "embeddings.safetensors").write_bytes(b"abc")
        write_json(folder / "result.json", seal({**EMBEDDED, "key": job.key}, folder))
    path = store.folder(job) / "embeddings.safetensors"
    written = path.stat().st_mtime
    assert store.check(job.kind, job.key, large=True) is None
    path.write_bytes(b"abd")
    assert not Store(tmp_path).done(job)
    os.utime(path, (written, written))
    assert Store(tmp_path).done(job)
    assert store.check(job.kind, job.key, large=True) is not None
    assert not store.done(job)  # which it knows by now
    (damage,) = store.damaged()
    assert damage.where == str(path)
    assert store.set_aside(job.kind, job.key) == tmp_path / ".aside" / "embed" / f"{job.key}.1"
    assert store.damaged() == []
    assert store.set_aside(job.kind, job.key) is None
