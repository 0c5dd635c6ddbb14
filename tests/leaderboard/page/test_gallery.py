"""The site of a committed board in a browser, as the repository's records give it: no embeddings, no data."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Answer
from tests.leaderboard.page.axe import violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_committed_board_and_the_index_are_accessible_and_say_what_the_table_says(
    browser: "Browser", audiobench: Callable[..., Answer], tmp_path: Path
) -> None:
    answer = audiobench("site", tmp_path, "esc10", "--scale", "cpu", "--runs", ROOT / "leaderboard" / "records")
    assert answer.status == 0, answer.err
    board = (ROOT / "leaderboard" / "esc10.cpu.md").read_text()
    assert (tmp_path / "suites" / "esc10@cpu.md").read_text() == board
    for width in (1280, 320):
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="light" if width == 1280 else "dark"
        )
        page.goto((tmp_path / "index.html").as_uri())
        assert violations(page) == []
        best = page.get_by_role("row", name="esc10, freeze").get_by_role("cell")
        assert best.all_inner_texts() == ["imagenet", "0.846 ± 0.041", "accuracy (last)", "moco, npid"]
        page.get_by_role("link", name="Report of esc10@cpu").click()
        assert page.get_by_role("heading", level=1).inner_text() == "ESC-10 after pretraining on ESC-50's recordings"
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.get_by_role("link", name="All leaderboards").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Leaderboards"
        page.close()
