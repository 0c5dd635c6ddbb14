"""Places, colours and words that the template needs and the content does not state."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from leaderboard.page.content import Cell, Column, EmbeddingMap, Figure, Grid, Mark

MARGIN = 0.04  # of a scale's length, left free at both ends


@dataclass(frozen=True)
class Scale:
    """Where a column's bars begin and end."""

    low: float
    high: float

    def bar(self, cell: Cell) -> list[tuple[str, str]]:
        """The parts of a cell's bar, from back to front, with their CSS; none without interval and diamond."""
        if cell.interval is None and cell.diamond is None:
            return []
        parts = []
        if self.low < 0 < self.high:
            parts.append(("zero", self._at(0)))
        if cell.interval:
            low, mean, high = cell.interval
            width = self._percent(high) - self._percent(low)
            parts += [("range", f"{self._at(low)};width:{width:.1f}%"), ("mean", self._at(mean, 1))]
        if cell.diamond is not None:
            parts.append(("diamond", self._at(cell.diamond, 6)))
        return parts

    def _percent(self, value: float) -> float:
        return 100 * (value - self.low) / (self.high - self.low)

    def _at(self, value: float, half: int = 0) -> str:
        """CSS that puts a part at a value, by its middle if half its width in pixels is given."""
        place = f"{self._percent(value):.1f}%"
        return f"margin-left:calc({place} - {half}px)" if half else f"margin-left:{place}"


def scale(cells: Iterable[Cell]) -> Scale | None:
    """The common scale of a column's bars; None where there are none."""
    drawn = [value for cell in cells for value in (*(cell.interval or ()), cell.diamond) if value is not None]
    if not drawn:
        return None
    margin = MARGIN * (max(drawn) - min(drawn)) or MARGIN
    return Scale(min(drawn) - margin, max(drawn) + margin)


def scales(grid: Grid) -> list[Scale | None]:
    """The scale of every column."""
    return [scale(row[i] for row in grid.rows) for i in range(len(grid.columns))]


def said(cell: Cell) -> str:
    """What a cell tells beyond its text: of its bar, its note, and that it is the best."""
    decimals = _decimals(cell.text)
    parts = ["Best of its column"] if cell.best else []
    if cell.interval:
        low, _, high = cell.interval
        parts.append(f"95 % interval {_number(low, decimals)} to {_number(high, decimals)}")
    if cell.diamond is not None:
        parts.append(f"Published {_number(cell.diamond, decimals)}")
    parts += [cell.note] if cell.note else []
    return ". ".join(part.rstrip(".") for part in parts) + "." if parts else ""


def as_read(cell: Cell) -> str:
    """A cell's text and marks."""
    return " ".join([cell.text, *(mark.sign for mark in cell.marks)])


def explained(column: Column, bars: Scale | None) -> str:
    """What a column's head tells: its help, and from where to where its bars run."""
    parts = [column.help] if column.help else []
    if bars:
        decimals = max(2, 1 - math.floor(math.log10(bars.high - bars.low)))  # two digits of their length
        parts.append(f"Bars run from {_number(bars.low, decimals)} to {_number(bars.high, decimals)}")
    return ". ".join(part.rstrip(".") for part in parts) + "." if parts else ""


def labelled(figure: Figure) -> Markup:
    """A figure's markup, with its alternative text."""
    return Markup(figure.svg.replace("<svg", f'<svg role="img" aria-label="{escape(figure.alt)}"', 1))


def groups(columns: list[Column]) -> list[tuple[str, list[int]]]:
    """The upper header row: each heading, and the indices of the columns under it; those without one stand alone."""
    found: list[tuple[str, list[int]]] = []
    for name, members in groupby(range(len(columns)), key=lambda i: columns[i].group):
        indices = list(members)
        found += [(name, indices)] if name else [("", [i]) for i in indices]
    return found


def cell_classes(grid: Grid, scales: list[Scale | None]) -> list[str]:
    """The CSS classes that the cells of each column share."""
    found = []
    for i, (column, bars) in enumerate(zip(grid.columns, scales, strict=True)):
        begins = i > 0 and column.group != grid.columns[i - 1].group
        holds = {"number": column.kind == "number", "first": begins, "drawn": bars is not None}
        found.append(" ".join(name for name, held in holds.items() if held))
    return found


def published(grid: Grid) -> bool:
    """Whether a published value is drawn in a table."""
    return any(cell.diamond is not None for row in grid.rows for cell in row)


def marks(grid: Grid) -> list[Mark]:
    """The signs that a table uses, each once."""
    return list(dict.fromkeys(mark for row in grid.rows for cell in row for mark in cell.marks))


def map_data(drawn: EmbeddingMap) -> dict[str, Any]:
    """A map as the script reads it: lists as long as the points, classes by index (-1: none), coordinates in [0, 1].

    Both axes keep one scale: the longer runs from 0 to 1.

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
    found = re.search(r"\.(\d+)", text)
    return len(found[1]) if found else None


def _number(value: float, decimals: int | None) -> str:
    """As many decimals as the figure it goes with has; up to three where that has none."""
    text = f"{value:.3f}".rstrip("0").rstrip(".") if decimals is None else f"{value:.{decimals}f}"
    return text.replace("-", "−")  # noqa: RUF001 (a minus sign, as wide as the figures)
