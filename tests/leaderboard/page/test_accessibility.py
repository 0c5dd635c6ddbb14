"""The page for people who use a keyboard, a screen reader, another theme, a small window, a zoom, or paper."""

import itertools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.leaderboard.page.axe import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opener = Callable[..., "Page"]
# The element that has the focus: a name for it, whether an outline shows that, and whether it is in sight.
FOCUSED = """() => {
    const one = document.activeElement;
    if (one === document.body) return null;
    const { left, top, width, height } = one.getBoundingClientRect();
    const [x, y] = [Math.max(left + 2, 1), Math.max(top + Math.min(height, 20) / 2, 1)];
    const seen = document.elementFromPoint(Math.min(x, innerWidth - 2), Math.min(y, innerHeight - 2));
    const style = getComputedStyle(one);
    return {
        name: one.outerHTML.slice(0, 120),
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        seen: one.contains(seen) || seen?.contains(one) && seen !== document.body && !seen.closest(".top"),
    };
}"""
LEFT, RIGHT = (f"(one) => one.getBoundingClientRect().{side}" for side in ("left", "right"))


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing_wrong(open_page: Opener, width: int, theme: str) -> None:
    page = open_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    assert violations(page) == []


def test_axe_would_find_something(page: "Page") -> None:
    page.evaluate("document.querySelector('#theme').removeAttribute('aria-label'); theme.textContent = ''")
    assert [one for one in violations(page) if one.startswith("button-name")]


def test_the_first_tab_stop_skips_to_the_content(page: "Page") -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.get_by_text("Skip to content").evaluate("(link) => link.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("width", [1280, 390])
def test_tab_goes_through_the_whole_page_and_the_focus_is_always_in_sight(open_page: Opener, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 700}, reduced_motion="reduce")
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    stops = []
    for _ in range(100):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None:
            break
        stops.append(stop)
    else:
        raise AssertionError("a trap, or more stops than the page has")
    assert [stop["name"] for stop in stops if not stop["outlined"]] == []
    assert [stop["name"] for stop in stops if not stop["seen"]] == []
    names = " ".join(stop["name"] for stop in stops)
    for reached in ("skip", "theme", "search", 'data-copy="csv"', "noted", "<canvas", "radio", "select", "download"):
        assert reached in names


def test_sorting_and_filtering_are_read_out(page: "Page") -> None:
    status = page.get_by_role("status").and_(page.locator("#status"))
    button = page.locator("#board th[data-column='1'] button")
    said = []
    for _ in range(3):
        button.click()
        said.append(status.inner_text())
    assert said == ["Sorted by accuracy, descending", "Sorted by accuracy, ascending", "In the report's order"]
    assert page.locator("#board .count").get_attribute("aria-live") == "polite"


def test_arrow_keys_bring_a_cell_out_from_under_the_sticky_heads(open_page: Opener) -> None:
    page = open_page(viewport={"width": 390, "height": 500}, reduced_motion="reduce")
    row = page.locator("#board tbody tr").nth(1)
    edge = row.locator("th").evaluate(RIGHT)
    row.locator("td:nth-child(3) button.noted").focus()
    hide = """(cell) => {
        cell.closest(".box").scrollLeft = cell.offsetLeft - cell.parentElement.cells[0].offsetWidth + 40;
    }"""
    row.locator("td:nth-child(2)").evaluate(hide)
    assert row.locator("td:nth-child(2)").evaluate(LEFT) < edge - 30
    page.keyboard.press("ArrowLeft")
    assert page.locator("#board button.noted:focus").evaluate(LEFT) >= edge - 1


@pytest.mark.parametrize("width", [320, 640])  # 640: a window of 1280 at 200 %
def test_a_narrow_window_and_a_zoom_do_not_scroll_the_page_sideways(open_page: Opener, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 450})
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = page.evaluate(
        """() => [...document.querySelectorAll(".box, .svg, pre")]
            .filter((box) => box.scrollWidth > box.clientWidth)
            .map((box) => [box.tabIndex, box.ariaLabel ?? box.getAttribute("aria-labelledby"), box.role])"""
    )
    assert boxes
    assert all(tab_index == 0 and name and role for tab_index, name, role in boxes)


def test_nothing_moves_where_motion_is_not_wanted(open_page: Opener) -> None:
    moves = "[getComputedStyle(document.documentElement).scrollBehavior, getComputedStyle(skip).transitionDuration]"
    script = f"(() => {{ const skip = document.querySelector('.skip'); return {moves}; }})()"
    assert open_page(reduced_motion="no-preference").evaluate(script) == ["smooth", "0.15s"]
    assert open_page(reduced_motion="reduce").evaluate(script) == ["auto", "0s"]


def test_paper_has_whole_tables_no_controls_and_addresses(page: "Page") -> None:
    page.emulate_media(media="print")
    assert page.locator("button:visible:not(.sort, .noted), input:visible, select:visible, audio:visible").count() == 0
    assert page.locator("#board .box").evaluate("(box) => getComputedStyle(box).overflow") == "visible"
    address = page.locator(".links a").evaluate("(link) => getComputedStyle(link, '::after').content")
    assert "attr(href)" in address or "more.html" in address


def test_there_is_one_heading_of_the_page_and_each_level_follows_the_one_above(page: "Page") -> None:
    levels = [int(level) for level in re.findall(r"<h([1-6])", page.content())]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
