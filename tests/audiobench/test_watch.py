"""The page of a suite that runs: what is served, to whom, and what it says."""

import http.client
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmark.ledger.request import Request
from benchmark.ledger.work import Work
from benchmark.store.store import Store
from benchmark.tally import Counts, Running, Tally
from leaderboard.watch import Watch
from leaderboard.watch.cells import cell_states, counted
from leaderboard.watch.server import Page, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(Page(lambda: b'{"version": 0}', b"<p>the report"))
    server.start()
    yield server
    server.stop()


def get(server: Server, path: str, host: str = "", method: str = "GET") -> tuple[int, str, dict[str, str]]:
    asked = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    asked.request(method, path, headers={"Host": host} if host else {})
    answer = asked.getresponse()
    content = answer.read().decode()
    asked.close()
    return answer.status, content, dict(answer.getheaders())


def test_the_page_is_served_to_this_machine_alone(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/"
    status, frame, headers = get(server, "/")
    assert (status, "<iframe" in frame, "SCRIPT" in frame) == (200, True, False)
    assert "http:" not in frame.replace("http-equiv", "")  # nothing from elsewhere
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert get(server, "/report")[1] == "<p>the report"
    assert get(server, "/state", f"localhost:{server.server_port}")[1] == '{"version": 0}'


@pytest.mark.parametrize("host", ["evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1.evil.example:PORT"])
def test_another_host_is_refused(server: Server, host: str) -> None:
    for path in ("/", "/report", "/state"):
        status, content, _ = get(server, path, host.replace("PORT", str(server.server_port)))
        assert (status, "report" in content) == (403, False)


@pytest.mark.parametrize("path", ["/page.html", "/../etc/passwd", "//etc/passwd", "/report/", "/%2e%2e/", "/report?x"])
def test_there_is_nothing_else(server: Server, path: str) -> None:
    assert get(server, path)[0] == 404


def test_nothing_can_be_sent(server: Server) -> None:
    assert get(server, "/", method="POST")[0] == 501


@pytest.fixture
def half(finished: tuple[Path, Path], tmp_path: Path) -> Work:
    """The tiny suite, of which nothing is measured of npid."""
    shutil.copytree(finished[1], tmp_path / "runs")
    store = Store(tmp_path / "runs")
    request = Request(finished[0], None, None)
    plan = request.plan(store)
    for row in plan.rows:
        if row.entry == "npid":
            shutil.rmtree(store.folder(plan.jobs[row.key]))
    return Work(request, plan, store)


def standing(work: Work, running: str, failed: str = "", kinds: dict[str, Counts] | None = None) -> Tally:
    """Of the jobs that are not done, those whose titles begin so run, or failed."""
    left = [job for job in work.plan.jobs.values() if not work.store.done(job)]
    runs = {job.key: Running(job.title, time.monotonic()) for job in left if job.title.startswith(running)}
    gone = frozenset(job.key for job in left if failed and job.title.startswith(failed))
    waiting = frozenset(job.key for job in left if job.key not in runs and job.key not in gone)
    return Tally(work.plan.name, kinds or {}, runs, gone, waiting)


@pytest.mark.slow
def test_cells_are_measured_running_to_come_or_failed(half: Work) -> None:
    states = cell_states(half.plan, half.plan.rows, standing(half, "freeze npid", "knn npid"))
    assert states["npid", "sounds", "freeze"] == "running"
    assert states["npid", "sounds", "knn"] == "failed"
    assert states["moco", "sounds", "knn"] == "measured"
    assert counted(states) == {"measured": 5, "running": 1, "failed": 1}


def test_a_cell_runs_while_its_encoder_is_made_and_waits_while_data_are_packed(half: Work) -> None:
    for job in half.plan.jobs.values():
        if job.kind in ("pack", "pretrain", "embed"):
            shutil.rmtree(half.store.folder(job))
    npid = {"npid": "running", "moco": "to come"}
    for title, expected in (("pretrain npid", npid), ("pack", {"npid": "to come", "moco": "to come"})):
        states = cell_states(half.plan, half.plan.rows, standing(half, title))
        assert states["npid", "sounds", "knn"] == expected["npid"]
    assert states["moco", "sounds", "knn"] == "measured"  # its record is there, whatever else is gone


@pytest.mark.slow
def test_a_half_measured_suite_has_a_page_that_says_what_is_missing(half: Work) -> None:
    with Watch(half, half.plan.rows) as watch:
        watch.stand(standing(half, "freeze npid", kinds={"evaluate": Counts(3, 1, 1)}))
        deadline = time.monotonic() + 240
        while watch.page.version == 0 and not watch.page.problem and time.monotonic() < deadline:
            time.sleep(0.05)
        report = get(watch.server, "/report")[1]
        state = json.loads(get(watch.server, "/state")[1])
    assert "5 of 7 cells" in report, state
    assert "Content-Security-Policy" in report
    assert state["version"] == 1
    assert state["jobs"] == "3 of 5 jobs done, 1 running, 1 to come"
    assert state["running"] == ["freeze npid on sounds"]
    assert state["cells"] == {"measured": 5, "running": 1, "to come": 1}
    assert sorted(state["missing"]) == [
        ["npid", "sounds", "freeze", "running"],
        ["npid", "sounds", "knn", "to come"],
    ]
    with pytest.raises(ConnectionError):
        get(watch.server, "/state")


def test_pages_are_rare_and_the_last_one_is_made_at_once(half: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    monkeypatch.setattr(Watch, "_make_page", lambda self, output: made.append(time.monotonic()))
    with Watch(half, half.plan.rows) as watch:
        for done in range(40):
            watch.stand(Tally("tiny", {"evaluate": Counts(done, 0, 40 - done)}))
            time.sleep(0.01)
        assert len(made) == 1
        watch.finish()
        assert len(made) == 2
    assert json.loads(watch.page.state())["over"]


def test_a_page_that_cannot_be_made_is_told_and_stops_nothing(half: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.watch.sys.executable", shutil.which("false"))
    with Watch(half, half.plan.rows) as watch:
        watch.finish()
        assert json.loads(get(watch.server, "/state")[1])["problem"] == "it ended with status 1"
        assert "first page" in get(watch.server, "/report")[1]


def test_the_page_renews_itself_in_a_browser(server: Server, browser: "Browser") -> None:
    state = {"name": "tiny", "jobs": "1 of 2 jobs done", "running": ["<b>knn"], "problem": ""}
    missing = [["moco", "sounds", "<i>knn", "to come"]]
    first = json.dumps({**state, "version": 0, "cells": {"to come": 1}, "missing": missing, "more": 3}).encode()
    server.page.state = lambda: first
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(server.address)
    page.get_by_text("Now: <b>knn").wait_for()
    page.get_by_text("Cells: 1 to come").click()
    page.get_by_text("moco, <i>knn on sounds: to come").wait_for()
    assert page.get_by_text("and 3 more").is_visible()
    server.page.report = b"<p>a newer report"
    later = json.dumps({**state, "version": 1, "over": True}).encode()
    server.page.state = lambda: later
    page.frame_locator("#report").get_by_text("a newer report").wait_for()
    assert page.get_by_text("The run has ended").is_visible()
    assert complaints == []
    page.close()
