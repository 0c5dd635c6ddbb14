import json
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from leaderboard.page import render
from leaderboard.page.content import EmbeddingMap, Item, PageCell, PageColumn, PageTable, Point, Report, Section
from tests.leaderboard.page.sample import NASTY, clips, report

VOID = {"meta", "link", "input", "br", "path"}  # path: closed in place, by the sample's figure


class Reader(HTMLParser):
    """Collects elements, and fails where one is closed that is not open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(*items: Item) -> Report:
    return Report("Title", "", [], [Section("only", "Only", [], list(items))])


def test_a_page_is_well_formed_and_ids_are_unique() -> None:
    page = Reader(render(report()))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_names_that_look_like_markup_stay_text() -> None:
    page = Reader(render(report()))
    assert [attributes.get("type") for attributes in page.all("script")] == [None, "application/json", "module"]
    data = next(json.loads(text) for tag, text in page.texts if tag == "script" and text.startswith('{"'))
    assert NASTY in data["clip"]
    assert any(text == NASTY for tag, text in page.texts if tag == "th")


def test_a_page_refers_to_nothing_outside_itself() -> None:
    page = Reader(render(report()))
    places = [
        v or "" for _, attributes in page.elements for k, v in attributes.items() if k in ("src", "href", "action")
    ]
    assert places
    assert {place for place in places if not place.startswith(("#", "data:,"))} == {"index.html", "more.html"}
    style = next(text for tag, text in page.texts if tag == "style")
    assert style.count("url(") == style.count('url("data:')
    assert "@import" not in style


def test_headings_leave_no_level_out() -> None:
    levels = [int(tag[1]) for tag, _ in Reader(render(report())).elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_columns_of_a_group_stand_under_its_heading() -> None:
    heads = [a for a in Reader(render(report())).all("th") if a.get("scope") in ("col", "colgroup")]
    board = heads[:8]  # entry, freeze, knn, parameters; then what is under the groups
    assert [a.get("colspan") for a in board] == [None, "3", "1", None, None, None, None, None]
    assert [a.get("rowspan") for a in board] == ["2", None, None, "2", None, None, None, None]
    assert [a.get("data-column") for a in board] == ["0", None, None, "5", "1", "2", "3", "4"]


def test_bars_of_a_column_share_a_scale() -> None:
    # The column runs from 0 to 1, and 4 % further at both ends: 0.2 lies at 0.24 / 1.08 of it.
    rows = [[PageCell("a", 1, (0, 0.5, 1))], [PageCell("b", 2, (0.2, 0.3, 0.4), diamond=0.8)]]
    styles = [
        a["style"]
        for a in Reader(render(page_of(PageTable("g", "G", [PageColumn("x")], rows)))).all("i")
        if "style" in a
    ]
    assert styles[2:5] == [  # of a: zero is within the scale too, so a line, a range and a tick come first
        "margin-left:calc(50.0% - 1px)",
        "margin-left:3.7%",
        "margin-left:22.2%;width:18.5%",
    ]
    assert styles[6] == "margin-left:calc(77.8% - 6px)"


def test_what_a_cell_tells_is_in_its_name() -> None:
    cell = PageCell("0.50", 0.5, (0.4, 0.5, 0.6), diamond=0.55, note="5 folds.", best=True)
    page = Reader(render(page_of(PageTable("g", "G", [PageColumn("x")], [[cell]]))))
    assert [a["aria-label"] for a in page.all("button") if a.get("class") == "noted"] == [
        "0.50. Best of its column. 95 % interval 0.40 to 0.60. Published 0.55. 5 folds."
    ]


def test_a_mark_is_explained_once() -> None:
    assert render(report()).count("Pretrained on recordings of the test folds.") == 1


def test_a_map_keeps_one_scale_for_both_axes() -> None:
    points = [Point(10, 10, "a", "dog"), Point(20, 15, "b", "dog")]
    html = render(page_of(EmbeddingMap("m", "M", ["dog"], points)))
    data = next(json.loads(text) for tag, text in Reader(html).texts if tag == "script" and text.startswith('{"'))
    assert (data["x"], data["y"], data["predicted"]) == ([0, 1], [0, 0.5], [-1, -1])


def test_an_empty_map_and_an_empty_table_are_pages_too() -> None:
    Reader(render(page_of(EmbeddingMap("m", "M", [], []), PageTable("g", "G", [PageColumn("x")], []))))


def test_what_would_break_a_page_is_refused() -> None:
    with pytest.raises(ValueError, match="clips"):
        render(page_of(clips(), clips()))
    with pytest.raises(ValueError, match="as long as the header"):
        render(page_of(PageTable("g", "G", [PageColumn("x")], [[PageCell("1"), PageCell("2")]])))
    with pytest.raises(ValueError, match="JSON"):
        render(page_of(replace(clips(), points=[Point(float("inf"), 0, "a", "dog")])))
    with pytest.raises(KeyError, match="cow"):
        render(page_of(replace(clips(), points=[Point(0, 0, "a", "cow")])))
