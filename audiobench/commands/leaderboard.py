"""``audiobench leaderboard``."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audiobench import completion
from audiobench.commands.options import Debug, Json, MergedRuns, Others, Plugins, Scale, Selection, folders_of
from registry.text import say

if TYPE_CHECKING:
    from benchmark.suite.rules import Rule
    from leaderboard.table import Table


def leaderboard(
    suite: Annotated[
        str | None,
        typer.Argument(
            help="A suite that was run here, by name or file; all by default.", autocompletion=completion.suites
        ),
    ] = None,
    scale: Scale = None,
    runs: MergedRuns = None,
    others: Others = None,
    selection: Selection = None,
    form: Annotated[
        Literal["md", "html", "latex", "csv", "json", "hear", "mteb", "hf"],
        typer.Option("--format", help="What to write. hear, mteb, hf: many files, for these benchmarks' readers."),
    ] = "md",
    as_json: Json = False,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file (hear, mteb, hf: folder) instead of standard output.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if --output is not what the records give.")
    ] = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Regenerate leaderboards from the records."""
    from benchmark.ledger.remembered import Remembered
    from leaderboard.exchange import FORMATS
    from leaderboard.sources import asked_of
    from registry.errors import Mistake
    from registry.lookup import load_plugin

    if as_json and form not in ("md", "json"):
        raise Mistake(f"--json and --format {form} ask for two forms", fix="give one of them: --json is --format json")
    form = "json" if as_json else form
    for file in plugin or []:
        load_plugin(file)
    if check and output is None:
        raise Mistake("--check compares a file with the records, and no file is given", fix="add --output FILE")
    folders = folders_of(runs, others)
    if check or plugin or form in FORMATS:  # what is to be checked is made again; a plugin's code may be any
        texts, _ = _texts(folders, suite, scale, selection, form, output)
    else:
        remembered = Remembered(folders, [asked_of(suite, scale), scale, selection, form], __file__)
        answer = remembered.answer
        if answer is None:
            made, said = _texts(folders, suite, scale, selection, form, None)
            answer = {"text": made[None]}
            if not said:
                remembered.keep(answer)
        texts = {output: answer["text"]}
    _put_out(texts, folders, check=check)


def _texts(
    folders: Sequence[Path],
    suite: str | None,
    scale: str | None,
    selection: "Rule | None",
    form: str,
    output: Path | None,
) -> tuple[Mapping[Path | None, str], list[object]]:
    """The texts of leaderboards, by path (one text alone may have none), and what was said on standard error."""
    from leaderboard.exchange import FORMATS
    from leaderboard.render import render_all
    from leaderboard.sources import read_plans
    from leaderboard.table import make_table

    said: list[object] = []

    def tell(line: object) -> None:
        said.append(line)
        say(line, sys.stderr)

    plans = list(read_plans(folders, suite, scale, tell))
    in_tables = form in ("md", "html", "latex")  # other forms have every metric
    tables = [make_table(plan, store, selection, shown_only=in_tables) for plan, store in plans]
    texts = _files(tables, form, output) if form in FORMATS else {output: render_all(tables, form)}
    for damage in plans[0][1].damaged():
        tell(damage)
    return texts, said


def _put_out(texts: Mapping[Path | None, str], folders: Sequence[Path], *, check: bool) -> None:
    """Prints or writes texts, or compares files with them."""
    from benchmark.store.files import write_text

    named, stale = " and ".join(map(str, folders)), False
    for path, text in texts.items():
        if path is None:
            print(text, end="")
        elif not check:
            write_text(path, text)
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            say(f"{path} is not what the records in {named} give; write it again without --check", sys.stderr)
            stale = True
    if stale:
        raise typer.Exit(1)


def _files(tables: "Sequence[Table]", form: str, folder: Path | None) -> Mapping[Path | None, str]:
    """The texts of a format with a file for each result, by path; one text alone may have no path.

    Raises:
        Mistake: if there are several suites, whose files would have the same paths, or several files and no folder.
    """
    from leaderboard.exchange import documents
    from registry.errors import Mistake

    if len(tables) > 1:
        names = ", ".join(table.name for table in tables)
        raise Mistake(f"the format {form} holds one suite, and there are {names}", fix="name one, and its --scale")
    files = documents(tables[0], form)
    if folder is None and len(files) != 1:
        raise Mistake(
            f"the format {form} has {len(files)} files here, and no folder is given", fix="add --output FOLDER"
        )
    return {folder / path if folder else None: text for path, text in files.items()}
