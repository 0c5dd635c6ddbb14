"""A disk that is full, and one that is read-only: what cannot be written is told, and the rest is done."""

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.audiobench.forked import BOARD, EXPORT, REPORT, RUN, made_files, started, write_small
from tests.audiobench.test_damage import chain, flip
from tests.audiobench.test_run import Call, results


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mounts something on a folder, which only root may do."""
    if shutil.which("mount") is None or os.geteuid():
        pytest.skip("only root mounts a small disk")
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not possible here: {done.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def told_in(folder: Path, *commands: Sequence[str]) -> tuple[int | None, str]:
    done = started(folder, *commands)
    done.join()
    return done.exitcode, (folder / "told").read_text()


@pytest.mark.slow
def test_a_disk_that_is_full_anywhere_is_told_and_with_more_room_the_end_is_the_same(tmp_path: Path) -> None:
    """The disk grows by a little after each failure, so that each kind of file once is the first without room."""
    like, folder = tmp_path / "like", tmp_path / "full"
    for suite in (like, folder):
        suite.mkdir()
        write_small(suite)
    commands, refused = (RUN, BOARD, REPORT, EXPORT), list[str]()
    assert told_in(like, *commands)[0] == 0
    (folder / "runs").mkdir()
    kib, kept = 8, set[Path]()
    with mounted(folder / "runs", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs"):
        while (ended := told_in(folder, RUN))[0] != 0:
            status, told = ended
            assert status in (1, 2), told
            assert "No space left on device" in told, told
            assert "free some space" in told, told
            assert "Traceback" not in told, told
            assert "internal error" not in told, told
            refused += [Path(line.split(": ")[1]).name for line in told.splitlines() if "  where: " in line]
            records = set(folder.glob("runs/[!.]*/*/result.json"))
            assert records >= kept
            kept = records
            kib += 64
            assert kib < 4096, told
            subprocess.run(["mount", "-o", f"remount,size={kib}k", str(folder / "runs")], check=True)
        print(f"room from 8 to {kib} KiB; refused: {sorted({re.sub('[0-9a-f]{8,}', 'KEY', name) for name in refused})}")
        assert told_in(folder, *commands[1:], ("store", "check", "--runs", "runs"))[0] == 0
        assert not list(folder.glob("runs/.partial/*"))
        assert made_files(folder) == made_files(like)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """By a mount, which also root cannot write to; or by permissions, for anybody else."""
    if os.geteuid() == 0:
        with mounted(folder, "--bind", "-o", "ro", str(folder)):
            yield
        return
    places = [folder, *folder.rglob("*")]
    for place in places:
        place.chmod(place.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        for place in places:
            place.chmod(place.stat().st_mode | 0o200)


def test_a_store_that_is_read_only_shows_all_and_refuses_what_must_write(
    finished: tuple[Path, Path], tmp_path: Path, audiobench: Call
) -> None:
    suite, runs = finished[0], tmp_path / "runs"
    shutil.copytree(finished[1], runs)
    flip(chain(runs)["embed"] / "embeddings.safetensors", random.Random(0))
    (runs / ".partial" / f"{'a' * 32}.checkpoint").write_bytes(b"x")
    where = ("--runs", runs)
    expected = results(runs)
    with read_only(runs):
        for asked, status, told in (
            (("leaderboard", "tiny", *where), 0, "# Tiny"),
            (("plan", suite, *where), 0, "17 jobs, 16 done"),
            (("run", suite, *where, "--dry-run"), 0, "1 jobs, 0 done"),
            (("leaderboard", "tiny", *where, "--output", tmp_path / "board.md"), 0, ""),
            (("store", "check", *where), 1, "2 damaged"),
            (("store", "clean", *where), 0, "checkpoint of an unfinished pretraining: 1"),
            (("store", "check", *where, "--yes"), 2, ""),
            (("store", "clean", *where, "--yes"), 2, ""),
            (("run", suite, *where), 2, ""),
            (("job", chain(runs)["embed"].name, "--suite", suite, *where), 2, ""),
            (("report", "tiny", *where), 2, ""),
            (("plan", suite, *where, "--commands"), 2, ""),
        ):
            answer = audiobench(*asked)
            assert answer.status == status, (asked, answer)
            assert told in answer.out, (asked, answer)
            if status == 2:
                assert re.search("cannot read or write: (Read-only file system|Permission denied)", answer.err), asked
                assert f"where: {runs}" in answer.err, (asked, answer)
                assert "name another place: --runs DIR" in answer.err, (asked, answer)
    assert results(runs) == expected
