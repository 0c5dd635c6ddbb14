"""Names that mean something to Markdown, LaTeX, CSV or a terminal, shown as they are."""

import csv
import io
import re
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from leaderboard.render import render
from leaderboard.table import Table
from leaderboard.terminal import print_grid
from registry.text import no_formula, visible, visible_lines
from tests.leaderboard.test_table import make

NAMES = [
    "a|b",
    "a\\|b",
    "back\\",
    "*star*",
    "_under_",
    "snake_case_name",
    "`code`",
    "<b>bold</b>",
    "<!-- gone",
    "a < b",
    "&lt;",
    "[text](http://x)",
    "~~struck~~",
    "$x$",
    "# head",
    "- item",
    "> quote",
    "[red]x[/red]",
    "two\nlines",
    "ring\r\x07\x1b[31m",
    "\u202eturned",
    "half \ud800",
    "x" * 300,
    "größer 大",
    "=cmd|' /C calc'!A0",
    "+1",
    "@SUM(1)",
    "\t=1",
    "\x9b2J\u200bnothing\u2066",
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    epochs = {1: {1: [0, 1, 0, 0]}, 2: {1: [1, 1, 0, 1]}}
    runs = {(name, 0): epochs for name in NAMES}
    return make(tmp_path_factory.mktemp("runs"), "last", runs, title="1 < 2 | *Title* <i> #")


def test_markdown_shows_every_name_as_it_is(table: Table) -> None:
    """As another program reads it: CommonMark, with GitHub's tables."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(render(table, "md"))
    texts = [token for token in tokens if token.type == "inline"]
    plain = ["".join(child.content for child in token.children or ()) for token in texts]
    assert plain[0] == "1 < 2 | *Title* <i> #"
    assert {child.type for token in texts for child in token.children or ()} <= {"text", "strong_open", "strong_close"}
    rows = [i for i, token in enumerate(tokens) if token.type == "tr_open"]
    first = ["".join(child.content for child in tokens[i + 2].children or ()) for i in rows]
    assert first[: 1 + len(NAMES)] == ["entry", *map(visible, NAMES)]
    cells = [sum(token.type in ("td_open", "th_open") for token in tokens[i:j]) for i, j in pairwise(rows)]
    assert len(set(cells[: 1 + len(NAMES)])) == 1
    assert not [token for token in tokens if token.type in ("html_block", "blockquote_open", "fence", "hr")]


def test_markdown_of_plain_names_is_left_alone(tmp_path: Path) -> None:
    written = render(make(tmp_path, "last", {("cnn_10-b.c (x)", 0): {1: {1: [0, 1, 0, 0]}}}), "md")
    assert "| cnn_10-b.c (x) " in written
    assert "\\" not in written


def test_latex_keeps_every_row(table: Table) -> None:
    written = render(table, "latex")
    body = written[written.index("\\begin{tabular}") : written.index("\\end{tabular}")]
    rows = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert len(rows) >= 1 + len(NAMES)  # and those that are published alone
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {rows[0].count("&")}
    assert not re.search(r"^ *[*\[]", body, re.MULTILINE)
    assert all(line.startswith("%") for line in written[written.rindex("\\end{table}") :].splitlines()[1:] if line)
    assert all(sign.isprintable() or sign == "\n" for sign in written)


def test_csv_keeps_every_row(table: Table) -> None:
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert [row["entry"] for row in rows if row["figure"]] == [no_formula(visible(name)) for name in NAMES]
    texts = [cell for row in rows for cell in row.values() if not re.fullmatch(r"-?[\d.e-]*", cell)]
    assert not [text for text in texts if text[0] in "=+-@\t\r"]
    assert "'=cmd|' /C calc'!A0" in texts
    assert all(sign.isprintable() for text in texts for sign in text)


@pytest.mark.parametrize("width", [10, 20, 40, 80, 10_000])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_console_is_too_narrow(width: int, encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    rows = [[name, "0.123 ± 0.045", "1-2"] for name in NAMES]
    print_grid(Console(file=out, width=width), "Title", ["entry", "accuracy (last)", "rank"], rows)
    out.flush()
    shown = out.buffer.getvalue().decode(encoding)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width
    assert "\x1b" not in shown
    assert "…" not in shown
    if width >= 40:
        assert shown.count("0.123 ± 0.045" if encoding == "utf-8" else "0.123 +/- 0.045") == len(NAMES)
    assert re.sub(r"\s", "", shown).count("x") >= 300


def test_what_does_not_show_is_spelled() -> None:
    assert visible("a\nb\t\x1b\u202e\u2028\ud800") == "a\\nb\\t\\x1b\\u202e\\u2028\\ud800"
    assert visible("größer 大 نص 👩‍🔬") == "größer 大 نص 👩‍🔬"
    assert visible("\x9b\u200b\u2060\ufeff\xad\u2066") == "\\x9b\\u200b\\u2060\\ufeff\\xad\\u2066"
    assert visible_lines("a\tb\n\x1b[2J") == "a\tb\n\\x1b[2J"


def test_numbers_of_a_csv_stay_numbers() -> None:
    assert [no_formula(text) for text in ("=1+1", "-x", "plain", "a=b", "")] == ["'=1+1", "'-x", "plain", "a=b", ""]
