"""Which suites a leaderboard is of, and from which folders of records."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmark.document import read_suite
from benchmark.plan import Plan, plan_name
from benchmark.store import Store
from leaderboard.merge import Stores, differences, separate
from registry.errors import Mistake
from registry.lookup import nearest


def read_plans(
    folders: Sequence[Path], suite: str | None, scale: str | None, tell: Callable[[str], None]
) -> Iterator[tuple[Plan, Stores]]:
    """The plans of a suite that was run on some stores, or of all, one kind of data in each column; and the stores.

    Args:
        folders: of records, at least one; each must know the suite.
        suite: a name, or a suite file; None for all.
        scale: one of the suite's; None for all.
        tell: is told where folders hold the same work with other figures.

    Raises:
        Mistake: if a folder has none.
        Mistakes: if folders contradict each other.
    """
    store = Stores(folders)
    asked = _suite_name(Path(suite), scale) if suite and suite.endswith((".yaml", ".yml")) else suite
    for name in sorted({name for one in store.stores.values() for name in _known(one, asked, scale)}):
        stored = store.load_plan(name)
        assert stored
        plan = Plan.from_json(stored["plan"])
        for difference in differences(plan, store):
            tell(difference)
        yield separate(plan, store), store


def _known(store: Store, suite: str | None, scale: str | None) -> list[str]:
    """The plans in one store of a suite, or of all."""
    known = store.plans()
    if not known:
        fix = "audiobench run SUITE, or name another folder: --runs DIR"
        raise Mistake("no suite was run here", where=str(store.root), fix=fix)
    if suite is None:
        return known
    names = [n for n in known if n == plan_name(suite, scale) or (scale is None and n.split("@")[0] == suite)]
    if not names:
        raise Mistake(f"{plan_name(suite, scale)} was not run here", where=str(store.root), fix=nearest(suite, known))
    return names


def _suite_name(path: Path, scale: str | None) -> str:
    document, _ = read_suite(path, scale)
    return str(document.data.get("name", path.stem))
