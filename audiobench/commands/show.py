"""``audiobench show``."""

from functools import partial
from typing import Annotated

import typer

from audiobench import completion
from audiobench.commands.options import OF_KINDS, Debug, Json, Plugins


def show(
    kind: Annotated[str, typer.Argument(help=OF_KINDS, autocompletion=completion.kinds)],
    name: Annotated[str, typer.Argument(help="A component's name.", autocompletion=completion.names)],
    as_json: Json = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Show one component: its settings, their defaults, and its source."""
    from audiobench.catalogue import traits_of
    from audiobench.commands.documents import print_document
    from registry.lookup import kind_called, load_plugin

    for path in plugin or []:
        load_plugin(path)
    (traits,) = traits_of(kind_called(kind), [name])
    if as_json:
        print_document(traits)
        return
    from leaderboard.terminal import console, print_grid

    say = partial(console().print, highlight=False, markup=False, emoji=False)
    say(f"{name} ({kind})", style="bold")
    say(traits["doc"])
    for trait, value in traits.items():
        if trait not in ("name", "kind", "what", "doc", "settings"):  # the heading, the docstring, the table below
            say(f"{trait}: {value}")
    header = ["setting", "type", "default", "meaning"]
    cells = [[field["name"], field["type"], str(field["default"]), field["meaning"]] for field in traits["settings"]]
    print_grid(console(), "", header, cells, words=range(len(header)))
