"""Reads tables from spreadsheets and other systems: a table is read whole, or refused with file and line."""

import codecs
import csv
import math
import os
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from registry.errors import Mistake
from registry.tasks._files import composed

_SEPARATORS = ",;\t|"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_AS_TEXT = "save it as CSV in UTF-8"
_SHOWN = 10

csv.field_size_limit(10_000_000)  # FMA has long stories in its cells


@dataclass(frozen=True)
class TableRow:
    """A row of a table: its cells by column, without spaces around them, and its place (``file:line``)."""

    cells: Mapping[str, str]
    where: str

    def __contains__(self, column: str) -> bool:
        return column in self.cells

    def __getitem__(self, column: str) -> str:
        """A cell; empty where the table has no such column."""
        return self.cells.get(column, "")

    def filled(self, column: str) -> str:
        """A cell that must not be empty.

        Raises:
            Mistake: if it is empty.
        """
        if not self[column]:
            raise Mistake(f"the {column} is empty", where=self.where)
        return self[column]

    def number(self, column: str, allowed: Sequence[int] | None = None) -> int:
        """A whole number of 0 or more.

        Args:
            column: of the cell.
            allowed: the numbers that it may be; any by default.

        Raises:
            Mistake: if the cell is no such number.
        """
        text = self[column]
        if not (text.isascii() and text.isdecimal()) or len(text) > 9:
            raise Mistake(f"the {column} {text!r} is no whole number", where=self.where)
        if allowed is not None and int(text) not in allowed:
            raise Mistake(f"the {column} {text} is none of {min(allowed)} to {max(allowed)}", where=self.where)
        return int(text)

    def real(self, column: str) -> float:
        """A number, with or without decimals after a point.

        Raises:
            Mistake: if the cell is no number, or not a finite one.
        """
        text = self[column]
        try:
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise Mistake(f"the {column} {text!r} is no finite number", where=self.where, fix="write it as 12 or 0.5")
        return value

    def one_of(self, column: str, known: Container[str], names: str = "") -> str:
        """A cell that holds one of some names.

        Args:
            column: of the cell.
            known: the names.
            names: how a message calls them; by default it lists them.

        Raises:
            Mistake: if the cell holds another name.
        """
        if self[column] not in known:
            shown = names or ", ".join(list(known)[:_SHOWN]) if isinstance(known, Mapping | Sequence) else names
            raise Mistake(f"the {column} {self[column]!r} is none of {shown}", where=self.where)
        return self[column]


def read_table(
    path: Path, columns: Sequence[str], name: str, fix: str = "extract it again", *, either: Sequence[str] = ()
) -> list[TableRow]:
    """The rows below a head of column names; cells are separated by commas, semicolons, tabs or bars.

    Args:
        path: of the table; in UTF-8, or in the encoding of its byte-order mark.
        columns: the columns that the table must have.
        name: what a message calls the table if it is missing, with a verb: ``the metadata of ESC-50 is``.
        fix: what to do if the table is missing or cut short.
        either: columns of which the table must have exactly one; put the most usual first.

    Raises:
        Mistake: if the table is missing, is no text, or has no rows; if a column is missing or there twice; if a row
            has more cells than the head, or fewer.
    """
    lines = read_lines(path, name, fix, columns=[*columns, *either])
    where, names = next(lines)
    while not names[-1]:
        names.pop()
    given = [column for column in either if column in names]
    lacking = [column for column in columns if column not in names]
    lacking += [" or ".join(either)] if either and not given else []
    if lacking:
        needed = [*columns, *([" or ".join(either)] if either else [])]
        raise Mistake(
            f"the table needs the columns {' and '.join(needed)}, with commas between, and has "
            + ", ".join(map(repr, names[:_SHOWN])),
            where=where,
            fix=f"add {' and '.join(lacking)}",
        )
    if len(given) > 1:
        raise Mistake(f"the table has the columns {' and '.join(given)}", where=where, fix="keep one of them")
    twice = sorted({column for column in names if column and names.count(column) > 1})
    if twice:
        raise Mistake(f"the table has the column {', '.join(twice)} twice", where=where, fix="keep one")
    rows = [_row(names, cells, where, fix) for where, cells in lines]
    if not rows:
        raise Mistake("the table has a head and no rows", where=str(path), fix=fix)
    return rows


def read_lines(
    path: Path, name: str, fix: str, *, columns: Sequence[str] = (), comment: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """For each line of a table, its place (``file:line``) and its cells, without spaces around them.

    Args:
        path: of the table, in the form that ``read_table`` takes.
        name: what a message calls the table if it is missing.
        fix: what to do if it is missing.
        columns: names that the first line should hold; they help to find the separator.
        comment: the beginning of lines that are comments.

    Raises:
        Mistake: if the table is missing, is no text, or holds nothing but comments.
    """
    if not path.is_file():
        raise Mistake(f"{name} missing", where=str(path), fix=fix)
    with _opened(path) as file:
        first = next((line for line in file if line.strip() and not (comment and line.startswith(comment))), "")
    if not first:
        raise Mistake("the table is empty", where=str(path), fix=fix)
    with _opened(path) as file:
        reader = csv.reader(file, delimiter=_separator(first, columns), skipinitialspace=True, strict=True)
        filled = False
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells) and not (comment and cells[0].startswith(comment)):
                    if any("\0" in cell for cell in cells):
                        raise csv.Error("it holds zero bytes")
                    filled = True
                    yield f"{path}:{reader.line_num}", cells
        except csv.Error as error:
            raise Mistake(
                f"the table cannot be read: {error}",
                where=f"{path}:{reader.line_num}",
                fix=f"see to the quotes of that line, or {_AS_TEXT}",
            ) from error
        if not filled:  # there are separators, and nothing between them
            raise Mistake("the table is empty", where=str(path), fix=fix)


def require_distinct(rows: Sequence[TableRow], column: str, folder: Path) -> None:
    """Refuses a file that is listed twice, even in two spellings: ``a.wav``, ``./a.wav``, or another Unicode form.

    Args:
        rows: of a table.
        column: of the names of files.
        folder: of the files: names that differ only in case are looked up there.

    Raises:
        Mistake: if a file is listed twice, with both lines; or if a name is empty.
    """
    seen: dict[str, tuple[TableRow, str]] = {}
    for row in rows:
        path = composed(os.path.normpath(f"{folder}/{row.filled(column)}"))
        other, first = seen.setdefault(path.casefold(), (row, path))
        if other is not row and (path == first or _same_file(path, first)):
            twice = f"{row[column]} stands in the table twice, first in line {other.where.rpartition(':')[2]}"
            raise Mistake(twice, where=row.where, fix="leave one of them out")


def _same_file(a: str, b: str) -> bool:
    """Whether two names that differ in case are one file, which depends on the file system."""
    try:
        return os.path.samefile(a, b)  # noqa: PTH121 - these are strings
    except OSError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A table as text, without its byte-order mark."""
    with path.open("rb") as file:
        begin = file.read(4)
    bom, encoding = next(((bom, code) for bom, code in _BOMS if begin.startswith(bom)), (b"", "utf-8"))
    try:
        with path.open(newline="", encoding=encoding) as text:
            text.seek(len(bom))
            yield text
    except UnicodeDecodeError:
        line = _first_unreadable(path.read_bytes()[len(bom) :], encoding)
        raise Mistake(
            f"line {line} of the table is not {encoding.upper()}", where=f"{path}:{line}", fix=_AS_TEXT
        ) from None


def _first_unreadable(content: bytes, encoding: str) -> int:
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        return content[: error.start].decode(encoding).count("\n") + 1
    return 0


def _separator(line: str, columns: Sequence[str]) -> str:
    """The separator of a line's cells: the one that gives the most of the columns, or else the most cells."""

    def suits(separator: str) -> tuple[int, int]:
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]
        return sum(column in cells for column in columns), len(cells)

    return max(_SEPARATORS, key=suits)


def _row(names: Sequence[str], cells: list[str], where: str, fix: str) -> TableRow:
    surplus = len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :])
    if surplus or len(cells) < len(names):
        raise Mistake(
            f"the line has {len(cells)} cells, and the head has {len(names)}",
            where=where,
            fix='put a cell that holds a separator between quotes: "Speech, child"' if surplus else fix,
        )
    return TableRow({name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}, where)
