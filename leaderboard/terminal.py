"""Tables on a terminal, as wide as it is: a figure is never cut, and what its encoding lacks is written otherwise.

Only rich is loaded, and only to print.
"""

import codecs
import os
import shutil
import sys
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

SPELLED = "audiobench.spelled"  # the name of an error handler of encodings
_SPELLING = {"±": "+/-", "·": "-", "†": "+", "‡": "++"}  # what boards hold besides ASCII
_FULL_WIDTH = 10_000  # columns of what is no terminal: a line is a row
_WORDS = 24  # columns that a column of words keeps
_BETWEEN = 2  # columns between two


def visible(text: str) -> str:
    """A text in one line: control characters, marks that turn the direction, and halves of characters are spelled.

    ``a\\nb`` in a name would break a table, and an escape sequence would speak to the terminal.
    """
    return "".join(_spelled(sign) if _is_hidden(sign) else sign for sign in text)


def _is_hidden(sign: str) -> bool:
    kind = unicodedata.category(sign)
    turns = kind == "Cf" and unicodedata.bidirectional(sign) != "BN"  # joiners inside a word stay
    return turns or kind in ("Cc", "Cs", "Zl", "Zp") or sign == "\ufeff"


def _spelled(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


def _spell(error: UnicodeError) -> tuple[str, int]:
    """What an encoding lacks, in ASCII: nothing is lost, and different names stay different."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    piece = error.object[error.start : error.end]
    return "".join(_SPELLING.get(sign) or _spelled(sign) for sign in piece), error.end


codecs.register_error(SPELLED, _spell)


def console() -> "Console":
    """Standard output: as wide as the terminal, or as ``COLUMNS`` says; anything else takes whole lines."""
    from rich.console import Console

    is_bounded = sys.stdout.isatty() or os.environ.get("COLUMNS")
    width, height = shutil.get_terminal_size()
    return Console(
        width=width if is_bounded else _FULL_WIDTH, height=height
    )  # both, else rich takes 80 where TERM is dumb


def print_grid(
    console: "Console",
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: Collection[int] = (0,),
    keys: Sequence[int] = (0,),
    parts: Sequence[str] = (),
    bold: Collection[tuple[int, int]] = (),
) -> None:
    """Prints a table, or where the console is too narrow several, which repeat what names a row.

    Args:
        console: as wide as the lines may be.
        title: above it; may be empty.
        header: of each column.
        rows: of cells, which are text and no markup.
        words: columns that may be wrapped; the others are figures, and only their heads are.
        keys: columns that name a row.
        parts: what each column belongs to; a narrow console gives each part a table of its own, with this in its title.
        bold: cells, as row and column.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    def text(raw: str) -> str:
        return visible(raw).encode(console.encoding, SPELLED).decode(console.encoding)

    header, rows = [text(head) for head in header], [[text(cell) for cell in row] for row in rows]
    columns = _Columns(header, rows, words, keys, max(console.width, 1))
    for part, chosen in columns.pages(parts):
        if title:
            console.print(Text(text(f"{title} · {part}" if part else title), "italic"))
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
        header: of each column.
        rows: of cells.
        words: columns that may be wrapped.
        keys: columns that every page repeats.
        room: columns of the console.
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
        for i in keys:  # what names a row goes on in the next line before a figure does
            self.least[i] = min(self.least[i], max(room - widest, room // 3) // len(keys) - _BETWEEN)
            self.least[i] = max(self.least[i], 1)
        left = max(room - self._taken(self.least[i] for i in keys) - _BETWEEN, 1)
        for i in self.others:  # on the narrowest consoles figures go on in the next line
            self.least[i], self.natural[i] = min(self.least[i], left), min(self.natural[i], room)

    def pages(self, parts: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
        """The columns of each table to print, with the name of their part."""
        every = sorted([*self.keys, *self.others])
        if self._fit(every):
            yield "", every
            return
        for part in dict.fromkeys(parts[i] if parts else "" for i in self.others):
            page: list[int] = []
            for i in self.others:
                if parts and parts[i] != part:
                    continue
                if page and not self._fit([*self.keys, *page, i]):
                    yield part, sorted([*self.keys, *page])
                    page = []
                page.append(i)
            yield part, sorted([*self.keys, *page])

    def widths(self, chosen: Sequence[int]) -> list[int]:
        """Their widths: what is over goes to those that want it, in equal parts."""
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
