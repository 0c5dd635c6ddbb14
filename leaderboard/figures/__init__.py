"""Figures for papers and for a page: vector, safe for colour-blind readers, legible in grey, on white and on dark.

Colours are those of Okabe and Ito (2008, Color Universal Design) that are visible on white and on dark; dashes and
markers say the same without colour. Everything except data is drawn in ``INK``, nearly black, which a page replaces by
its text colour.
"""

import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree  # nosec B405 # reads what matplotlib wrote

import matplotlib
from matplotlib.figure import Figure
from matplotlib.typing import LineStyleType

from benchmark.store.files import replace_file
from registry.errors import Mistake

INK = "#000001"  # matplotlib leaves pure black out of an SVG; this colour can be found there and replaced
BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
FAINT = 0.35  # opacity of lines behind the data
WIDTH = 7.0  # inches: 672 px on a page, the text then 11 to 12 px
SMALL = 8  # points

style = matplotlib.rc_context(
    {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "axes.axisbelow": True,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "grid.color"), INK),
        **dict.fromkeys(("xtick.color", "ytick.color", "hatch.color"), INK),
        "grid.alpha": 0.15,
        "grid.linewidth": 0.6,
        **dict.fromkeys(("figure.facecolor", "axes.facecolor"), "none"),
        "figure.dpi": 100,
        "text.parse_math": False,  # an entry's name may hold a dollar sign
        "svg.fonttype": "none",
        "svg.hashsalt": "audiobench",
        "pdf.fonttype": 42,
    }
)
"""Decorates functions that make or write a figure: they use this style, and matplotlib's own style stays as it was."""


@dataclass(frozen=True)
class Look:
    """How an entry looks: no two entries have the same dash or marker."""

    colour: str
    dash: LineStyleType
    marker: str


_LOOKS = (
    Look(BLUE, "-", "o"),
    Look(VERMILLION, (0, (4, 1.5)), "s"),
    Look(GREEN, (0, (6, 1.5, 1, 1.5)), "^"),
    Look(PURPLE, (0, (1, 1)), "D"),
    Look(SKY, (0, (9, 2)), "v"),
    Look(ORANGE, (0, (4, 1, 1, 1, 1, 1)), "P"),
)
CONTROL = Look(INK, (0, (2, 1)), "X")


def looks(entries: Sequence[str], control: str | None) -> dict[str, Look]:
    """How each of up to seven entries looks: the control in ink; without a control, the seventh entry.

    Raises:
        ValueError: with more than seven entries.
    """
    others = [entry for entry in entries if entry != control]
    free = _LOOKS if control in entries else (*_LOOKS, CONTROL)
    if len(others) > len(free):
        raise ValueError(f"colours for {len(free)} entries, got {len(others)}")
    look_of = dict(zip(others, free, strict=False))
    return {entry: look_of.get(entry, CONTROL) for entry in entries}


def wrapped(name: str, width: int = 30) -> str:
    """A name on as many lines as it needs."""
    return "\n".join(textwrap.wrap(name, width)) or name


def counted(n: int, one: str, more: str) -> str:
    """A number and its noun."""
    return f"{n} {one if n == 1 else more}"


def settle(figure: Figure) -> None:
    """Makes a figure's layout final, because every drawing would move it a little."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


@style
def svg(figure: Figure, prefix: str) -> str:
    """A figure as SVG for use inside HTML: ink is ``currentColor``, the background is transparent, text stays text.

    The same figure gives the same SVG. The SVG is as wide as the figure, or narrower where the page is.

    Args:
        figure: to write.
        prefix: of every id, an XML name; each figure of a page needs its own.
    """
    settle(figure)
    written = io.BytesIO()
    figure.savefig(written, format="svg", facecolor="none", metadata={"Date": None})
    root = ElementTree.fromstring(written.getvalue())  # nosec B314 # what matplotlib wrote just now
    _drop(root, "metadata")
    _drop(root, "defs", holding="style")  # a style inside HTML would be the whole page's
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {
            name.rpartition("}")[2]: _for_page(name.rpartition("}")[2], value, prefix)
            for name, value in element.attrib.items()
        }
    del root.attrib["height"], root.attrib["version"]
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("style", "max-width: 100%; height: auto; stroke-linejoin: round; stroke-linecap: butt")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _drop(root: ElementTree.Element, tag: str, holding: str = "") -> None:
    """Removes the root's children of a tag; with ``holding``, only the children that hold an element of that tag."""
    for child in list(root):
        if child.tag.endswith("}" + tag) and (not holding or child.find("{*}" + holding) is not None):
            root.remove(child)


def _for_page(name: str, value: str, prefix: str) -> str:
    """An attribute's value with the prefix in ids, and the page's ink and font."""
    if name in ("d", "x", "y"):  # a hundredth of a point is fine enough, and half as long
        return re.sub(r"(\.\d\d)\d+", r"\1", value)
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    return value.replace("url(#", f"url(#{prefix}-").replace(INK, "currentColor").replace("'DejaVu Sans', ", "")


@style
def save(figure: Figure, path: Path) -> None:
    """Writes a figure in black on white, in the format of the path's suffix; the same figure gives the same bytes.

    Raises:
        Mistake: if the suffix is not .pdf, .svg or .png.
    """
    dated = {".pdf": "CreationDate", ".svg": "Date", ".png": "Creation Time"}
    if path.suffix not in dated:
        raise Mistake(f"no figure is written as {path.suffix or 'a file without suffix'}", where=str(path), fix=".svg")
    settle(figure)
    write = partial(
        figure.savefig, format=path.suffix[1:], facecolor="white", dpi=200, metadata={dated[path.suffix]: None}
    )
    replace_file(path, write)
