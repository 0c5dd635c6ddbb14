"""``audiobench doctor``."""

from functools import partial
from typing import TYPE_CHECKING

import typer

from audiobench.commands.options import RUNS, Data, Debug, Json, Runs
from registry.text import say, visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from audiobench.health import Line

_STATE, _ABOUT = 6, 27  # characters of columns


def doctor(
    data: Data = None,
    runs: Runs = RUNS,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Check this machine for audiobench: versions, devices, disk, data sets, extras, and the rate of a few steps.

    Each line is ok, a note, or wrong; the last two say what to do. It takes some seconds, reads no recordings, and
    leaves nothing behind.

    Exit with 1 if anything is wrong.
    """
    from dataclasses import asdict

    from audiobench.commands.documents import print_document

    found: list[Line] = []
    for line in _lines(data, runs):
        found.append(line)
        if not as_json:
            _print(line)
    wrong, notes = (sum(line.state == state for line in found) for state in ("wrong", "note"))
    if as_json:
        print_document({"is_right": not wrong, "lines": [asdict(line) for line in found]})
    else:
        say(f"{wrong or 'nothing'} wrong, {notes or 'no'} {'note' if notes == 1 else 'notes'}")
    if wrong:
        raise typer.Exit(1)


def _lines(data: "Path | None", runs: "Path") -> "Iterator[Line]":
    """The lines of all checks; what computes is left out where torch does not load."""
    from audiobench import health

    yield from health.tried("versions", health.versions)
    loaded = health.tried("torch", health.torch_loads)
    yield from loaded
    computes = all(line.state == "ok" for line in loaded)
    if computes:
        yield from health.tried("devices", health.devices)
    yield from health.tried("memory", health.memory)
    yield from health.tried("runs", partial(health.folder, "runs", runs, writes=True))
    if data is not None and data.is_dir():
        yield from health.tried("data", partial(health.folder, "data", data, writes=False))
    yield from health.tried("data sets", partial(health.data_sets, data))
    yield from health.tried("extras", health.extras)
    yield from health.tried("weights", partial(health.weights, runs))
    if computes:
        yield from health.tried("rate", health.rate)


def _print(line: "Line") -> None:
    say(f"{line.state:{_STATE}}{line.about:{_ABOUT}}{visible(line.said)}")
    if line.to_do:
        say(f"{'':{_STATE + _ABOUT}}to do: {visible(line.to_do)}")
