"""Well-formed lies: a store of which one file was changed by a stranger, who made all digests right again."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from benchmark.store.integrity import seal
from benchmark.store.plan_file import content_digest

Keys = tuple[str | int, ...]

_RAW = "@raw@"  # begins a text that stands for JSON which json.dumps does not write
_DEEP = 10_000
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    1,
    3,
    2**31,
    2**63,
    10**400,
    -(10**30),
    1e308,
    -0.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    "1",
    "../../../etc/passwd",
    "a/b",
    "/",
    "\x1b[2J\x00",
    "\ud800",
    "x" * 100_000,
    [],
    [[]],
    [1, 2],
    [None],
    ["x"],
    list(range(10_000)),
    {},
    {"": 1},
    {"name": "x"},
    {"name": []},
    _RAW + "[" * _DEEP + "]" * _DEEP,
    _RAW + '{"a":' * _DEEP + "1" + "}" * _DEEP,
    _RAW + '{"a": 1, "a": 2}',
    _RAW + "1" * 5000,
    _RAW + "-Infinity",
    _RAW + "1e999",
)


def copied(runs: Path, folder: Path) -> Path:
    """A store like another, of links: ``overwrite`` gives a changed file a place of its own."""
    return Path(shutil.copytree(runs, folder, copy_function=os.link))


def overwrite(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def mutate_record(runs: Path, rng: random.Random) -> str:
    """Changes one record of a store, or a file beside it, and says what was done."""
    folders = sorted(path.parent for path in runs.glob("*/*/result.json"))
    folder = rng.choice(folders)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".jsonl", ".parquet"))
    path = rng.choice([*files, folder / "result.json"])
    if path.suffix == ".parquet":
        done = _change_parquet(path, rng)
    elif path.suffix == ".jsonl":
        content, done = changed_text(json.loads(path.read_text().splitlines()[0]), rng)
        overwrite(path, content)
    else:
        content, done = changed_text(json.loads(path.read_bytes()), rng)
        overwrite(path, content)
    reseal(folder)
    return f"{path.relative_to(runs)}: {done}"


def mutate_plan(runs: Path, rng: random.Random) -> str:
    """Changes one plan of a store, and says what was done."""
    path = rng.choice(sorted(runs.glob("plans/*.json")))
    stored = json.loads(path.read_bytes())
    inside = rng.random() < 0.9
    content, done = changed_text(stored["plan"] if inside else stored, rng)
    if inside:
        try:
            stored["plan"] = json.loads(content)
            stored["digest"] = content_digest({key: value for key, value in stored.items() if key != "digest"})
            content = json.dumps(stored).encode()
        except (ValueError, RecursionError):
            head = json.dumps({**stored, "plan": _RAW}).encode()
            content = head.replace(json.dumps(_RAW).encode(), content)
    overwrite(path, content)
    return f"{path.name}: {done}"


def reseal(folder: Path) -> None:
    """Makes the digests of a record right again, as far as its result.json can still be read."""
    path = folder / "result.json"
    try:
        record = json.loads(path.read_bytes())
        record = {name: value for name, value in record.items() if name not in ("files", "sha256")}
        path.rename(folder / ".aside")
        try:
            sealed = seal(record, _without_hidden(folder))
        finally:
            (folder / ".aside").rename(path)
        overwrite(path, json.dumps(sealed).encode())
    except (ValueError, RecursionError, AttributeError):
        return


def _without_hidden(folder: Path) -> Any:
    class Visible:
        def iterdir(self) -> Iterator[Path]:
            return (path for path in folder.iterdir() if not path.name.startswith("."))

    return Visible()


def changed_text(content: Any, rng: random.Random) -> tuple[bytes, str]:
    """JSON of plain data with one change, and what it is."""
    if rng.random() < 0.06:
        whole = json.dumps(content).encode()
        at = rng.randrange(len(whole))
        how = rng.choice(["cut", "byte", "twice", "marked", "wide"])
        wrong = {
            "cut": whole[:at],
            "byte": whole[:at] + b"\xff\xfe" + whole[at:],
            "twice": whole + whole,
            "marked": b"\xef\xbb\xbf" + whole,
            "wide": whole.decode().encode("utf-16"),
        }
        return wrong[how], how
    changed, done = change(content, rng)
    text = json.dumps(changed)
    for value in _VALUES:
        if isinstance(value, str) and value.startswith(_RAW):
            text = text.replace(json.dumps(value), value.removeprefix(_RAW))
    return text.encode(), done


def change(content: Any, rng: random.Random) -> tuple[Any, str]:
    """A copy of plain data with one value changed, dropped, added, doubled or moved, and what was done."""
    copy = json.loads(json.dumps(content))
    places = list(_places(copy, ()))
    path = rng.choice(places) if places else ()
    if not path:
        value = rng.choice(_VALUES)
        return value, f"all = {_short(value)}"
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    how = rng.choice(["set", "set", "set", "set", "drop", "add", "wrap", "swap", "near"])
    named = ".".join(map(str, path))
    if how == "drop":
        del parent[key]
    elif how == "add":
        value = rng.choice(_VALUES)
        if isinstance(parent, dict):
            parent[rng.choice(["surplus", "", "name", "1", "__class__", "schema"])] = value
        else:
            parent.insert(int(key), value)
        named += f" + {_short(value)}"
    elif how == "wrap":
        parent[key] = rng.choice([[parent[key]], {"a": parent[key]}, str(parent[key])])
    elif how == "swap":
        other = rng.choice(places)
        parent[key] = _at(json.loads(json.dumps(content)), other)
        named += f" from {'.'.join(map(str, other))}"
    elif how == "near":
        parent[key] = _near(parent[key], rng)
        named += f" = {_short(parent[key])}"
    else:
        parent[key] = rng.choice(_VALUES)
        named += f" = {_short(parent[key])}"
    return copy, f"{how} {named}"


def _near(value: Any, rng: random.Random) -> Any:
    """A value of the same type that is somewhat different."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice([-1, 1, 100, -1000])
    if isinstance(value, float):
        return value * rng.choice([-1, 2, 0.5, 1e9])
    if isinstance(value, str):
        return rng.choice([value[::-1], value.upper(), value[1:], f" {value}"])
    if isinstance(value, list):
        return rng.choice([value[:-1], value[::-1], [*value, *value]])
    return dict(list(value.items())[:-1]) if isinstance(value, dict) else value


def _places(value: Any, path: Keys) -> Iterator[Keys]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _at(value: Any, path: Keys) -> Any:
    for key in path:
        value = value[key]
    return value


def _short(value: Any) -> str:
    return repr(value)[:60] if not isinstance(value, int) else str(value)[:20] if value < 10**100 else "10 ** 400"


_TYPES = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.int8(),
    pa.uint64(),
    pa.float16(),
    pa.float64(),
    pa.bool_(),
    pa.null(),
    pa.timestamp("ns"),
    pa.decimal128(20),
    pa.list_(pa.int64()),
    pa.list_(pa.list_(pa.float32())),
    pa.struct([("a", pa.int64())]),
    pa.dictionary(pa.int32(), pa.string()),
    pa.map_(pa.string(), pa.int64()),
]


def _change_parquet(path: Path, rng: random.Random) -> str:
    """Writes a table with other columns, types, lengths or values into a Parquet file, and says what was done."""
    with parquet.ParquetFile(path) as file:
        table = file.read()
    name = rng.choice(table.column_names)
    how = rng.choice(sorted(_CHANGES)) if len(table) else "drop"
    try:
        parquet.write_table(_CHANGES[how](table, name, rng), path.with_suffix(".new"))
    except (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError):
        how, table = "drop", table.drop_columns([name])
        parquet.write_table(table, path.with_suffix(".new"))
    overwrite(path, path.with_suffix(".new").read_bytes())
    path.with_suffix(".new").unlink()
    return f"{how} {name}"


def _with(table: pa.Table, name: str, column: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _retyped(table: pa.Table, name: str, rng: random.Random) -> pa.Table:
    into = rng.choice(_TYPES)
    try:
        return _with(table, name, table.column(name).cast(into, safe=False))
    except pa.ArrowException:
        return _with(table, name, pa.nulls(len(table), into))


def _valued(table: pa.Table, name: str, rng: random.Random) -> pa.Table:
    """Some rows get another value of the same type."""
    values = table.column(name).to_pylist()
    numbers = [-1, 0, 7, 10**6, 2**40, -(2**62)]
    words = ["", "x", "\x1b[2J", "../x", "nan"]
    scores = [[], [float("nan")], [1e38], [0.0] * 3, None]
    choices: list[Any] = (
        words if isinstance(values[0], str) else scores if isinstance(values[0], list | tuple) else numbers
    )
    if isinstance(values[0], bool):
        choices = [True, False]
    other = rng.choice(choices)
    at = range(len(values)) if rng.random() < 0.3 else [rng.randrange(len(values))]
    for i in at:
        values[i] = other
    return _with(table, name, pa.array(values, table.column(name).type))


def _with_nulls(table: pa.Table, name: str, rng: random.Random) -> pa.Table:
    values = table.column(name).to_pylist()
    values[rng.randrange(len(values))] = None
    return _with(table, name, pa.array(values, table.column(name).type))


def _listed(table: pa.Table, name: str, rng: random.Random) -> pa.Table:
    values = table.column(name).to_pylist()
    ragged = [[value] * rng.randrange(3) for value in values]
    return _with(table, name, pa.array(ragged))


def _repeated(table: pa.Table, name: str, rng: random.Random) -> pa.Table:
    """A file of some kilobytes with more than a million rows."""
    return pa.concat_tables([table.take([0] * 100_000)] * 12)


_CHANGES: dict[str, Callable[[pa.Table, str, random.Random], pa.Table]] = {
    "drop": lambda table, name, rng: table.drop_columns([name]),
    "rename": lambda table, name, rng: table.rename_columns(
        ["x" if column == name else column for column in table.column_names]
    ),
    "twice": lambda table, name, rng: table.append_column(name, table.column(name)),
    "retype": _retyped,
    "value": _valued,
    "nulls": _with_nulls,
    "lists": _listed,
    "no rows": lambda table, name, rng: table.slice(0, 0),
    "fewer rows": lambda table, name, rng: table.slice(0, rng.randrange(len(table) or 1)),
    "rows twice": lambda table, name, rng: pa.concat_tables([table, table]),
    "shuffled": lambda table, name, rng: _with(
        table, name, table.column(name).take(rng.sample(range(len(table)), len(table)))
    ),
    "many rows": _repeated,
}
