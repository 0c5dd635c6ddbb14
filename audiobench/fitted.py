"""A suite that fits a folder of recordings, and what was seen of them, in words."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from audiobench.scaffold import render, require_suite_name, write_new
from registry.errors import Mistake
from registry.text import visible

if TYPE_CHECKING:
    from benchmark.data.survey import Survey

_SHORTEST_CROP, _LONGEST_CROP = 0.5, 5.0  # seconds; shorter windows are too few frames for a net of four halvings
_WINDOW, _HOP = 0.04, 0.02  # seconds of the front end
_NEIGHBOURS = (1, 3, 5, 10, 20, 50, 100)
_BATCH = 32
_STEPS = 1000  # of a pretraining: minutes on two cores
_EPOCHS = (5, 50)  # fewest and most
_SHOWN = 12  # classes, formats, faults


def new_fitted_suite(name: str, recordings: Path, folder: Path) -> tuple[list[Path], list[str]]:
    """Writes ``NAME.yaml`` for a folder of recordings, and ``NAME.csv`` where a table must say what their names tell.

    Args:
        name: of the suite.
        recordings: their folder; headers are read, and nothing is written there.
        folder: where the files go.

    Returns:
        The files, and what was seen, a sentence each.

    Raises:
        Mistake: if the recordings have no form that the task ``folder`` reads, or a file is there.
    """
    from benchmark.data.survey import survey

    require_suite_name(name)
    file, table = folder / f"{name}.yaml", folder / f"{name}.csv"
    seen = survey(recordings, table)
    told = list(sentences(seen))
    text = render("fitted.yaml", {"name": name, "file": file.name, "told": told, **settings(seen)})
    return write_new({file: text, **({table: seen.table} if seen.table else {})}), told


def settings(seen: "Survey") -> dict[str, Any]:
    """What the suite says of rate, windows, budgets and neighbours.

    Raises:
        Mistake: if no header can be read.
    """
    if not seen.read:
        path, why = next(iter(seen.headers.items()))
        raise Mistake(f"no recording can be read: {path}: {why}", where=str(seen.folder), fix="convert them to WAV")
    rate = _rate(seen)
    middle = median(header.seconds for header in seen.read)
    trains = _training(seen)
    batch = max(min(_BATCH, trains // 2), 2)
    fewest = min(seen.clips.values(), default=trains)
    return {
        "task": _flow({"name": "folder", **seen.settings}),
        "rate": rate,
        "n_fft": 2 ** (round(_WINDOW * rate) - 1).bit_length(),
        "window": max(round(_WINDOW * rate), 2),
        "hop": max(round(_HOP * rate), 1),
        "mels": 64 if rate >= 16000 else 32,
        "crop": round(min(max(middle, _SHORTEST_CROP), _LONGEST_CROP), 2),
        "batch": batch,
        "epochs": min(max(_STEPS * batch // trains, _EPOCHS[0]), _EPOCHS[1]),
        "k": [k for k in _NEIGHBOURS if k <= max(fewest // 2, 1)],
        "is_split": seen.is_split,
        "lengths_differ": seen.read[-1].seconds > 1.5 * seen.read[0].seconds,
    }


def sentences(seen: "Survey") -> Iterable[str]:
    """What was seen, for people."""
    yield f"{len(seen.rows):,} recordings in {visible(str(seen.folder))}{_of_classes(seen)}"
    if seen.read:
        seconds = [header.seconds for header in seen.read]
        yield (
            f"lengths: {seconds[0]:.2f} to {seconds[-1]:.2f} s, median {median(seconds):.2f} s"
            + f"; {len(seconds):,} of them were looked at" * (len(seen.headers) < len(seen.rows))
        )
        yield f"rates: {_counted(Counter(f'{header.rate:,} Hz' for header in seen.read))}"
        channels = Counter(f"{header.channels} channel{'s' * (header.channels > 1)}" for header in seen.read)
        yield f"channels: {_counted(channels)}" + "; they are averaged" * (set(channels) != {"1 channel"})
        yield f"formats: {_counted(Counter(header.format for header in seen.read))}"
    faulty = {path: why for path, why in seen.headers.items() if isinstance(why, str)}
    if faulty:
        shown = "; ".join(f"{visible(path)}: {visible(why)}" for path, why in list(faulty.items())[:_SHOWN])
        yield f"{len(faulty):,} headers cannot be read: {shown}"
    yield _of_folds(seen)
    yield _of_sources(seen)
    if seen.unused:
        yield visible(seen.unused)


def _of_classes(seen: "Survey") -> str:
    if not seen.clips:
        return ", with a number each"
    several = any(len(row.labels) > 1 for row in seen.rows)
    counted = _counted(Counter({visible(name): count for name, count in seen.clips.items()}))
    return f", {len(seen.clips)} classes{', several a recording' * several}: {counted}"


def _of_folds(seen: "Survey") -> str:
    count, by = seen.settings["folds"], "folders" if seen.table else "table"
    if seen.is_split:
        parts = Counter(row.split for row in seen.rows)
        return f"split, by the {by}: {_counted(parts)}; test is tested, the others train"
    if seen.rows[0].fold is not None:
        return f"folds: 1 to {count}, by the {by}; each is tested once"
    return f"folds: {count}, made by a seed; each is tested once, and all clips of a source lie in one"


def _of_sources(seen: "Survey") -> str:
    if seen.named_as:
        return f"sources: {seen.sources:,}, by the names of files, which are like those of {seen.named_as}"
    if seen.sources < len(seen.rows):
        return f"sources: {seen.sources:,}, by the table"
    return (
        "sources: none are named, so each file counts as a recording of its own; where several are cut from one, "
        "or come from one speaker or place, give a table with the column source (docs/own-recordings.md)"
    )


def _rate(seen: "Survey") -> int:
    """The rate that most recordings have; of equally frequent ones the lowest."""
    counts = Counter(header.rate for header in seen.read)
    return min(counts, key=lambda rate: (-counts[rate], rate))


def _training(seen: "Survey") -> int:
    """How many clips a pretraining has: a fixed split's test part is left out."""
    return sum(row.split != "test" for row in seen.rows)


def _counted(counts: "Counter[str]") -> str:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{what} {count:,}" for what, count in most[:_SHOWN]) + ", ..." * (len(most) > _SHOWN)


def _flow(mapping: dict[str, Any]) -> str:
    """A mapping as YAML in one line."""
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in mapping.items()) + "}"


def _scalar(value: Any) -> str:
    plain = isinstance(value, str) and value.isidentifier() and value.lower() not in ("true", "false", "null")
    return str(value) if plain else json.dumps(value, ensure_ascii=False)
