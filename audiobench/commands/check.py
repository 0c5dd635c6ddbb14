"""``audiobench check``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiobench.commands.options import Data, Debug, Plugins
from registry.text import say

if TYPE_CHECKING:
    from registry.contracts import Beside
    from registry.lookup import AnyComponent, Kind


def check(
    what: Annotated[
        str, typer.Argument(metavar="ENCODER|FILE|KIND", help="An encoder, a plugin's file, or a kind of component.")
    ],
    name: Annotated[
        str | None, typer.Argument(help="A component of the kind, or as a suite has it: '{name: cnn10, width: 8}'.")
    ] = None,
    frontend: Annotated[
        str | None, typer.Option(help="Front end beside encoders, methods and weights, instead of a plain one.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder beside methods and weights, instead of a tiny one.")
    ] = None,
    data: Data = None,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Check whether a component keeps its contract, with a line for each check.

    Exit with 1 if it does not.
    """
    from audiobench.commands.references import choose
    from registry.contracts import Beside
    from registry.errors import Mistake, Mistakes
    from registry.lookup import ENCODERS, FRONTENDS, load_plugin

    for path in plugin or []:
        load_plugin(path)
    beside = Beside(
        data=data,
        frontend=choose(FRONTENDS, frontend) if frontend else None,
        encoder=choose(ENCODERS, encoder) if encoder else None,
    )
    failed, mistakes = 0, []
    for kind, reference in _asked(what, name):
        try:
            failed += _report(kind, reference, beside)
        except Mistake as mistake:
            mistakes.append(mistake)
    if mistakes:
        raise Mistakes(mistakes)
    if failed:
        raise typer.Exit(1)


def _asked(what: str, name: str | None) -> "list[tuple[Kind[AnyComponent], Any]]":
    """The components to check, with their kinds."""
    from audiobench.commands.references import read_reference
    from registry.errors import Mistake
    from registry.lookup import ENCODERS, KINDS, kind_called, load_plugin

    if name is not None:
        return [(kind_called(what), read_reference(name))]
    if what.endswith(".py") or Path(what).is_file():
        components = (component.split("/", 1) for component in load_plugin(Path(what)))
        return [(kind_called(folder), component) for folder, component in components]
    if what in [kind.folder for kind in KINDS]:
        raise Mistake(f"which of the {what} is to be checked?", fix=f"audiobench check {what} NAME")
    for kind in KINDS:
        if kind is not ENCODERS and what in kind.names() and what not in ENCODERS.names():
            raise Mistake(f"{what} is no encoder", fix=f"audiobench check {kind.folder} {what}")
    return [(ENCODERS, read_reference(what))]


def _report(kind: "Kind[AnyComponent]", reference: Any, beside: "Beside") -> int:
    """Runs the checks of a component, prints each finding at once, and returns how many checks failed."""
    from collections import Counter

    from registry.contracts import findings

    title = f"{kind.folder}/{reference if isinstance(reference, str) else reference.get('name')}"
    say(title)
    states = Counter[str]()
    for finding in findings(kind, reference, beside):
        states[finding.state] += 1
        say(f"  {finding.state:14}  {finding}")
    counted = ", ".join(f"{states[state]} {state}" for state in ("passed", "failed", "not applicable") if states[state])
    say(f"{title} {'does not keep' if states['failed'] else 'keeps'} its contract: {counted}")
    return states["failed"]
