"""Killed or asked to stop at any moment, several at once, a full disk: the end is that of one undisturbed run."""

import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.audiobench.forked import BOARD, EXPORT, REPORT, RUN, made_files, started, write_small
from tests.audiobench.mounts import mounted

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


def told_in(folder: Path, *commands: Sequence[str], setup: Callable[[], None] | None = None) -> tuple[int | None, str]:
    """The exit status of commands, and what they print."""
    done = started(folder, *commands, setup=setup)
    done.join()
    return done.exitcode, (folder / "told").read_text()


def do(folder: Path, *commands: Sequence[str]) -> float:
    """Does commands, and returns the seconds they take."""
    began = time.monotonic()
    status, told = told_in(folder, *commands)
    assert status == 0, told
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


SIGNALS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")]
PLACES: dict[str, tuple[str, Sequence[str]]] = {  # what is called there, and by which command
    "in planning": ("benchmark.store.digests Digests.of", RUN),
    "in an import, in a pack": ("benchmark.jobs.packing make_pack", RUN),
    "in a pack": ("benchmark.jobs.shards Growing.add", RUN),
    "in the publishing of a pack": ("benchmark.store.store sync", RUN),
    "in a pretraining": ("benchmark.jobs.loop _Run.do_step", RUN),
    "after the steps of a pretraining": ("benchmark.jobs.loop _Run.end", RUN),
    "in an embedding": ("benchmark.jobs.embedding require_finite", RUN),
    "in knn": ("benchmark.jobs.workplace Workplace.told", RUN),
    "in freeze": ("benchmark.jobs.workplace Workplace.told", RUN),
    "in a measurement": ("benchmark.jobs.measuring _add", RUN),
    "in finetune": ("benchmark.jobs.workplace Workplace.told", RUN),
    "in a leaderboard": ("leaderboard.table make_table", RUN),
    "in a table": ("leaderboard.render render", BOARD),
    "in a report": ("leaderboard.report make_report", REPORT),
    "in an export": ("benchmark.export.forms sync", EXPORT),
}


def raise_at(place: str, number: int) -> None:
    """Has this process get a signal in a place; the others of the jobs before are done by then."""
    module, names = PLACES[place][0].split()
    *inside, name = names.split(".")
    holder = import_module(module)
    for part in inside:
        holder = getattr(holder, part)
    plain: Callable[..., Any] = getattr(holder, name)

    def called(*given: Any, **named: Any) -> Any:
        job = getattr(getattr(given[0] if given else None, "progress", None), "title", "")
        if not (place.endswith(("knn", "freeze", "finetune")) and place.split()[-1] not in job):
            if "import" in place:
                sys.path.insert(0, str(Path.cwd()))
                import_module(f"asks_{number}")
            signal.raise_signal(number)
        return plain(*given, **named)

    setattr(holder, name, called)


def test_a_signal_anywhere_ends_with_its_status_and_leaves_nothing_half_done(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    folder = undisturbed.copy(tmp_path / "asked")
    for i, (place, (_, command)) in enumerate(PLACES.items()):
        number = SIGNALS[i % len(SIGNALS)]
        (folder / f"asks_{number}.py").write_text(f"import signal\nsignal.raise_signal({number})\n")
        status, told = told_in(folder, command, setup=partial(raise_at, place, number))
        assert status == 128 + number, (place, told)
        assert told.count(f"audiobench: interrupted by {number.name}\n") == 1, (place, told)
        assert "Traceback" not in told, (place, told)
        (folder / f"asks_{number}.py").unlink()
        left = [path.name for path in folder.rglob("*") if path.name.startswith(".") or path.parent.name == ".partial"]
        checkpoint = place in (
            "in the publishing of a pack",
            "in a pretraining",
            "after the steps of a pretraining",
        )
        assert [name for name in left if not (checkpoint and name.endswith(".checkpoint"))] in ([], [".partial"]), place
    do(folder, RUN, BOARD, REPORT, EXPORT)
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    assert made_files(folder) == undisturbed.made


def test_a_disk_that_is_full_anywhere_is_told_and_with_more_room_the_end_is_the_same(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """The disk grows by a little after each failure, so that each kind of file once is the first without room."""
    folder, refused = undisturbed.copy(tmp_path / "full"), list[str]()
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
        do(folder, BOARD, REPORT, EXPORT, ("store", "check", "--runs", "runs"))
        assert not list(folder.glob("runs/.partial/*"))
        assert made_files(folder) == undisturbed.made
