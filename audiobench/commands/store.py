"""``audiobench store``: checks and cleans a folder of records."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audiobench.commands.options import RUNS, Debug, Json, Runs
from audiobench.examples import examples
from registry.text import say

if TYPE_CHECKING:
    from benchmark.ledger.upkeep import Surplus
    from benchmark.store.store import Store

app = typer.Typer(help="Check and clean a folder of records and checkpoints; move samples.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="Of the pack: the name of its folder, RUNS/pack/KEY.")]
Url = Annotated[str, typer.Argument(help="Of a folder, for fsspec: s3://bucket/packs, file:///mnt/packs, https://...")]


@app.command("check", epilog=examples("store check"))
def check(
    runs: Runs = RUNS,
    yes: Annotated[bool, typer.Option("--yes", help="Set what is damaged aside, so that it is made again.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Read every record, plan and checkpoint whole, and list what is damaged. Exit with 1 if anything is."""
    from audiobench.commands.documents import of_mistake, print_document
    from benchmark.ledger.upkeep import examine, put_aside

    tell: Callable[[object], None] = _silent if as_json else say
    store = _store(runs)
    condition = examine(store)
    counts = ", ".join(f"{count} {name}" for name, count in condition.looked_at.items())
    tell(f"{runs}: {counts}; {len(condition.damaged)} damaged, {len(condition.unknown)} without digests")
    for damage in condition.damaged:
        tell(f"damaged: {damage}")
    for path in condition.unknown:
        tell(f"without digests, of an earlier version: {path}")
    if condition.damaged and not yes:
        tell(f"--yes moves what is damaged to {runs / '.aside'}, and deletes nothing; the next run makes it again")
    places = []
    for damage in condition.damaged:
        kept = put_aside(store, damage) if yes else None
        places.append(str(kept) if kept else None)
        if yes:
            tell(f"set aside: {kept}" if kept else f"left where it is, in use or of another version: {damage.where}")
    if as_json:
        damaged = [{**of_mistake(d), "set_aside": place} for d, place in zip(condition.damaged, places, strict=True)]
        unknown = list(map(str, condition.unknown))
        print_document({"runs": str(runs), **condition.looked_at, "damaged": damaged, "without_digests": unknown})
    if condition.damaged:
        raise typer.Exit(1)


@app.command("clean", epilog=examples("store clean"))
def clean(
    runs: Runs = RUNS,
    yes: Annotated[bool, typer.Option("--yes", help="Delete what is listed.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List what no plan and no process needs any more, with sizes; --yes deletes it."""
    from audiobench.commands.documents import print_document
    from benchmark.ledger.upkeep import delete, surplus

    store, tell = _store(runs), partial(say, stream=sys.stderr if as_json else None)
    items = surplus(store, tell)
    document = [{"why": item.why, "path": str(item.path), "bytes": item.size, "deleted": False} for item in items]
    if not as_json:
        _show(items, store)
    if items and not yes:
        tell("--yes deletes all this")
    for item, listed in zip(items, document, strict=True) if yes else ():
        listed["deleted"] = delete(store, item)
        if not listed["deleted"]:
            tell(f"kept, since a run is at work on it: {item.path}")
    if as_json:
        print_document({"runs": str(runs), "items": document})


@app.command("push", epilog=examples("store push"))
def push(key: Key, url: Url, runs: Runs = RUNS, debug: Debug = False) -> None:
    """Copy a pack's samples to URL/KEY/, compare what arrived, and keep in their place only where they are."""
    from benchmark.ledger.transfer import push as push_pack

    push_pack(_store(runs), key, url, say)


@app.command("pull", epilog=examples("store pull"))
def pull(key: Key, runs: Runs = RUNS, debug: Debug = False) -> None:
    """Fetch a pack's samples that were pushed. What lies there stays."""
    from benchmark.ledger.transfer import pull as pull_pack

    pull_pack(_store(runs), key, say)


def _silent(line: object) -> None:
    """Prints nothing: the document holds it."""


def _store(runs: Path) -> "Store":
    from benchmark.store.store import Store
    from registry.errors import Mistake

    if not runs.is_dir():
        raise Mistake(
            "there is no folder of records", where=str(runs), fix="name one: --runs DIR; audiobench run SUITE makes one"
        )
    return Store(runs)


def _show(items: "Sequence[Surplus]", store: "Store") -> None:
    for why in dict.fromkeys(item.why for item in items):
        alike = [item for item in items if item.why == why]
        say(f"{why}: {len(alike)}, {_size(sum(item.size for item in alike))}")
        for item in alike:
            say(f"  {_size(item.size):>10}  {item.path.relative_to(store.root)}")
    say(f"{store.root}: {len(items)} to delete, {_size(sum(item.size for item in items))}")


def _size(count: int) -> str:
    return f"{count / 10**6:,.1f} MB" if count >= 10**5 else f"{count:,} bytes"
