import csv
import io
import re
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.leaderboard.page.sample import ENTRIES, FIGURES, NASTY

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Opener = Callable[..., "Page"]
ACCURACY, CONTROL, VERDICT, KNN, PARAMETERS = range(1, 6)


def wait(page: "Page", condition: str) -> None:
    """Until a script's condition holds (the browser's own waiting needs eval, which the page's policy forbids)."""
    end = time.monotonic() + 10
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(20)


def entries(page: "Page") -> list[str]:
    """Those that are shown, from the top."""
    names = page.locator("#board tbody tr:visible th").all_inner_texts()
    return [name.removesuffix("†").strip() for name in names]


def head(page: "Page", column: int) -> "Locator":
    return page.locator(f"#board th[data-column='{column}']")


def test_numbers_sort_as_numbers_with_empty_cells_last(page: "Page") -> None:
    high_first = ["vicreg", "random-fine", "simclr", "moco", "byol", "swav", "npid", "cpc", "random"]
    assert high_first == sorted(ENTRIES, key=lambda name: -(FIGURES[ENTRIES.index(name)] or -1))
    button = head(page, ACCURACY).get_by_role("button")
    button.click()
    assert entries(page) == high_first
    assert head(page, ACCURACY).get_attribute("aria-sort") == "descending"
    button.click()
    assert entries(page) == [*high_first[-2::-1], "random"]
    assert head(page, ACCURACY).get_attribute("aria-sort") == "ascending"
    button.click()
    assert entries(page) == ENTRIES
    assert head(page, ACCURACY).get_attribute("aria-sort") is None


def test_a_column_whose_lowest_number_is_the_best_sorts_from_there_first(page: "Page") -> None:
    button = head(page, KNN).get_by_role("button")
    button.click()
    assert entries(page) == ["cpc", "npid", "swav", "byol", "moco", "simclr", "random-fine", "vicreg", "random"]
    button.click()
    assert head(page, KNN).get_attribute("aria-sort") == "descending"


def test_sorting_works_by_keyboard_and_for_texts(page: "Page") -> None:
    head(page, 0).get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert entries(page) == sorted(ENTRIES)
    head(page, VERDICT).get_by_role("button").focus()
    page.keyboard.press("Space")
    assert entries(page)[:5] == ["moco", "byol", "random-fine", "cpc", "vicreg"]  # verdict 0, 2, 4, 6, 8
    assert page.locator("#board th[aria-sort]").count() == 1


def test_a_filter_hides_other_rows_and_counts(page: "Page") -> None:
    page.get_by_label("Filter by entry").fill("rand")
    assert entries(page) == ["random", "random-fine"]
    assert page.locator("#board .count").inner_text() == "2 of 9"
    page.get_by_label("Filter by entry").fill("FINE rand")
    assert entries(page) == ["random-fine"]
    page.get_by_label("Filter by entry").fill("")
    assert entries(page) == ENTRIES


def copied(page: "Page", name: str) -> str:
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.get_by_role("button", name=name).click()
    wait(page, "window.copied")
    return str(page.evaluate("window.copied"))


def test_csv_copies_what_is_shown_unrounded(page: "Page") -> None:
    page.get_by_label("Filter by entry").fill("p")  # cpc, npid
    head(page, 0).get_by_role("button").click()
    rows = list(csv.DictReader(io.StringIO(copied(page, "Copy CSV"))))
    assert [row["entry"] for row in rows] == ["cpc", "npid"]
    assert [row["freeze accuracy"] for row in rows] == ["0.0905", "0.1"]
    assert page.locator("#status").inner_text() == "Copied"


def test_markdown_copies_what_is_read(page: "Page") -> None:
    lines = copied(page, "Copy Markdown").splitlines()
    assert lines[0] == "| entry | freeze accuracy | freeze minus control | freeze verdict | knn error | parameters |"
    assert lines[1] == "| :--- | ---: | ---: | :--- | ---: | ---: |"
    assert lines[2] == "| moco † | 0.810 | -4 | verdict 0 | 0.810 | 1 |"
    assert len(lines) == 2 + len(ENTRIES)


def test_code_copies_whole(page: "Page") -> None:
    assert copied(page, "Copy Command") == "a < b\n" + "x" * 300


def test_arrow_keys_go_from_cell_to_cell_and_tell_their_notes(page: "Page") -> None:
    tip = page.get_by_role("tooltip")
    page.locator("#board button.noted").first.focus()
    assert "5 folds of moco" in tip.inner_text()
    page.keyboard.press("ArrowDown")
    assert "5 folds of simclr" in tip.inner_text()
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() == "-3. 95 % interval −4 to −2."  # noqa: RUF001
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    assert page.locator("#board tbody [tabindex='0']").count() == 1


def test_notes_and_help_show_on_hover_and_go_away(page: "Page") -> None:
    tip = page.locator("#tip")
    page.locator("#board button.noted").first.hover()
    assert "95 % interval 0.780 to 0.840" in tip.inner_text()
    head(page, ACCURACY).get_by_role("button").hover()
    assert tip.inner_text().startswith("Mean over folds. Bars run from")
    page.locator("h1").hover()
    tip.wait_for(state="hidden")


def map_in_view(page: "Page") -> "Locator":
    """The map's canvas, once it is drawn."""
    canvas = page.get_by_role("application")
    canvas.scroll_into_view_if_needed()
    wait(page, "document.querySelector('#clips').clipMap !== undefined")
    return canvas


def test_arrow_keys_walk_over_the_map(page: "Page") -> None:
    map_in_view(page).focus()
    readout = page.locator("#clips .readout")
    assert readout.inner_text() == "middle · dog · predicted dog (right)"
    page.keyboard.press("ArrowUp")
    assert readout.inner_text().startswith(NASTY)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert readout.inner_text() == "right · dog · predicted cat (wrong)"
    page.keyboard.press("ArrowRight")
    assert readout.inner_text() == "right · dog · predicted cat (wrong)"  # nothing further


def test_hovering_names_a_clip_and_clicking_plays_it(page: "Page") -> None:
    map_in_view(page).hover()
    wait(page, "document.querySelector('#tip').textContent.startsWith('middle')")
    assert page.locator("#tip").inner_text() == "middle · dog · predicted dog (right)"
    page.mouse.down()
    page.mouse.up()
    wait(page, "(a => !a.paused && a.currentTime > 0)(document.querySelector('#clips audio'))")
    assert page.locator("#clips .readout").inner_text().endswith("playing")


def test_enter_plays_escape_stops_and_a_missing_recording_is_said(page: "Page") -> None:
    canvas = map_in_view(page)
    canvas.click()  # the middle
    canvas.press("Escape")
    assert page.evaluate("document.querySelector('#clips audio').paused")
    canvas.press("Enter")
    wait(page, "!document.querySelector('#clips audio').paused")
    canvas.press("ArrowLeft")
    canvas.press("Enter")
    page.get_by_text("its recording cannot be played").wait_for()
    canvas.press("ArrowRight")
    canvas.press("ArrowRight")
    canvas.press("Enter")
    assert page.locator("#clips .readout").inner_text().endswith("no recording here")


def drawn(page: "Page") -> str:
    return str(page.evaluate("document.querySelector('#clips canvas').toDataURL()"))


def test_the_panel_and_the_theme_change_the_drawing(page: "Page") -> None:
    map_in_view(page)
    pictures = [drawn(page)]
    for change in (
        lambda: page.get_by_label("prediction", exact=True).check(),
        lambda: page.get_by_label("mark wrong").check(),
        lambda: page.get_by_label("Highlight").select_option("cat"),
        lambda: page.locator("#theme").click(),
    ):
        change()
        pictures.append(drawn(page))
    assert len(set(pictures)) == len(pictures)


def test_a_highlighted_class_is_all_that_keys_reach(page: "Page") -> None:
    canvas = map_in_view(page)
    canvas.click()
    page.get_by_label("Highlight").select_option("cat")
    canvas.press("ArrowRight")  # right is a dog
    assert page.locator("#clips .readout").inner_text().startswith("middle")
    canvas.press("ArrowLeft")
    assert page.locator("#clips .readout").inner_text().startswith("left")


def background(page: "Page") -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_theme_follows_the_system_until_one_is_chosen_and_kept(open_page: Opener) -> None:
    page = open_page(color_scheme="dark")
    dark = background(page)
    page.get_by_role("button", name="Switch to the light theme").click()
    assert background(page) == "rgb(255, 255, 255)" != dark
    page.reload()
    assert background(page) == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Switch to the dark theme").click()
    assert background(page) == dark


def test_paper_is_light_and_everything_is_unfolded(open_page: Opener) -> None:
    page = open_page(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert background(page) == "rgb(255, 255, 255)"
    assert page.locator(".top").is_hidden()
    folded = page.locator("details:not([open])").count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert folded
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == folded


def test_a_link_opens_the_folded_section_it_leads_to(page: "Page") -> None:
    page.get_by_role("navigation").get_by_text("Details").click()
    page.locator("#classes summary").wait_for()
    page.locator("#classes summary").click()
    assert NASTY in page.locator("#classes tbody th").inner_text()


def test_a_figure_downloads_as_a_drawing(page: "Page") -> None:
    with page.expect_download() as found:
        page.get_by_role("button", name="Download Accuracy over epochs").click()
    assert found.value.suggested_filename == "lines.svg"
    assert ElementTree.parse(found.value.path()).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_the_tables_need_no_script(open_page: Opener) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("#board tbody tr").count() == len(ENTRIES)


@pytest.mark.parametrize(("width", "phone"), [(1280, False), (390, True)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_never_scrolls_sideways(open_page: Opener, width: int, phone: bool, theme: str) -> None:
    page = open_page(viewport={"width": width, "height": 844}, color_scheme=theme, is_mobile=phone, has_touch=phone)
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    map_in_view(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    folder = Path(__file__).parents[3] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"page-{width}-{theme}.png", full_page=True)


def test_on_a_phone_the_entry_stays_in_sight_and_targets_are_large(open_page: Opener) -> None:
    page = open_page(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    entry = page.locator("#board tbody th").first
    before = entry.bounding_box()
    page.locator("#board .box").evaluate("(box) => { box.scrollLeft = 150; }")
    assert page.locator("#board .box").evaluate("(box) => box.scrollLeft") == 150
    assert entry.bounding_box() == before
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input[type=search], .panel label, nav a, summary")]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44)
            .map((one) => one.outerHTML)"""
    )
    assert small == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(open_page: Opener, theme: str) -> None:
    page = open_page(color_scheme=theme)
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    page.locator("#board button.noted").first.hover()  # the tip too
    found = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((one) => one.checkVisibility())
            .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
            .map((one) => {
                let behind = one;
                while (/rgba\\(.*, 0\\)/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
                return [getComputedStyle(one).color, getComputedStyle(behind).backgroundColor, one.outerHTML];
            })"""
    )
    assert len({(ink, paper) for ink, paper, _ in found}) > 4
    assert not [(ink, paper, text) for ink, paper, text in found if contrast(ink, paper) < 4.5]


def contrast(ink: str, paper: str) -> float:
    """Between two CSS colours, as WCAG 2.2 defines it."""
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_everything_that_works_or_shows_has_a_name(page: "Page") -> None:
    session = page.context.new_cdp_session(page)  # Chromium's own account of what assistive technology is told
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    wanted = {"button", "searchbox", "combobox", "radio", "checkbox", "image", "img", "region", "table", "link"}
    wanted |= {"application", "columnheader", "rowheader", "navigation", "heading"}
    found = [node for node in nodes if not node["ignored"] and node["role"]["value"] in wanted]
    assert {"button", "searchbox", "combobox", "table", "columnheader"} <= {node["role"]["value"] for node in found}
    assert not [node for node in found if not node.get("name", {}).get("value")]
    assert {"A rising line"} <= {node["name"]["value"] for node in found}
    assert page.locator("canvas").get_attribute("aria-describedby") == "clips-how"
