"""``audiobench list``."""

from typing import Annotated

import typer

from audiobench import completion
from audiobench.commands.options import OF_KINDS, Debug, Json, Plugins


def list_(
    kind: Annotated[str | None, typer.Argument(help=OF_KINDS, autocompletion=completion.kinds)] = None,
    as_json: Json = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """List what the registry holds."""
    from audiobench.catalogue import traits_of
    from audiobench.commands.documents import print_document
    from registry.describe import DETAILS, pipelines
    from registry.lookup import KINDS, kind_called, load_plugin

    for path in plugin or []:
        load_plugin(path)
    kinds = [kind_called(kind)] if kind else KINDS
    rows_of = {
        of_kind.folder: [
            {trait: value for trait, value in traits.items() if trait not in DETAILS}
            for traits in traits_of(of_kind, of_kind.names())
        ]
        for of_kind in kinds
    }
    if kind == "augmentations":
        rows_of["pipelines"] = pipelines()
    if as_json:
        print_document(rows_of)
        return
    from leaderboard.terminal import console, print_grid

    for folder, rows in rows_of.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        cells = [[_text(row.get(column, "")) for column in columns] for row in rows]
        header = [column.replace("_", " ") for column in columns]
        words = {i for i, column in enumerate(columns) if column not in ("parameters", "embedding", "sample_rate")}
        print_grid(console(), folder, header, cells, words=words)


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
