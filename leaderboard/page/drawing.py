"""Places, colours and words that the template needs and computes from the content."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from leaderboard.page.content import EmbeddingMap, PageCell, PageColumn, PageTable, Picture, Sign
from registry.text import visible

MARGIN = 0.04  # of a scale's length, left free at both ends


@dataclass(frozen=True)
class Scale:
    """Where a column's bars begin and end."""

    low: float
    high: float

    def bar(self, cell: PageCell) -> list[tuple[str, str]]:
        """The elements of a cell's bar, from back to front, with their CSS; none without interval and diamond."""
        if cell.interval is None and cell.diamond is None:
            return []
        elements = []
        if self.low < 0 < self.high:
            elements.append(("zero", self._at(0)))
        if cell.interval:
            low, mean, high = cell.interval
            width = self._percent(high) - self._percent(low)
            elements += [("range", f"{self._at(low)};width:{width:.1f}%"), ("mean", self._at(mean, 1))]
        if cell.diamond is not None:
            elements.append(("diamond", self._at(cell.diamond, 6)))
        return elements

    def _percent(self, value: float) -> float:
        return 100 * (value - self.low) / (self.high - self.low)

    def _at(self, value: float, half: int = 0) -> str:
        """CSS that puts an element at a value; with half its width in pixels, its middle stands there."""
        place = f"{self._percent(value):.1f}%"
        return f"margin-left:calc({place} - {half}px)" if half else f"margin-left:{place}"


def scale(cells: Iterable[PageCell]) -> Scale | None:
    """The common scale of a column's bars; None for a column without bars."""
    drawn = [value for cell in cells for value in (*(cell.interval or ()), cell.diamond) if value is not None]
    if not drawn:
        return None
    margin = MARGIN * (max(drawn) - min(drawn)) or MARGIN
    return Scale(min(drawn) - margin, max(drawn) + margin)


def scales(grid: PageTable) -> list[Scale | None]:
    """The scale of every column."""
    return [scale(row[i] for row in grid.rows) for i in range(len(grid.columns))]


def said(cell: PageCell) -> str:
    """A cell's note, after words for its bar, and for a best cell."""
    decimals = _decimals(cell.text)
    sentences = ["Best of its column"] if cell.best else []
    if cell.interval:
        low, _, high = cell.interval
        sentences.append(f"95 % interval {_number(low, decimals)} to {_number(high, decimals)}")
    if cell.diamond is not None:
        sentences.append(f"Published {_number(cell.diamond, decimals)}")
    sentences += [cell.note] if cell.note else []
    return _joined(sentences)


def as_read(cell: PageCell) -> str:
    """A cell's text and signs."""
    return " ".join([cell.text, *(sign.sign for sign in cell.signs)])


def explained(column: PageColumn, bars: Scale | None) -> str:
    """The note of a column's head: its help, and the scale of its bars."""
    sentences = [column.help] if column.help else []
    if bars:
        decimals = max(2, 1 - math.floor(math.log10(bars.high - bars.low)))  # two digits of the scale's length
        sentences.append(f"Bars run from {_number(bars.low, decimals)} to {_number(bars.high, decimals)}")
    return _joined(sentences)


def _joined(sentences: list[str]) -> str:
    return ". ".join(sentence.rstrip(".") for sentence in sentences) + "." if sentences else ""


def labelled(picture: Picture) -> Markup:
    """A picture's markup, with its alternative text."""
    label = f'<svg role="img" aria-label="{escape(visible(picture.alt))}"'
    return Markup(picture.svg.replace("<svg", label, 1))  # nosec B704 # matplotlib wrote it, and escaped all texts


def groups(columns: list[PageColumn]) -> list[tuple[str, list[int]]]:
    """The upper header row: each heading, and the indices of its columns; a column without a heading stands alone."""
    headings: list[tuple[str, list[int]]] = []
    for name, members in groupby(range(len(columns)), key=lambda i: columns[i].group):
        indices = list(members)
        headings += [(name, indices)] if name else [("", [i]) for i in indices]
    return headings


def cell_classes(grid: PageTable, scales: list[Scale | None]) -> list[str]:
    """The CSS classes that the cells of each column share."""
    classes = []
    for i, (column, bars) in enumerate(zip(grid.columns, scales, strict=True)):
        begins = i > 0 and column.group != grid.columns[i - 1].group
        holds = {"number": column.kind == "number", "first": begins, "drawn": bars is not None}
        classes.append(" ".join(name for name, held in holds.items() if held))
    return classes


def published(grid: PageTable) -> bool:
    """Whether a published value is drawn in a table."""
    return any(cell.diamond is not None for row in grid.rows for cell in row)


def signs(grid: PageTable) -> list[Sign]:
    """The signs that a table uses, each once."""
    return list(dict.fromkeys(sign for row in grid.rows for cell in row for sign in cell.signs))


def map_data(drawn: EmbeddingMap) -> dict[str, Any]:
    """A map for the page's script: lists as long as the points, classes by index (-1: none), coordinates in [0, 1].

    Both axes have one scale: the longer axis runs from 0 to 1.

    Raises:
        KeyError: if a label or a prediction is not among the classes.
    """
    index = {name: i for i, name in enumerate(drawn.classes)}
    known = {**index, "": -1}
    left, bottom = (min((p.x for p in drawn.points), default=0), min((p.y for p in drawn.points), default=0))
    extent = max((max(p.x - left, p.y - bottom) for p in drawn.points), default=0) or 1
    return {
        "classes": drawn.classes,
        "colours": colours(len(drawn.classes)),
        "x": [round((p.x - left) / extent, 4) for p in drawn.points],
        "y": [round((p.y - bottom) / extent, 4) for p in drawn.points],
        "clip": [p.clip for p in drawn.points],
        "label": [index[p.label] for p in drawn.points],
        "predicted": [known[p.predicted] for p in drawn.points],
        "audio": [p.audio for p in drawn.points],
    }


def colours(count: int) -> list[str]:
    """One colour a class: hues around the circle, neighbours of unlike lightness, all visible on white and on black."""
    return [f"oklch({(0.65, 0.54)[i % 2]} 0.15 {25 + 360 * i / count:.0f})" for i in range(count)]


def _decimals(text: str) -> int | None:
    match = re.search(r"\.(\d+)", text)
    return len(match[1]) if match else None


def _number(value: float, decimals: int | None) -> str:
    """A number with the decimals of the figure beside it; up to three where that figure has none."""
    text = f"{value:.3f}".rstrip("0").rstrip(".") if decimals is None else f"{value:.{decimals}f}"
    return text.replace("-", "−")  # noqa: RUF001 (a minus sign, as wide as the figures)
