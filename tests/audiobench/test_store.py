"""``audiobench store``: what is damaged is set aside, what nobody needs is deleted, and both are listed before."""

import os
import random
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmark.store import leases
from benchmark.store.leases import leased
from benchmark.store.store import Store
from registry.tensors import write_tensors
from tests.audiobench.test_damage import chain, cut, flip, runs, unseal
from tests.audiobench.test_run import Call, results

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
    with leased(partial / f"{held}.lease", None) as lease:
        assert lease
        lock = {f".partial/{held}.{name}" for name in ("lease", f"lease/{lease.token}", f"lease.{lease.token}")}
        answer = audiobench("store", "clean", "--runs", runs)
        assert answer.status == 0
        assert tree(runs) == before | lock
        assert f"0.2 MB  .partial/{key}.12.34\n" in answer.out
        assert "result that no plan asks for: 1" in answer.out
        assert f"5 bytes  .partial/{key}.checkpoint\n" in answer.out
        assert "4 bytes  leaderboards/.old.md.77\n" in answer.out
        assert "--yes deletes all this" in answer.out
        assert held not in answer.out
        answer = audiobench("store", "clean", "--runs", runs, "--yes")
        assert answer.status == 0, answer.err
        kept = {".partial", f".partial/{held}.checkpoint", "leaderboards/.new.md.77"}
        assert tree(runs) - {".aside", ".aside/pack"} == needed | kept | lock
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


def test_cleaning_watches_locks_of_other_machines_and_deletes_those_of_the_dead(
    tmp_path: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("LEASE_S", 1.0), ("BEAT_S", 0.2), ("_PAUSES_S", (0.01, 0.05))):
        monkeypatch.setattr(leases, name, value)
    runs = tmp_path / "runs"
    with monkeypatch.context() as patched, ExitStack() as alive:
        patched.setattr(leases, "_machine", lambda: "another")
        lease = alive.enter_context(Store(runs).leased("a" * 32, None))
        assert lease
        partial = runs / ".partial"
        for key in "bc":
            (partial / f"{key * 32}.lease").mkdir()
            (partial / f"{key * 32}.lease" / lease.token).touch()
            shutil.copy(partial / f"{'a' * 32}.lease.{lease.token}", partial / f"{key * 32}.lease.{lease.token}")
        patched.undo()
        began = time.monotonic()
        answer = audiobench("store", "clean", "--runs", runs, "--yes")
        assert answer.status == 0, answer.err
        assert 1.0 <= time.monotonic() - began < 10
        assert {path.name[:32] for path in partial.iterdir()} == {"a" * 32}
        assert "lock of a job that nobody works on: 4" in answer.out
        assert lease.held()
