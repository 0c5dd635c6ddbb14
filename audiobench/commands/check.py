"""``audiobench check``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiobench import completion
from audiobench.commands.options import Data, Debug, Json, Plugins
from registry.text import say

if TYPE_CHECKING:
    from registry.contracts import Beside
    from registry.lookup import AnyComponent, Kind


def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ENCODER|FILE|KIND",
            help="An encoder, a plugin's file, or a kind of component.",
            autocompletion=completion.checked,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            help="A component of the kind, or as a suite has it: '{name: cnn10, width: 8}'.",
            autocompletion=completion.names,
        ),
    ] = None,
    frontend: Annotated[
        str | None, typer.Option(help="Front end beside encoders, methods and weights, instead of a plain one.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder beside methods and weights, instead of a tiny one.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Check whether a component keeps its contract, with a line for each check.

    Exit with 1 if it does not.
    """
    from audiobench.commands.documents import of_mistake, print_document
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
    reports, mistakes = [], []
    for kind, reference in _asked(what, name):
        try:
            reports.append(_report(kind, reference, beside, tell=(lambda line: None) if as_json else say))
        except Mistake as mistake:
            mistakes.append(mistake)
    if as_json:
        print_document({"components": reports, "mistakes": list(map(of_mistake, mistakes))})
    if mistakes:
        raise Mistakes(mistakes)
    if not all(report["keeps"] for report in reports):
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


def _report(
    kind: "Kind[AnyComponent]", reference: Any, beside: "Beside", tell: Callable[[str], None]
) -> dict[str, Any]:
    """Runs the checks of a component, tells each finding at once, and returns all of them."""
    from collections import Counter
    from dataclasses import asdict

    from registry.contracts import findings

    name = reference if isinstance(reference, str) else reference.get("name")
    title, found = f"{kind.folder}/{name}", []
    tell(title)
    for finding in findings(kind, reference, beside):
        found.append(finding)
        tell(f"  {finding.state:14}  {finding}")
    states = Counter(finding.state for finding in found)
    counted = ", ".join(f"{states[state]} {state}" for state in ("passed", "failed", "not applicable") if states[state])
    tell(f"{title} {'does not keep' if states['failed'] else 'keeps'} its contract: {counted}")
    return {"kind": kind.folder, "name": name, "keeps": not states["failed"], "findings": list(map(asdict, found))}
