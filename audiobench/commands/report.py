"""``audiobench report``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from audiobench import completion
from audiobench.commands.options import Data, Debug, MergedRuns, Others, Plugins, Scale, Selection, folders_of
from registry.text import say


def report(
    suite: Annotated[
        str, typer.Argument(help="Name of a suite that was run here, or its file.", autocompletion=completion.suites)
    ],
    scale: Scale = None,
    data: Data = None,
    runs: MergedRuns = None,
    others: Others = None,
    selection: Selection = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="Map this entry's embeddings; may be repeated. By default the best and its control."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The page; RUNS/reports/SUITE.html by default.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Save every figure as PDF in this folder, too.")] = None,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Write one page with tables, figures, maps and costs from the records. It needs no network."""
    from benchmark.store.files import write_text
    from leaderboard.exchange import file_name
    from leaderboard.figures import save
    from leaderboard.page import render
    from leaderboard.report import make_report
    from leaderboard.sources import read_plans, suite_texts
    from registry.errors import Mistake
    from registry.lookup import load_plugin

    for path in plugin or []:
        load_plugin(path)
    folders = folders_of(runs, others)
    plans = list(read_plans(folders, suite, scale, lambda difference: say(difference, sys.stderr)))
    if output and len(plans) > 1:
        names = ", ".join(plan.name for plan, _ in plans)
        raise Mistake(f"{output} is one page, and there are {names}", fix="name one of them: --scale NAME")
    for plan, store in plans:
        page = output or folders[0] / "reports" / f"{plan.name.replace('/', '%')}.html"
        made, drawings = make_report(
            plan,
            store,
            rule=selection,
            suite=suite_texts(plan, suite),
            data=data,
            beside=page.parent,
            mapped=mapped or (),
        )
        write_text(page, render(made))
        if figures:
            for drawing in drawings:
                save(drawing.plot, figures / f"{file_name(drawing.name)}.pdf")
        say(f"report: {page}")
    for damage in plans[0][1].damaged():
        say(damage, sys.stderr)
