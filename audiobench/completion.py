"""What a shell offers at the next Tab: names of suites, of what a suite has, and of components.

No component is imported. What is wrong with a suite is no matter here: then nothing is offered.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import typer

_Offer = Callable[[typer.Context, str], Iterable[str]]


def _quiet(offer: _Offer) -> Callable[[typer.Context, str], list[str]]:
    """The names that begin with what was typed; none where anything is wrong."""

    @wraps(offer)
    def offered(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            return [name for name in offer(ctx, incomplete) if name.startswith(incomplete)]
        except Exception:  # of any kind: a Tab is no place for a message
            return []

    return offered


@_quiet
def suites(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """The shipped suites, and the suite files that begin with what was typed."""
    from glob import escape, glob

    from benchmark.suite.document import shipped_suites

    return [*shipped_suites(), *sorted(glob(f"{escape(incomplete)}*.yaml"))]  # noqa: PTH207 - what was typed is no path


@_quiet
def scales(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """The scales of the suite that is named."""
    return list(_suite(ctx).get("scales", {}))


@_quiet
def entries(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """The entries of the suite that is named."""
    return list(_suite(ctx)["entries"])


@_quiet
def columns(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """The tasks of the suite that is named."""
    tasks = _suite(ctx)["tasks"]
    return list(tasks) if isinstance(tasks, dict) else [t if isinstance(t, str) else t["name"] for t in tasks]


@_quiet
def protocols(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """The protocols of the suite that is named."""
    return list(_suite(ctx)["protocols"])


@_quiet
def kinds(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """The kinds of components."""
    from registry.lookup import KINDS

    return [kind.folder for kind in KINDS]


@_quiet
def names(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """The components of the kind that is named before."""
    from registry.lookup import kind_called

    return kind_called(ctx.params.get("kind") or ctx.params["what"]).names()


@_quiet
def checked(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """What ``check`` takes first: an encoder, a kind, or a plugin's file."""
    from glob import escape, glob

    from registry.lookup import ENCODERS, KINDS

    files = sorted(glob(f"{escape(incomplete)}*.py"))  # noqa: PTH207 - what was typed is no path
    return [*(kind.folder for kind in KINDS), *ENCODERS.names(), *files]


@_quiet
def data_sets(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """The tasks."""
    from registry.lookup import TASKS

    return TASKS.names()


def _suite(ctx: typer.Context) -> dict[str, Any]:
    """The text of the suite that the line names, laid over those that it extends, at the line's scale."""
    from benchmark.suite.document import read_suite, suite_path

    # An option without its value, as at the end of the line, leaves the arguments before it unread.
    named = ctx.params.get("suite") or ctx.args[0]
    document: dict[str, Any] = read_suite(suite_path(named), ctx.params.get("scale"))[0].data
    return document
