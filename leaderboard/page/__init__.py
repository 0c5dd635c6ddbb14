"""One HTML page from a report. It needs no other file, fetches nothing, and opens by a double click."""

import base64
import hashlib
from collections import Counter
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from leaderboard.page import drawing
from leaderboard.page.content import EmbeddingMap, Item, PageTable, Picture, Report
from registry.text import visible_lines

HERE = Path(__file__).parent
MANY_ROWS = 8  # rows from which on a table can be filtered
MANY_CLASSES = 12  # a map's legend with more classes is folded


def render(report: Report) -> str:
    """The page. All texts are escaped, except a picture's ``svg``, which goes in as it is.

    Raises:
        ValueError: if two elements share an id, a row is not as long as its header, or a coordinate is not finite.
        KeyError: if a map's label or prediction is not among its classes.
    """
    _check(report)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters["kind"] = _kind
    theme, script = (_file("theme.js"), "\n".join(map(_file, ("page.js", "grid.js", "map.js"))))
    return environment.get_template("page.html.jinja").render(
        report=report,
        drawing=drawing,
        many_rows=MANY_ROWS,
        many_classes=MANY_CLASSES,
        style=Markup(_file("style.css")),  # nosec B704 # a file of this package
        theme=Markup(theme),  # nosec B704
        script=Markup(script),  # nosec B704
        script_hashes=" ".join(map(_hash, (theme, script))),
    )


def _check(report: Report) -> None:
    items = [item for section in report.sections for item in section.items]
    named = [item.id for item in items if isinstance(item, PageTable | Picture | EmbeddingMap)]
    twice = [name for name, count in Counter([*named, *(s.id for s in report.sections)]).items() if count > 1]
    if twice:
        raise ValueError(f"used for more than one element of the page: {', '.join(twice)}")
    for item in items:
        if isinstance(item, PageTable) and any(len(row) != len(item.columns) for row in item.rows):
            raise ValueError(f"{item.id}: a row is not as long as the header, {len(item.columns)}")


def _finalize(value: object) -> object:
    """A text of others shows every sign that it has; markup of our own goes in as it is."""
    return visible_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _kind(item: Item) -> str:
    return type(item).__name__


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Names a script in the content security policy, so that no other one would run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
