"""The index of a site, as a page."""

from collections.abc import Mapping
from pathlib import Path

from leaderboard.page.content import Facts, Item, Links, PageCell, PageColumn, PageTable, Report, Section
from leaderboard.site.folder import Page
from leaderboard.site.summary import Summary

_FORMS = {"html": "Report", "md": "Markdown", "csv": "CSV"}
_FOOTER = "Made by audiobench from stored records; no model was run."


def make_index(pages: Mapping[str, Page], paths: Mapping[str, Mapping[str, str]], dates: Mapping[str, str]) -> Report:
    """The index.

    Args:
        pages: by the suite's name.
        paths: by the suite's name and the format, the files.
        dates: by the suite's name, when it was run last; may be empty.
    """
    sections = [_section(name, page.summary, paths[name], dates[name]) for name, page in pages.items()]
    subtitle = "1 suite" if len(pages) == 1 else f"{len(pages)} suites"
    return Report("Leaderboards", subtitle, [], sections, _FOOTER)


def _section(name: str, summary: Summary, paths: Mapping[str, str], date: str) -> Section:
    place = Path(paths["html"]).stem  # unique, and without a blank
    facts = [
        ("tasks", ", ".join(summary.tasks)),
        ("measured", summary.measured),
        ("run last", date),
        ("machines", "; ".join(summary.machines)),
        (f"{len(summary.entries)} entries", ", ".join(summary.entries)),
    ]
    items: list[Item] = [Facts([(what, value) for what, value in facts if value])]
    if summary.best:
        items.append(_table(f"best-{place}", name, summary))
    items.append(Links(name, [(_FORMS[form], path) for form, path in paths.items()]))
    return Section(f"suite-{place}", name, summary.question, items, subtitle=summary.title)


def _table(id_: str, name: str, summary: Summary) -> PageTable:
    columns = [PageColumn(head, "text") for head in ("column", "best", "metric", "not told apart from it")]
    columns.insert(2, PageColumn("figure"))
    rows = [
        [
            PageCell(f"{best.task}, {best.protocol}"),
            PageCell(best.entry),
            PageCell(best.figure, best.mean),
            PageCell(best.metric),
            PageCell("" if best.tied is None else ", ".join(best.tied) or "none"),
        ]
        for best in summary.best
    ]
    return PageTable(id_, f"Best of {name}", columns, rows)
