"""Finds the plans that a leaderboard is made from, in one or more folders of records."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmark.ledger.plan import Plan, plan_name
from benchmark.ledger.request import asked_digest
from benchmark.store.store import Store
from benchmark.suite.document import read_suite, suite_path
from leaderboard.merge import Stores, differences, separate
from registry.errors import Mistake
from registry.lookup import nearest


def read_plans(
    folders: Sequence[Path], suite: str | None, scale: str | None, tell: Callable[[str], None]
) -> Iterator[tuple[Plan, Stores]]:
    """The plans of a suite, or of all suites, with one kind of data in each column; each with the stores.

    Args:
        folders: of records, at least one; each must have a plan of the suite.
        suite: a name stands for the suite of that name that was run last, a file for exactly that suite; None for all.
        scale: one of the suite's scales; None for all.
        tell: gets a sentence where folders hold the same work with other figures, where several suites have one name,
            and where a plan cannot be read.

    Raises:
        Mistake: if a folder has no such plan, or no plan can be read.
        Mistakes: if folders contradict each other.
    """
    store = Stores(folders)
    file = _file(suite)
    wanted = _suite_name(file, scale) if file else suite
    known: dict[str, str] = {}
    for folder in store.stores.values():
        known |= _known(folder, wanted, file, scale)
    unreadable = []
    for name in sorted(known):
        try:
            plan = store.plan(name, known[name], tell)
        except Mistake as why:
            unreadable.append(why)
            continue
        for difference in differences(plan, store):
            tell(difference)
        yield separate(plan, store), store
    if len(unreadable) == len(known):
        raise unreadable[0]
    for mistake in unreadable:
        tell(str(mistake))


def asked_of(suite: str | None, scale: str | None) -> list[str | None]:
    """The suite that ``read_plans`` is asked for: the name, or the texts of the file and of those that it extends."""
    file = _file(suite)
    files = read_suite(file, scale)[1] if file else []
    return [suite, *(path.read_bytes().decode(errors="surrogateescape") for path in files)]


def _file(suite: str | None) -> Path | None:
    return Path(suite) if suite and (suite.endswith((".yaml", ".yml")) or Path(suite).is_file()) else None


def suite_texts(plan: Plan, suite: str) -> list[tuple[str, str]]:
    """A suite's files, by name: as they were when it was run; as they are now where an older plan has no texts."""
    if plan.texts:
        return plan.texts
    try:
        _, files = read_suite(suite_path(suite), plan.facts.scale)
    except Mistake:
        return []
    return [(file.name, file.read_text(encoding="utf-8")) for file in files]


def _known(store: Store, suite: str | None, file: Path | None, scale: str | None) -> dict[str, str]:
    """By name, the plans of a suite (or of all) in one store, each with the digest that the file asks for, or empty."""
    known = store.plans()
    if not known:
        fix = f"audiobench run {suite or 'SUITE'}, or name another folder: --runs DIR"
        raise Mistake("no suite was run here", where=str(store.root), fix=fix)
    if suite is None:
        return dict.fromkeys(known, "")
    names = [n for n in known if n == plan_name(suite, scale) or (scale is None and n.split("@")[0] == suite)]
    if not names:
        command = f"audiobench run {suite}" + f" --scale {scale}" * (scale is not None)
        fix = f"{nearest(suite, known)} (to run it: {command})"
        raise Mistake(f"{plan_name(suite, scale)} was not run here", where=str(store.root), fix=fix)
    return _of_content(store, file, names) if file else dict.fromkeys(names, "")


def _of_content(store: Store, file: Path, names: Sequence[str]) -> dict[str, str]:
    """The plans, of those with a suite's name, that are equal to the file's suite, at any scale."""
    asked = {}
    for name in names:
        try:
            asked[name] = asked_digest(read_suite(file, name.partition("@")[2] or None)[0])
        except Mistake:
            continue  # the suite has no such scale
    equal = {name: digest for name, digest in asked.items() if store.has_plan(name, digest)}
    if not equal:
        raise Mistake(
            f"{file} was not run here as it is now: what was run as {', '.join(names)} asks something else",
            where=str(store.root),
            fix=f"run it again (what is finished is not done again), or ask for what was run: {names[0]}",
        )
    return equal


def _suite_name(path: Path, scale: str | None) -> str:
    document, _ = read_suite(path, scale)
    return str(document.data.get("name", path.stem))
