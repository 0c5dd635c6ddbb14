"""Texts of others, such as names of files, classes and entries, made plain where they leave the program."""

import unicodedata
from typing import TextIO

_JOINERS = "\u200c\u200d"  # inside words of some scripts, and inside emoji
_FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")  # a spreadsheet computes a cell that begins so


def visible(text: str) -> str:
    """A text in one line. Control characters, signs that nobody sees, and halves of characters are spelled.

    ``a\\nb`` in a name would break a table, an escape sequence would speak to the terminal, and a sign that turns the
    direction would show another name than it is.
    """
    if text.isascii() and text.isprintable():  # nearly all texts
        return text
    return "".join(spelled(sign) if _is_hidden(sign) else sign for sign in text)


def visible_lines(text: str) -> str:
    """A text of several lines, made visible line by line."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))


def say(text: object, stream: TextIO | None = None) -> None:
    """Prints a text in which names of others may stand; without a stream on standard output."""
    print(visible_lines(str(text)), file=stream, flush=True)


def no_formula(text: str) -> str:
    """A text for a cell of a CSV file: an apostrophe before it where a spreadsheet would take it for a formula.

    Source: OWASP, CSV Injection.
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def spelled(sign: str) -> str:
    """A character in ASCII, as Python writes it."""
    return sign.encode("unicode_escape").decode("ascii")


def _is_hidden(sign: str) -> bool:
    kind = unicodedata.category(sign)
    return kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and sign not in _JOINERS)
