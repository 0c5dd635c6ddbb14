"""Tables as wide as the terminal: no figure is ever cut, and characters that the encoding lacks are spelled in ASCII.

Only rich is loaded, and only to print.
"""

import codecs
import os
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from registry.text import spelled, visible

if TYPE_CHECKING:
    from rich.console import Console

SPELLED = "audiobench.spelled"  # the name of an error handler of encodings
_SPELLING = {"±": "+/-", "·": "-", "†": "+", "‡": "++"}  # characters of leaderboards that are not ASCII
_FULL_WIDTH = 10_000  # characters a line where the output is no terminal: no row is broken
_WORDS = 24  # characters that a column of words keeps
_BETWEEN = 2  # characters between two columns


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Spells in ASCII what an encoding lacks: nothing is lost, and different names stay different."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    piece = error.object[error.start : error.end]
    return "".join(_SPELLING.get(sign) or spelled(sign) for sign in piece), error.end


codecs.register_error(SPELLED, _spell)


def console() -> "Console":
    """Standard output: as wide as the terminal, or as ``COLUMNS`` says; where it is no terminal, lines stay whole."""
    from rich.console import Console, detect_legacy_windows

    is_bounded = sys.stdout.isatty() or os.environ.get("COLUMNS")
    width, height = shutil.get_terminal_size()
    return Console(
        width=width if is_bounded else _FULL_WIDTH,
        height=height,  # both, else rich takes 80 where TERM is dumb
        color_system=None if detect_legacy_windows() else "auto",  # what is captured would be escapes there
    )


def look_of(console: "Console") -> list[object]:
    """All that the text of a table on a console depends on, besides the table."""
    return [console.width, console.height, console.encoding, console.color_system, console.is_terminal]


def print_grid(
    console: "Console",
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: Collection[int] = (0,),
    keys: Sequence[int] = (0,),
    sections: Sequence[str] = (),
    bold: Collection[tuple[int, int]] = (),
) -> None:
    """Prints a table. Where the console is too narrow, prints several tables, each with the columns that name a row.

    Args:
        console: its width is the width of the lines.
        title: above the table; may be empty.
        header: the head of each column.
        rows: of cells, which are plain text.
        words: columns of words, which may be wrapped; in the other columns, of figures, only heads may.
        keys: columns that name a row.
        sections: the section of each column; on a narrow console each section is a table, named in its title.
        bold: the bold cells, as row and column.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    def text(raw: str) -> str:
        return visible(raw).encode(console.encoding, SPELLED).decode(console.encoding)

    header, rows = [text(head) for head in header], [[text(cell) for cell in row] for row in rows]
    columns = _Columns(header, rows, words, keys, max(console.width, 1))
    for section, chosen in columns.pages(sections):
        if title:
            console.print(Text(text(f"{title} · {section}" if section else title), "italic"))
        lines = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
        for i, width in zip(chosen, columns.widths(chosen), strict=True):
            lines.add_column(Text(header[i]), justify="left" if i in words else "right", width=width, overflow="fold")
        for n, row in enumerate(rows):
            lines.add_row(*(Text(row[i], "bold" if (n, i) in bold else "") for i in chosen))
        console.print(lines)
        console.print()


class _Columns:
    """How wide the columns of a table are, and which stand side by side.

    Args:
        header: the head of each column.
        rows: of cells.
        words: columns that may be wrapped.
        keys: columns that every page repeats.
        room: width of the console in characters.
    """

    def __init__(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        words: Collection[int],
        keys: Sequence[int],
        room: int,
    ) -> None:
        from rich.cells import cell_len

        self.keys, self.room = list(keys), room
        self.others = [i for i in range(len(header)) if i not in keys]
        self.natural, self.least = [], []
        for i, head in enumerate(header):
            cells = max((cell_len(row[i]) for row in rows), default=0)
            self.natural.append(max(cells, cell_len(head), 1))
            needed = max(cells, *(cell_len(word) for word in head.split() or [""]), 1)
            self.least.append(min(self.natural[i], _WORDS) if i in words else needed)
        widest = max((self.least[i] for i in self.others), default=0)
        for i in keys:  # names of rows are wrapped before figures are
            self.least[i] = min(self.least[i], max(room - widest, room // 3) // len(keys) - _BETWEEN)
            self.least[i] = max(self.least[i], 1)
        left = max(room - self._taken(self.least[i] for i in keys) - _BETWEEN, 1)
        for i in self.others:  # on the narrowest consoles figures are wrapped, too
            self.least[i], self.natural[i] = min(self.least[i], left), min(self.natural[i], room)

    def pages(self, sections: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
        """The columns of each table to print, with the name of their section."""
        every = sorted([*self.keys, *self.others])
        if self._fit(every):
            yield "", every
            return
        for section in dict.fromkeys(sections[i] if sections else "" for i in self.others):
            page: list[int] = []
            for i in self.others:
                if sections and sections[i] != section:
                    continue
                if page and not self._fit([*self.keys, *page, i]):
                    yield section, sorted([*self.keys, *page])
                    page = []
                page.append(i)
            yield section, sorted([*self.keys, *page])

    def widths(self, chosen: Sequence[int]) -> list[int]:
        """The widths of columns: spare room is shared equally among the columns that need more."""
        width = {i: self.least[i] for i in chosen}
        spare = self.room - self._taken(width.values())
        while spare > 0 and (short := [i for i in chosen if width[i] < self.natural[i]]):
            for i in short[:spare]:
                width[i] += 1
            spare -= len(short[:spare])
        return list(width.values())

    def _fit(self, chosen: Sequence[int]) -> bool:
        return self._taken(self.least[i] for i in chosen) <= self.room

    @staticmethod
    def _taken(widths: "Iterator[int] | Collection[int]") -> int:
        return sum(width + _BETWEEN for width in widths) - _BETWEEN
