"""The report of a suite while it runs: a page on this machine that is made anew as cells are measured."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from benchmark.ledger.plan import Row
from benchmark.ledger.work import Work
from benchmark.tally import Tally
from leaderboard.watch.cells import State, cell_states, counted
from leaderboard.watch.server import Page, Server

_REST = 20  # times as long as a page took to make, no other one is made: 5 % of one core at most
_LEAST_SECONDS = 10.0  # between two pages
_LISTED = 200  # missing cells
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Watch:
    """Serves the report of a run on a free port of 127.0.0.1, from ``with`` on.

    The page is made by a process of its own, of the lowest priority, in one thread. While it lasts, and for 20 times
    as long after it (10 s at least), no other one is made.

    Args:
        work: that is done; its plan must be stored.
        rows: of the plan, that are measured.
    """

    def __init__(self, work: Work, rows: Sequence[Row]) -> None:
        self.work, self.rows = work, rows
        self.page = Page(self._state)
        self.server = Server(self.page)
        self._tally: Tally | None = None
        self._of: Tally | None = None  # whose states of cells are known
        self._states: dict[tuple[str, str, str], State] = {}
        self._changed, self._over = threading.Event(), threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._maker = threading.Thread(target=self._make_pages, name="pages", daemon=True)

    @property
    def address(self) -> str:
        """Of the page."""
        return self.server.address

    def __enter__(self) -> Self:
        self.server.start()
        self._changed.set()  # what earlier runs have measured is shown at once
        self._maker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._over.set()
        self._changed.set()
        if self._process:
            self._process.kill()
        self._maker.join()
        self.server.stop()

    def stand(self, tally: Tally) -> None:
        """So the jobs stand now. If one more is done, the page is due."""
        more = self._tally is None or tally.all.done != self._tally.all.done
        self._tally = tally
        if more:
            self._changed.set()

    def finish(self) -> None:
        """The run is over: makes the last page, and waits for it."""
        if self._tally is None:  # there was nothing to do
            self._tally = Tally(self.work.plan.name)
        self._over.set()
        self._changed.set()
        self._maker.join()

    def _state(self) -> bytes:
        """How the run stands, as JSON; called by the server's threads, so that no job waits for it."""
        tally, page = self._tally, self.page
        told = {"name": self.work.plan.name, "version": page.version, "problem": page.problem}
        if tally is None:
            return json.dumps({**told, "jobs": "the jobs are being looked at", "running": []}).encode()
        if tally is not self._of:
            self._states, self._of = cell_states(self.work.plan, self.rows, tally), tally
        counts, states = tally.all, self._states
        words = f"{counts.done} of {counts.all} jobs done, {counts.running} running, {counts.to_come} to come"
        missing = [[*place, state] for place, state in states.items() if state != "measured"]
        told |= {
            "jobs": words + (f", {counts.failed} failed" if counts.failed else ""),
            "running": [one.title for one in tally.running.values()],
            "cells": counted(states),
            "missing": missing[:_LISTED],
            "more": len(missing[_LISTED:]),
            "over": self._over.is_set() and not self._maker.is_alive(),
        }
        return json.dumps(told).encode()

    def _make_pages(self) -> None:
        """Runs in a thread."""
        with TemporaryDirectory() as folder:
            next_at, over = 0.0, False
            while not over:
                self._changed.wait()
                self._over.wait(max(next_at - time.monotonic(), 0.0))
                over = self._over.is_set()
                self._changed.clear()
                if self._closed:
                    return
                began = time.monotonic()
                self._make_page(Path(folder) / "page.html")
                ended = time.monotonic()
                next_at = ended + max(_LEAST_SECONDS, _REST * (ended - began))

    def _make_page(self, output: Path) -> None:
        request = self.work.request
        asked = {
            "suite": str(request.suite.absolute()),
            "scale": request.scale,
            "plugins": [str(path) for path in request.plugins],
            "runs": str(self.work.store.root),
            "output": str(output),
        }
        # No job waits for it, and Ctrl-C in the terminal does not reach it.
        command = [sys.executable, "-m", "leaderboard.watch.make", json.dumps(asked)]
        self._process = subprocess.Popen(  # nosec B603 # a list of arguments, and no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,
        )
        if self._closed:
            self._process.kill()
        _, told = self._process.communicate()
        if self._process.returncode == 0:
            self.page.report, self.page.problem = output.read_bytes(), ""
            self.page.version += 1
        elif not self._closed:
            lines = told.decode(errors="replace").strip().splitlines()
            self.page.problem = lines[-1] if lines else f"it ended with status {self._process.returncode}"
