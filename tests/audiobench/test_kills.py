"""Killed at any moment, and several at once: what is finished stays, and the end is that of one undisturbed run."""

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.audiobench.forked import BOARD, EXPORT, REPORT, RUN, made_files, started, write_small

pytestmark = pytest.mark.slow
_KILLS = 40  # of runs
_KILLS_OF_WRITERS = 10  # of what writes tables, pages and exports


class Undisturbed(NamedTuple):
    """A folder with the suite, what the commands make in it, and the seconds that the run and the others take."""

    folder: Path
    made: dict[str, Any]
    run_s: float
    writers_s: float

    def copy(self, folder: Path) -> Path:
        """Another folder with the suite."""
        folder.mkdir()
        shutil.copytree(self.folder / "data", folder / "data")
        shutil.copy(self.folder / "small.yaml", folder)
        return folder

    def kind_of(self, key: str) -> str:
        """The kind of the job with a key."""
        return next(name.split("/")[1] for name in self.made if f"/{key}/" in name)


def do(folder: Path, *commands: Sequence[str]) -> float:
    began = time.monotonic()
    done = started(folder, *commands)
    done.join()
    assert done.exitcode == 0, (folder / "told").read_text()
    return time.monotonic() - began


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    write_small(folder)
    do(folder, ("list", "tasks"))  # the first process of all waits for the imports
    run_s, writers_s = do(folder, RUN), do(folder, BOARD, REPORT, EXPORT)
    return Undisturbed(folder, made_files(folder), run_s, writers_s)


def finished_in(folder: Path) -> dict[Path, int]:
    """The records there are, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("runs/[!.]*/*/result.json")}


def killed(folder: Path, seconds: float, like: Undisturbed, *commands: Sequence[str]) -> bool:
    """Kills commands after a while, unless they end before. What they finished stays, and is as it is to be."""
    before = finished_in(folder)
    running = started(folder, *commands)
    running.join(seconds)
    running.kill()
    running.join()
    told = (folder / "told").read_text() if (folder / "told").exists() else ""
    assert running.exitcode in (0, -signal.SIGKILL), told
    assert finished_in(folder).items() >= before.items(), told
    made = made_files(folder)
    assert {name: found for name, found in made.items() if found != like.made[name]} == {}, told
    return running.exitcode != 0


def test_fifty_kills_lose_nothing_and_change_nothing(undisturbed: Undisturbed, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    draw, at_work, stores, kills = random.Random(seed), Counter[str](), 0, 0
    while kills < _KILLS:
        stores += 1
        folder = undisturbed.copy(tmp_path / str(stores))
        while kills < _KILLS and killed(folder, draw.uniform(0.05, 0.8) * undisturbed.run_s, undisturbed, RUN):
            kills += 1
            keys = [path.name.removesuffix(".lease") for path in folder.glob("runs/.partial/*.lease")]
            at_work.update([undisturbed.kind_of(key) for key in keys] or ["between jobs"])
    do(folder, RUN)
    for _ in range(_KILLS_OF_WRITERS):
        left = (BOARD, REPORT) if (folder / "exported").exists() else (BOARD, REPORT, EXPORT)
        killed(folder, draw.uniform(0.05, 1.0) * undisturbed.writers_s, undisturbed, *left)
    if not (folder / "exported").exists():
        do(folder, EXPORT)
    do(folder, BOARD, REPORT)
    assert made_files(folder) == undisturbed.made
    assert not list(folder.glob("runs/.partial/*"))
    print(f"{kills} kills in {stores} stores, while at work on {dict(at_work)}; {len(undisturbed.made)} files")


@pytest.mark.parametrize("count", [2, 4])
def test_several_processes_on_one_store_do_each_job_once(count: int, undisturbed: Undisturbed, tmp_path: Path) -> None:
    folder = undisturbed.copy(tmp_path / "shared")
    running = [started(folder, RUN, told=f"told {i}") for i in range(count)]
    for process in running:
        process.join()
    told = [(folder / f"told {i}").read_text() for i in range(count)]
    assert [process.exitcode for process in running] == [0] * count, told
    lines = [line for of_one in told for line in of_one.splitlines()]
    done = Counter(line.split(": ")[0] for line in lines if line.endswith(" s)") and not line.startswith(" "))
    jobs = [name for name in undisturbed.made if name.endswith("result.json")]
    assert sum(done.values()) == len(jobs), told
    made = made_files(folder)
    assert made == {name: undisturbed.made[name] for name in made}
    assert not list(folder.glob("runs/.partial/*"))
