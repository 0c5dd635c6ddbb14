"""The pages of the reference, made from the code when the site is built: components, commands, records."""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

ROOT = Path(__file__).parent.parent

_START = """# Reference

All of it is made from the code, by `make docs`. The same is told by the command line:

<!-- runs -->
```bash
audiobench list methods
audiobench show methods moco
audiobench run --help
```

"""
_PUBLISHED = "The best figures of `leaderboard/published.csv` whose entry names it: the papers', and not measured here."


def pages() -> dict[str, str]:
    """Every page of the reference by its path in the site."""
    from registry.lookup import KINDS

    made = {f"reference/{kind.folder}.md": _components(kind.folder) for kind in KINDS}
    made |= {"reference/commands.md": _commands(), "reference/records.md": _records()}
    listed = [f"- [{text.splitlines()[0].removeprefix('# ')}]({path})" for path, text in made.items()]
    return {"reference.md": _START + "\n".join(listed) + "\n", **made}


def _components(folder: str) -> str:
    """The page of a kind of components: a heading a component."""
    from registry.describe import details, pipelines
    from registry.lookup import kind_called

    kind = kind_called(folder)
    every = [details(folder, name) for name in kind.names() if not kind.in_file(name)]
    title = f"{kind.singular[0].upper()}{kind.singular[1:]}s".replace("Source of weightss", "Sources of weights")
    listing = _table(["name", "what"], [[f"[`{one['name']}`](#{one['name']})", _text(one["what"])] for one in every])
    parts = [f"# {title}", listing, *(_component(one) for one in every)]
    if folder == "augmentations":
        rows = [[f"`{row['name']}`", _text(row["steps"]), _text(row["source"])] for row in pipelines()]
        parts += ["## Pipelines of the sources { #pipelines }", _table(["name", "steps", "source"], rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _component(traits: Mapping[str, Any]) -> str:
    hidden = ("name", "kind", "what", "doc", "settings", "file")
    known = [f"**{trait.replace('_', ' ')}**: {_text(value)}" for trait, value in traits.items() if trait not in hidden]
    file = Path(traits["file"]).resolve()
    if file.is_relative_to(ROOT):
        known.append(f"**file**: `{file.relative_to(ROOT).as_posix()}`")
    settings = [
        [f"`{field['name']}`", _text(field["type"]), f"`{field['default']}`", _text(field["meaning"])]
        for field in traits["settings"]
    ]
    parts = [
        f"## `{traits['name']}` {{ #{traits['name']} }}",
        _text(traits["doc"]),
        "\n".join(f"- {one}" for one in known),
        _table(["setting", "type", "default", "meaning"], settings),
        _best_published(traits["kind"], traits["name"]),
    ]
    return "\n\n".join(part for part in parts if part)


def _best_published(kind: str, name: str) -> str:
    """The best published figure of a component on each task under each protocol; empty where there is none."""
    best: dict[tuple[str, str], dict[str, str]] = {}
    with (ROOT / "leaderboard" / "published.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["detail"].startswith("class=") or not _names(row, kind, name):
                continue
            place = row["task"], row["protocol"]
            if place not in best or float(row["score"]) > float(best[place]["score"]):
                best[place] = row
    rows = [
        [task, protocol, row["score"], _text(row["method"]), _text(f"{row['paper'].split('_')[0]}, {row['table']}")]
        for (task, protocol), row in sorted(best.items())
    ]
    table = _table(["task", "protocol", "published", "system", "source"], rows)
    return f"{_PUBLISHED}\n\n{table}" if rows else ""


def _names(row: Mapping[str, str], kind: str, name: str) -> bool:
    """Whether a published row is about a component: entries are named by their methods, encoders or weights."""
    if kind == "tasks":
        return row["task"] == name
    if kind == "protocols":
        return row["protocol"] == name
    return name in re.split(r"[ +]+", row["entry"])


def _commands() -> str:
    """The page of the command line: a heading a command."""
    import typer

    from audiobench.cli import _app

    parts = ["# Commands", "`audiobench --help` tells the same in a terminal."]
    for path, command in _every_command("audiobench", typer.main.get_command(_app())):
        parts += [f"## `{path}`", _text((command.help or "").replace("\b", ""))]
        rows = []
        for parameter in command.params:
            names = ", ".join(f"`{name}`" for name in parameter.opts)
            if parameter.param_type_name == "argument":
                names = f"`{parameter.opts[0].upper()}`"
            default = parameter.default if isinstance(parameter.default, str | int | Path) else None
            shown = "" if default is None or default is False else f"`{default}`"
            rows.append([names, shown, _text(getattr(parameter, "help", "") or "")])
        parts.append(_table(["argument or option", "default", "meaning"], rows))
        parts.append(f"```text\n{command.epilog.strip()}\n```" if command.epilog else "")  # its examples
    return "\n\n".join(part for part in parts if part) + "\n"


def _every_command(path: str, command: Any) -> Iterable[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, one in below.items():
        yield from _every_command(f"{path} {name}", one)


def _records() -> str:
    """The page of records: a heading a kind of job, and the fields of its record."""
    from benchmark.jobs import KINDS
    from benchmark.store import job

    parts = [
        "# Records",
        f"`runs/KIND/KEY/result.json` holds the record of a finished job, of schema {job.RECORD_SCHEMA}. `job.json`"
        " beside it holds the request: kind, settings, and the keys of the jobs that it needs. From Python"
        ' `audiobench.records(kind="evaluate")` gives both, typed.',
        "## Every record",
        _fields(job.Record),
    ]
    shown: set[type[BaseModel]] = set()
    for kind in KINDS:
        record = import_module(f"benchmark.jobs.{kind}").Record
        others = [name for name in record.model_fields if name not in job.Record.model_fields]
        parts += [f"## `{kind}`", _text(record.__doc__ or ""), _fields(record, others)]
    parts.append("## Parts of records")
    for kind in KINDS:
        for part in _parts_of(import_module(f"benchmark.jobs.{kind}").Record):
            if part not in shown:
                shown.add(part)
                parts += [f"### {part.__name__}", _text((part.__doc__ or "").split("\n")[0]), _fields(part)]
    return "\n\n".join(parts) + "\n"


def _parts_of(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that fields of a model hold, by their annotations."""
    found = []
    waiting: list[Any] = [field.annotation for field in model.model_fields.values()]
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and issubclass(one, BaseModel):
            found.append(one)
        else:
            waiting += getattr(one, "__args__", ())
    return sorted(found, key=lambda part: part.__name__)


def _fields(model: type[BaseModel], names: Sequence[str] | None = None) -> str:
    schema = model.model_json_schema()
    rows = []
    for name in names if names is not None else model.model_fields:
        field, of_schema = model.model_fields[name], schema["properties"].get(name, {})
        is_shown = not field.is_required() and not isinstance(field.default, BaseModel)
        default = f"`{json.dumps(of_schema.get('default'))}`" if is_shown else ""
        rows.append([f"`{name}`", _type(of_schema), default, _text(field.description or "")])
    return _table(["field", "type", "where absent", "meaning"], rows)


def _type(schema: Mapping[str, Any]) -> str:
    """The type of a field in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"list of {_type(schema['items'])}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"names to {_type(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; empty without rows."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join([f"| {' | '.join(header)} |", "|" + ":--|" * len(header), *lines]) if lines else ""


def _text(value: object) -> str:
    """A text whose signs mean nothing to Markdown, but for code in backticks."""
    shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    pieces = re.split(r"(`+[^`]+`+)", shown)
    return "".join(piece if i % 2 else re.sub(r"([<*_\[\]])", r"\\\1", piece) for i, piece in enumerate(pieces))
