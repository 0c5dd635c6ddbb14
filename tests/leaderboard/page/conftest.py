"""A page of everything in a real browser, opened from the disk; one browser serves all tests."""

import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from leaderboard.page import render
from tests.leaderboard.page.sample import report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, and a recording beside it."""
    folder = tmp_path_factory.mktemp("page")
    with wave.open(str(folder / "clip.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000))
    (folder / "report.html").write_text(render(report()), encoding="utf-8")
    return folder / "report.html"


@pytest.fixture
def open_page(browser: "Browser", written: Path) -> Iterator[Callable[..., "Page"]]:
    """Opens the page; what it complains of, or asks of the network, fails the test."""
    contexts, complaints, asked = [], [], []

    def open_(**options: Any) -> "Page":
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "color_scheme": "light", **options}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(written.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    expected = ["missing.wav"]  # a test plays it to see that its absence is said
    assert not [text for text in complaints if not any(name in text for name in [*expected, "ERR_FILE_NOT_FOUND"])]
    assert {url.rsplit("/", 1)[1] for url in asked} <= {"report.html", "clip.wav", *expected}
    assert all(url.startswith(("file://", "blob:")) for url in asked)


@pytest.fixture
def page(open_page: Callable[..., "Page"]) -> "Page":
    """The page on a desktop, light."""
    return open_page()
