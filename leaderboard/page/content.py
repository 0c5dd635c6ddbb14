"""What a page says, as plain data: a report of sections of tables, figures, maps of clips, prose and code."""

from dataclasses import dataclass, field
from typing import Literal

Level = tuple[float, float, float]  # low, mean, high


@dataclass(frozen=True)
class Mark:
    """A raised sign beside a text, such as †, whose meaning is listed once below the table."""

    sign: str
    meaning: str


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        text: as it is read.
        value: what it is sorted by, and what a CSV copy holds; a number in a number column. Without one, a number
            cell counts as empty and a text cell is sorted by its text. Empty cells are last in either direction.
        interval: low, mean and high of a 95 % interval, drawn as a bar on the column's common scale, and said.
        diamond: a published value, drawn on the same bar as a hollow diamond, and said.
        note: shown on hover, focus and touch, and read out.
        best: of its column: set bold.
        marks: signs that are explained below the table.
    """

    text: str
    value: float | str | None = None
    interval: Level | None = None
    diamond: float | None = None
    note: str = ""
    best: bool = False
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: at its head.
        kind: how it is aligned and sorted: first click numbers from the highest, texts from A.
        lowest_first: whether the first click sorts numbers from the lowest.
        group: a heading over neighbouring columns that share it, such as a protocol.
        help: what the column holds, shown like a cell's note.
    """

    name: str
    kind: Literal["text", "number"] = "number"
    group: str = ""
    help: str = ""
    lowest_first: bool = False


@dataclass(frozen=True)
class Grid:
    """A table that can be sorted, and filtered where it is long.

    Args:
        id: unique on the page.
        title: its heading.
        columns: what each row holds.
        rows: each as long as ``columns``.
        caption: what to know before reading it.
        row_names: how many leading columns name a row; the filter looks there.
        copy: whether buttons copy the rows that are shown, in their order, as Markdown and as CSV.
        open: whether it is shown at once, not folded under its title.
    """

    id: str
    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    caption: str = ""
    row_names: int = 1
    copy: bool = False
    open: bool = True


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Args:
        id: unique on the page.
        title: its heading.
        svg: one ``<svg>`` element, safe markup that goes into the page as it is. ``currentColor`` follows the theme. It
            must bring no ``<style>``, which would hold for the whole page, and no id that the page has already.
        alt: what it shows, for those who do not see it.
        caption: below it.
    """

    id: str
    title: str
    svg: str
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Point:
    """One clip on a map.

    Args:
        x: to the right, in any unit.
        y: upwards, in the same unit.
        clip: its id.
        label: its class.
        predicted: the class that it was taken for; empty if unknown.
        audio: where its recording is, from the page; empty if nowhere.
    """

    x: float
    y: float
    clip: str
    label: str
    predicted: str = ""
    audio: str = ""


@dataclass(frozen=True)
class EmbeddingMap:
    """Clips in the plane, coloured by class, that name themselves and play.

    Args:
        id: unique on the page.
        title: its heading.
        classes: every label and prediction, in the order of the legend.
        points: the clips.
        caption: below it.
    """

    id: str
    title: str
    classes: list[str]
    points: list[Point]
    caption: str = ""


@dataclass(frozen=True)
class Prose:
    """Plain text."""

    paragraphs: list[str]


@dataclass(frozen=True)
class Notes:
    """Footnotes."""

    items: list[str]


@dataclass(frozen=True)
class Code:
    """A text to copy: a command, a suite file.

    Args:
        text: as it is copied.
        language: such as ``shell`` or ``yaml``, said in the label.
        label: what it is.
    """

    text: str
    language: str
    label: str


Item = Grid | Figure | EmbeddingMap | Prose | Notes | Code


@dataclass(frozen=True)
class Section:
    """A part of the report, linked from the top bar.

    Args:
        id: unique on the page.
        title: short, as it stands in the top bar too.
        intro: plain paragraphs.
        items: what it holds, in order.
        open: whether it is shown at once, not folded under its title.
    """

    id: str
    title: str
    intro: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    open: bool = True


@dataclass(frozen=True)
class Report:
    """A whole page: title, a strip of key facts (name and value), sections, and a line at the end."""

    title: str
    subtitle: str
    facts: list[tuple[str, str]]
    sections: list[Section]
    footer: str = ""
