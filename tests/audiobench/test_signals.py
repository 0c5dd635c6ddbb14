"""Asked to stop by any signal, anywhere: it is told in a line, nothing is left half done, and the next run goes on."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmark.signals import heeded
from tests.audiobench.forked import BOARD, EXPORT, REPORT, RUN, made_files, started, write_small

SIGNALS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")]
PLACES: dict[str, tuple[str, Sequence[str]]] = {  # what is called there, and by which command
    "in planning": ("benchmark.store.digests Digests.of", RUN),
    "in an import, in a pack": ("benchmark.jobs.packing make_pack", RUN),
    "in a pack": ("benchmark.jobs.packing _write", RUN),
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


@pytest.mark.slow
def test_a_signal_anywhere_ends_with_its_status_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    like, folder = tmp_path / "like", tmp_path / "asked"
    for suite in (like, folder):
        suite.mkdir()
        write_small(suite)
    undisturbed = started(like, RUN, BOARD, REPORT, EXPORT)
    for i, (place, (_, command)) in enumerate(PLACES.items()):
        number = SIGNALS[i % len(SIGNALS)]
        (folder / f"asks_{number}.py").write_text(f"import signal\nsignal.raise_signal({number})\n")
        asked = started(folder, command, setup=partial(raise_at, place, number))
        asked.join()
        told = (folder / "told").read_text()
        assert asked.exitcode == 128 + number, (place, told)
        assert told.count(f"audiobench: interrupted by {number.name}\n") == 1, (place, told)
        assert "Traceback" not in told, (place, told)
        (folder / f"asks_{number}.py").unlink()
        left = [path.name for path in folder.rglob("*") if path.name.startswith(".") or ".partial" in str(path.parent)]
        checkpoint = place in ("in a pretraining", "after the steps of a pretraining")
        assert [name for name in left if not (checkpoint and name.endswith(".checkpoint"))] in ([], [".partial"]), place
    again = started(folder, RUN, BOARD, REPORT, EXPORT)
    for process in (undisturbed, again):
        process.join()
        assert process.exitcode == 0
    made = {name: of_name for name, of_name in made_files(folder).items() if "__pycache__" not in name}
    assert made == made_files(like)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no such signal")
def test_what_the_parent_process_ignores_is_not_heeded() -> None:
    """As under ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in heeded()
    finally:
        signal.signal(signal.SIGHUP, before)
