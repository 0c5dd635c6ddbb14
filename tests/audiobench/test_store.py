"""``audiobench store``: what is damaged is set aside, what nobody needs is deleted, and both are listed before."""

import errno
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import lock_descriptor
from safetensors.torch import save_file

from benchmark.store.locks import Hold, locked
from benchmark.store.store import Store
from registry.tensors import write_tensors
from tests.audiobench.test_damage import chain, cut, flip, runs, unseal
from tests.audiobench.test_run import Call, results
from tests.jobs import MEASURED, measure_job

__all__ = ["runs"]


def test_a_whole_store_is_whole(finished: tuple[Path, Path], audiobench: Call) -> None:
    answer = audiobench("store", "check", "--runs", finished[1])
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == f"{finished[1]}: 17 records, 1 plans, 0 checkpoints; 0 damaged, 0 without digests\n"


def test_what_is_damaged_is_listed_set_aside_if_asked_and_made_again(
    finished: tuple[Path, Path], runs: Path, audiobench: Call
) -> None:
    folders, rng = chain(runs), random.Random(0)
    flip(folders["pack"] / "samples.i16", rng)
    (folders["pretrain"] / "result.json").unlink()
    cut(folders["evaluate"] / "epochs.parquet", rng)
    unseal(folders["embed"])
    checkpoint, older, foreign = (runs / ".partial" / f"{key * 32}.checkpoint" for key in "abc")
    write_tensors(checkpoint, {"method.x": torch.zeros(9)}, {"step": "1", "metrics": "[]"})
    cut(checkpoint, rng)
    write_tensors(foreign, {"method.x": torch.zeros(9)}, {"of": checkpoint.name, "step": "1", "metrics": "[]"})
    save_file({"method.x": torch.zeros(9)}, older, {"step": "1", "metrics": "[]"})
    plan = runs / "plans" / "other.json"
    plan.write_text("{")
    harmed = [folders["pack"] / "samples.i16", folders["pretrain"], folders["evaluate"] / "epochs.parquet", plan]
    for asked in ([], ["--yes"]):
        answer = audiobench("store", "check", "--runs", runs, *asked)
        assert answer.status == 1
        assert "17 records, 2 plans, 3 checkpoints; 6 damaged, 2 without digests" in answer.out
        assert all(str(path) in answer.out for path in (*harmed, checkpoint, older, folders["embed"]))
        assert plan.exists() == folders["pack"].exists() == checkpoint.exists() == (not asked)
    assert sorted(str(path.relative_to(runs / ".aside")) for path in runs.glob(".aside/*/*")) == sorted(
        [f"{kind}/{folders[kind].name}.1" for kind in ("pack", "pretrain", "evaluate")]
        + ["plans/other.json.1", f"checkpoint/{checkpoint.name}.1", f"checkpoint/{foreign.name}.1"]
    )
    answer = audiobench("store", "check", "--runs", runs)
    assert (answer.status, "0 damaged" in answer.out) == (0, True)
    assert audiobench("run", finished[0], "--runs", runs).status == 0
    assert results(runs) == results(finished[1])


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_cleaning_lists_with_sizes_and_deletes_if_asked_what_nobody_needs(
    finished: tuple[Path, Path], runs: Path, audiobench: Call
) -> None:
    audiobench("store", "clean", "--runs", runs, "--yes")  # the locks
    needed = tree(runs)
    partial, key, held = runs / ".partial", "a" * 32, "b" * 32
    (partial / f"{key}.12.34").mkdir(parents=True)
    (partial / f"{key}.12.34" / "samples.i16").write_bytes(bytes(200_000))
    shutil.copytree(chain(runs)["embed"], runs / "embed" / ("c" * 32))
    (runs / ".aside" / "pack" / "x.1").mkdir(parents=True)
    for name in (
        f"{key}.checkpoint",
        f"{key}.checkpoint.1",
        f"{key}.lock",
        f".{key}.checkpoint.99",
        f"{held}.checkpoint",
    ):
        (partial / name).write_bytes(b"12345")
    for name, age in (("old.md", 4000.0), ("new.md", 0.0)):
        stray = runs / "leaderboards" / f".{name}.77"
        stray.write_text("half")
        os.utime(stray, (time.time() - age,) * 2)
    before = tree(runs)
    with locked(partial / f"{held}.lock", None) as hold:
        assert hold == Hold.OURS
        answer = audiobench("store", "clean", "--runs", runs)
        assert answer.status == 0
        assert tree(runs) == before | {f".partial/{held}.lock"}
        assert f"0.2 MB  .partial/{key}.12.34\n" in answer.out
        assert "result that no plan asks for: 1" in answer.out
        assert f"5 bytes  .partial/{key}.checkpoint\n" in answer.out
        assert "4 bytes  leaderboards/.old.md.77\n" in answer.out
        assert "--yes deletes all this" in answer.out
        assert held not in answer.out
        answer = audiobench("store", "clean", "--runs", runs, "--yes")
    assert answer.status == 0, answer.err
    kept = {".partial", f".partial/{held}.lock", f".partial/{held}.checkpoint", "leaderboards/.new.md.77"}
    assert tree(runs) - {".aside", ".aside/pack"} == needed | kept
    assert audiobench("run", finished[0], "--runs", runs).err == ""


def test_results_are_all_kept_where_a_plan_cannot_be_read_or_none_is_there(runs: Path, audiobench: Call) -> None:
    evaluations = len(results(runs))
    (plan,) = (runs / "plans").iterdir()
    for content, why in (
        ('{"schema": 1, "plan": {}}', "is damaged"),
        ("", "cannot be read"),
        (None, "there is no plan"),
    ):
        plan.write_text(content) if content is not None else plan.unlink()
        answer = audiobench("store", "clean", "--runs", runs, "--yes")
        assert "Results are all kept" in answer.out
        assert why in answer.out
        assert len(results(runs)) == evaluations


def test_a_folder_that_is_not_there_is_named(audiobench: Call, tmp_path: Path) -> None:
    for command in ("check", "clean"):
        answer = audiobench("store", command, "--runs", tmp_path / "none")
        assert (answer.status, str(tmp_path / "none") in answer.err) == (2, True)
    assert not (tmp_path / "none").exists()


def test_a_lock_that_was_deleted_while_it_was_waited_for_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = path.open("a")
    lock_descriptor(first.fileno())

    def waiting() -> None:  # its owner deletes it, as cleaning does, and ends
        path.unlink()
        first.close()

    with locked(path, waiting) as hold:
        assert hold == Hold.OURS
        with locked(path, None) as other:
            assert other == Hold.THEIRS


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no file that is open")
def test_a_lock_that_is_not_to_stay_goes_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    waiting = path.open("a")  # who waits would hold a lock that nobody finds, did it go later
    with locked(path, None, keep=False) as hold:
        assert hold == Hold.OURS
        with locked(path, None, keep=False) as other:
            assert other == Hold.THEIRS
        assert path.exists()
    assert not path.exists()
    lock_descriptor(waiting.fileno(), blocking=False)
    with locked(path, None) as hold:
        assert hold == Hold.OURS
    waiting.close()


def unable(number: int, windows: int = 0) -> Callable[..., None]:
    """A mount that has no locks, and how the system says so."""

    def answer(*arguments: object, **named: object) -> None:
        error = OSError(number, os.strerror(number))
        if windows:
            error.winerror = windows  # type: ignore[attr-defined]  # which only Windows' have
        raise error

    return answer


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        ("fcntl.flock", lambda *arguments: None),
        ("fcntl.flock", unable(errno.ENOLCK)),
        ("fcntl.flock", unable(errno.ENOSYS)),
        ("benchmark.store.locks.lock_descriptor", lambda handle, blocking: True),
        ("benchmark.store.locks.lock_descriptor", unable(errno.EINVAL, windows=1)),
    ],
)
def test_two_runs_where_locks_do_nothing_leave_one_whole_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, answer: Callable[..., None]
) -> None:
    pytest.importorskip(where.partition(".")[0])
    monkeypatch.setattr(where, answer)
    job = measure_job()

    def write(folder: Path | None, by: str) -> None:
        assert folder
        (folder / "by").write_text(by)
        (folder / "result.json").write_text(json.dumps({**MEASURED, "key": job.key}))

    with Store(tmp_path).writing(job, print) as a:
        with Store(tmp_path).writing(job, print) as b:
            write(b, "b")
            write(a, "a")
        assert (Store(tmp_path).folder(job) / "by").read_text() == "b"
    assert (Store(tmp_path).folder(job) / "by").read_text() == "b"
    assert Store(tmp_path).done(job)
    assert not list((tmp_path / ".partial").glob("*/"))
