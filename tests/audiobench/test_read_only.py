"""A store that is read-only: what it holds is shown, and what must write says that it cannot."""

import random
import re
import shutil
from pathlib import Path

from tests.audiobench.mounts import read_only
from tests.audiobench.test_damage import chain, flip
from tests.audiobench.test_run import Call, results


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
            (("store", "clean", *where), 0, "checkpoint of an unfinished job: 1"),
            (("store", "check", *where, "--yes"), 2, ""),
            (("store", "clean", *where, "--yes"), 2, ""),
            (("run", suite, *where), 2, ""),
            (("job", chain(runs)["embed"].name, "--suite", suite, *where), 2, ""),
        ):
            answer = audiobench(*asked)
            assert answer.status == status, (asked, answer)
            assert told in answer.out, (asked, answer)
            if status == 2:
                assert re.search("cannot read or write: (Read-only file system|Permission denied)", answer.err), asked
                assert f"where: {runs}" in answer.err, (asked, answer)
                assert "name another place: --runs DIR" in answer.err, (asked, answer)
    assert results(runs) == expected
