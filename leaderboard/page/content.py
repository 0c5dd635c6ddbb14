"""The content of a page as plain data: a report with sections of tables, pictures, maps of clips, prose and code."""

from dataclasses import dataclass, field
from typing import Literal

Level = tuple[float, float, float]  # low, mean, high


@dataclass(frozen=True)
class Sign:
    """A raised sign beside a text, such as †. Its meaning stands once below the table."""

    sign: str
    meaning: str


@dataclass(frozen=True)
class PageCell:
    """One cell of a table.

    Args:
        text: as people read it.
        value: the value to sort by, and the value in a CSV copy; a number in a number column. Without a value, a number
            cell counts as empty, and a text cell is sorted by its text. Empty cells are last in either direction.
        interval: low, mean and high of a 95 % interval: a bar on the column's common scale, and words in the note.
        diamond: a published value: a hollow diamond on the same bar, and words in the note.
        note: shown on hover, focus and touch, and read out.
        best: whether the cell is the best of its column, and so bold.
        signs: they are explained below the table.
    """

    text: str
    value: float | str | None = None
    interval: Level | None = None
    diamond: float | None = None
    note: str = ""
    best: bool = False
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True)
class PageColumn:
    """One column of a table.

    Args:
        name: the column's head.
        kind: how it is aligned and sorted: the first click sorts numbers from the highest, texts from A.
        lowest_first: whether the first click sorts numbers from the lowest.
        group: a heading above neighbouring columns of the same group, such as a protocol.
        help: an explanation of the column, shown like a cell's note.
    """

    name: str
    kind: Literal["text", "number"] = "number"
    group: str = ""
    help: str = ""
    lowest_first: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table that can be sorted, and filtered where it is long.

    Args:
        id: unique on the page.
        title: its heading.
        columns: of the table.
        rows: each as long as ``columns``.
        caption: above the table.
        row_names: how many of the first columns name a row; the filter searches these.
        copy: whether buttons copy the rows that are shown, in their order, as Markdown and as CSV.
        open: whether the table is shown at once, not folded under its title.
    """

    id: str
    title: str
    columns: list[PageColumn]
    rows: list[list[PageCell]]
    caption: str = ""
    row_names: int = 1
    copy: bool = False
    open: bool = True


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        id: unique on the page.
        title: its heading.
        svg: one ``<svg>`` element, safe markup that goes into the page as it is. ``currentColor`` follows the theme. It
            must have no ``<style>``, which would change the whole page, and no id that the page already has.
        alt: the picture in words, for people who do not see it.
        caption: below the picture.
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
        predicted: the predicted class; empty if unknown.
        audio: a link from the page to the clip's recording; empty if there is no recording.
    """

    x: float
    y: float
    clip: str
    label: str
    predicted: str = ""
    audio: str = ""


@dataclass(frozen=True)
class EmbeddingMap:
    """Clips in the plane, coloured by class; a click shows a clip's name and plays it.

    Args:
        id: unique on the page.
        title: its heading.
        classes: every label and prediction, in the order of the legend.
        points: the clips.
        caption: below the map.
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
        text: to copy.
        language: such as ``shell`` or ``yaml``; stands in the label.
        label: the heading.
    """

    text: str
    language: str
    label: str


@dataclass(frozen=True)
class Facts:
    """Names with their values, such as the strip of highlights below the title."""

    pairs: list[tuple[str, str]]


@dataclass(frozen=True)
class Links:
    """A row of links.

    Args:
        of: what they belong to; it is read out after each text, which others on the page may have, too.
        links: text and address, relative to the page.
    """

    of: str
    links: list[tuple[str, str]]


Item = PageTable | Picture | EmbeddingMap | Prose | Notes | Code | Facts | Links


@dataclass(frozen=True)
class Section:
    """A section of the report, linked from the top bar.

    Args:
        id: unique on the page.
        title: short, because it stands in the top bar, too.
        intro: plain paragraphs.
        items: the content, in order.
        open: whether the section is shown at once, not folded under its title.
        subtitle: in a line below the title.
    """

    id: str
    title: str
    intro: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    open: bool = True
    subtitle: str = ""


@dataclass(frozen=True)
class Report:
    """A whole page: title, a strip of highlights (name and value), sections, and a line at the end.

    ``home`` is the address of the index that leads to the page, if there is one.
    """

    title: str
    subtitle: str
    highlights: list[tuple[str, str]]
    sections: list[Section]
    footer: str = ""
    home: str = ""
