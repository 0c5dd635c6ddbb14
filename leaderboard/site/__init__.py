"""A static site: a page for each suite, its table as Markdown and CSV, and an index. Only what changed is made anew."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmark.ledger.plan import Plan
from leaderboard.merge import Stores
from leaderboard.page import render as render_page
from leaderboard.site.folder import INDEX, Page, SiteFolder, short_names
from leaderboard.site.index import make_index
from leaderboard.site.origin import origin

HOME = "../index.html"  # from a page of a suite


@dataclass(frozen=True)
class Wanted:
    """A suite that gets a page.

    Args:
        plan: of the suite.
        texts: of the suite's file and of the files that it extends, by name.
        run: when the suite was run last, in seconds since 1970; 0 if its plan does not say.
    """

    plan: Plan
    texts: Sequence[tuple[str, str]]
    run: float


@dataclass(frozen=True)
class Written:
    """What became of a site.

    Args:
        index: the path of its first page.
        made: the suites whose page was made anew.
        kept: the suites whose page was left as it was.
        foreign: files that a site of an earlier call wrote and somebody changed: they are no longer part of the site,
            and were left there.
    """

    index: Path
    made: Sequence[str]
    kept: Sequence[str]
    foreign: Sequence[Path]


def write_site(
    root: Path, wanted: Sequence[Wanted], store: Stores, plugins: Sequence[Path], tell: Callable[[str], None]
) -> Written:
    """Writes a site that has these suites and no others.

    Args:
        root: the folder of the site. Files in it that no site wrote are left as they are.
        wanted: the suites.
        store: of their records.
        plugins: Python files with components, which are loaded.
        tell: gets a line for every page that is made.

    Raises:
        Mistake: if a file of somebody else has the name of one of the site's.
    """
    folder = SiteFolder.open(root)
    names = short_names([one.plan.name for one in wanted])
    folder.require_own([INDEX, *(path for name in names.values() for path in _paths(name).values())])
    pages: dict[str, Page] = {}
    made = []
    for one in wanted:
        name = one.plan.name
        paths = _paths(names[name])
        made_from = origin(one.plan, store, one.texts, plugins)
        page = folder.kept(name, made_from, list(paths.values()))
        if page is None:
            tell(name)
            page = _make(folder, one, store, paths, made_from)
            made.append(name)
        pages[name] = page
    dates = {one.plan.name: _date(one.run) for one in wanted}
    paths_of = {name: _paths(short) for name, short in names.items()}
    folder.write({INDEX: render_page(make_index(pages, paths_of, dates))})
    foreign = folder.leave_out(pages)
    store.remember()
    return Written(root / INDEX, made, [name for name in pages if name not in made], foreign)


def _make(folder: SiteFolder, wanted: Wanted, store: Stores, paths: Mapping[str, str], made_from: str) -> Page:
    from leaderboard.render import render as render_table  # these take seconds, and only what is made anew needs them
    from leaderboard.report import make_report
    from leaderboard.site.summary import summarise
    from leaderboard.table import make_table

    plan = wanted.plan
    table = make_table(plan, store)
    report, _ = make_report(plan, store, suite=wanted.texts, table=table)
    texts = {
        paths["html"]: render_page(replace(report, home=HOME)),
        paths["md"]: render_table(table, "md"),
        paths["csv"]: render_table(table, "csv"),
    }
    page = Page(made_from=made_from, files=list(texts), summary=summarise(plan, store, table, wanted.texts))
    folder.write(texts, {plan.name: page})
    return page


def _paths(short_name: str) -> dict[str, str]:
    """By format, the paths of a suite's files below the site's folder."""
    return {form: f"suites/{short_name}.{form}" for form in ("html", "md", "csv")}


def _date(seconds: float) -> str:
    """A day in UTC; empty for a plan that has no time, or one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d") if seconds > 0 else ""
    except (OverflowError, ValueError, OSError):
        return ""
