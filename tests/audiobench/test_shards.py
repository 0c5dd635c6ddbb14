"""A run whose packing was killed goes on with the shards that were finished."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.jobs import shards
from benchmark.store.integrity import check_record
from registry.errors import Damaged
from registry.tasks import Clip
from registry.tasks.sounds import Sounds
from tests.audiobench.test_damage import flip
from tests.audiobench.test_run import Call, results


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_goes_on_with_the_shards_of_a_killed_one_and_gives_the_same_figures(
    finished: tuple[Path, Path], tmp_path: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 1_000_000)
    monkeypatch.setattr("benchmark.jobs.packing._CLIPS_AT_ONCE", 8)
    runs, read, reads = tmp_path / "runs", Sounds.read, list[str]()

    def stops(task: Sounds, clip: Clip) -> tuple[NDArray[np.float32], int]:
        reads.append(clip.id)
        if len(reads) == 70:
            raise KeyboardInterrupt
        return read(task, clip)

    def counted(task: Sounds, clip: Clip) -> tuple[NDArray[np.float32], int]:
        reads.append(clip.id)
        return read(task, clip)

    monkeypatch.setattr(Sounds, "read", stops)
    asked = ("run", finished[0], "--runs", runs, "--entry", "random", "--protocol", "knn")
    assert audiobench(*asked).status == 130
    (left,) = (runs / ".partial").iterdir()
    assert left.suffix == ".checkpoint"
    assert len(list(left.glob("*.samples"))) == 3  # of 20 clips each
    condition = audiobench("store", "check", "--runs", runs)
    assert (condition.status, "1 checkpoints; 0 damaged" in condition.out) == (0, True)
    reads.clear()
    monkeypatch.setattr(Sounds, "read", counted)
    assert audiobench(*asked).status == 0
    assert len(reads) == 100 - 60
    assert not list((runs / ".partial").iterdir())
    (folder,) = (runs / "pack").iterdir()
    before = finished[1] / "pack" / folder.name
    assert b"".join(path.read_bytes() for path in sorted(folder.glob("samples*"))) == content(before)["samples.i16"]
    assert content(folder)["clips.parquet"] == content(before)["clips.parquet"]
    made, meant = results(runs), results(finished[1])
    assert made == {key: meant[key] for key in made}
    check_record("pack", folder, large=True)
    flip(folder / "samples-00003.i16", random.Random(0))
    with pytest.raises(Damaged, match=r"samples-00003\.i16 is not what was written"):
        check_record("pack", folder, large=True)


PROGRAM = """
import sys
from pathlib import Path
from benchmark.jobs import shards
from benchmark.jobs.workplace import Workplace
from benchmark.ledger.execute import do_here
from benchmark.progress import Progress
from benchmark.store.store import Store
from registry.lookup import TASKS
from registry.tasks import listing_hash
from tests.benchmark.export.models import CPU
from tests.jobs import component, pack_job

shards.SHARD_BYTES = 1_000_000
clips = component(TASKS, "sounds", clips=20).build().clips(None)
job = pack_job(clips=20, inputs=listing_hash(clips))
do_here(job, Workplace(Store(Path(sys.argv[1])), None, {}, {}, CPU, Progress(), False))
"""


@pytest.mark.slow
def test_packing_that_is_killed_again_and_again_ends_with_the_same_bytes(tmp_path: Path) -> None:
    def run(runs: Path) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", PROGRAM, runs])

    finished = 0
    for _ in range(2):
        packing = run(tmp_path / "killed")
        wanted = finished + 8
        while finished < wanted and packing.poll() is None:
            time.sleep(0.01)
            finished = len(list((tmp_path / "killed" / ".partial").glob("*.checkpoint/*.json")))
        packing.kill()
        assert packing.wait() == -signal.SIGKILL
    made = []
    for runs in (tmp_path / "killed", tmp_path / "unbroken"):
        assert run(runs).wait() == 0
        (folder,) = (runs / "pack").iterdir()
        made.append({name: held for name, held in content(folder).items() if name != "result.json"})
    assert len(made[0]) == 50 + 2  # shards of 20 clips each
    assert made[0] == made[1]
