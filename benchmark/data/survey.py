"""Looks at a folder of recordings: what is in it, and how the task ``folder`` reads it. Only headers are read."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.threads import in_threads
from registry.decode import endings
from registry.errors import Mistake
from registry.lookup import TASKS
from registry.tasks import told_unused
from registry.tasks._recording import Recording, told_by
from registry.tasks._tables import read_table
from registry.tasks.folder import Folder

MOST_FOLDS = 5
_INSIDE = 200  # sounds in tars and Parquet files: a header is read with all of its sound
_LABELS = ("label", "category", "class", "genre", "target")  # what data sets call it


class Header(NamedTuple):
    """What the header of a recording says: Hz, channels, seconds and the format's name."""

    rate: int
    channels: int
    seconds: float
    format: str


@dataclass(frozen=True)
class Survey:
    """What is in a folder of recordings.

    Args:
        folder: of the recordings.
        settings: of the task ``folder`` that reads them.
        table: the text of a table that must be written first, and named by the setting ``table``; empty if none must.
        rows: the recordings, with their labels, sources and folds as far as they are known.
        named_as: the task whose names of files told the sources; empty if none did.
        headers: of the recordings, or of some of them, by path; in place of a header why it cannot be read.
        unused: a sentence on the files that are no recordings; may be empty.
    """

    folder: Path
    settings: dict[str, Any]
    table: str
    rows: list[Recording]
    named_as: str
    headers: dict[str, Header | str]
    unused: str

    @cached_property
    def clips(self) -> Counter[str]:
        """Clips by label; empty where labels are numbers."""
        return Counter(label for row in self.rows for label in row.labels)

    @cached_property
    def read(self) -> list[Header]:
        """The headers that can be read, the shortest recording first."""
        return sorted((h for h in self.headers.values() if isinstance(h, Header)), key=lambda header: header.seconds)

    @property
    def sources(self) -> int:
        """How many recordings the clips were cut from."""
        return len({row.source for row in self.rows})

    @property
    def is_split(self) -> bool:
        """Whether one part is tested and the rest trains, in place of folds."""
        return bool(self.rows[0].split)


def survey(folder: Path, table: Path) -> Survey:
    """Looks at a folder.

    Args:
        folder: a folder a class, below folders of splits or folds if there are such; or a table, tars, Parquet files.
        table: where a table will be written, if the names of files tell what a folder a class cannot say.

    Raises:
        Mistake: if no form of the task ``folder`` fits, or folds cannot be made.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise Mistake(f"the folder {folder} does not exist", fix="name a folder of recordings")
    rows, settings, unused = _listed(folder)
    named_as, written = "", ""
    if "table" not in settings:
        rows, named_as = _with_sources(rows)
        if named_as or rows[0].split or rows[0].fold is not None:
            written, settings = _as_table(rows), settings | {"table": str(table.resolve())}
    settings["folds"] = _folds(rows, folder)
    return Survey(folder, settings, written, rows, named_as, _headers(rows, folder), unused)


def _listed(folder: Path) -> tuple[list[Recording], dict[str, Any], str]:
    """The recordings, the settings of the task that lists them, and what is not used."""
    path: dict[str, Any] = {"path": str(folder)}
    tables = [table for table in (*folder.glob("*.csv"), *folder.glob("*.tsv")) if _is_table(table)]
    if len(tables) > 1:
        named = ", ".join(sorted(table.name for table in tables))
        raise Mistake(f"several tables list recordings: {named}", where=str(folder), fix="keep one of them there")
    if tables:
        return _by_task({**path, "table": tables[0].name}, folder)
    rows, settings, unused = _by_task(path, folder)
    if rows:
        return rows, settings, unused
    rows = _below_splits(folder)
    if rows:
        return rows, path, ""
    for pattern in ("*.tar", "*.parquet", "*/*.parquet"):
        if any(folder.glob(pattern)):
            return _labelled({**path, "table": pattern}, folder)
    raise Mistake(
        "no recordings are found",
        where=str(folder),
        fix="a folder for each class, or a table (CSV) with the columns path and label: docs/own-recordings.md; "
        + (unused or f"sounds end in {', '.join(sorted(endings()))}"),
    )


def _is_table(path: Path) -> bool:
    try:
        return bool(read_table(path, ("path",), "the table is", either=("label", "value")))
    except Mistake:
        return False


def _by_task(settings: dict[str, Any], folder: Path) -> tuple[list[Recording], dict[str, Any], str]:
    task = Folder(Folder.Config.model_validate(settings))
    rows = task.recordings(folder)
    return rows, settings, told_unused(task.unused)


def _labelled(settings: dict[str, Any], folder: Path) -> tuple[list[Recording], dict[str, Any], str]:
    """The recordings in files that hold many, whose label has one of the usual names."""
    refused = None
    for label in _LABELS:
        try:
            return _by_task({**settings, **({"label": label} if label != "label" else {})}, folder)
        except Mistake as mistake:
            refused = refused or mistake
    assert refused
    raise refused


def _below_splits(folder: Path) -> list[Recording]:
    """The recordings in ``train/CLASS/``, ``test/CLASS/``, or in ``fold1/CLASS/``, ...; none if folders are others."""
    tops = [top for top in sorted(folder.iterdir()) if top.is_dir() and top.name[0] != "."]
    told = {top.name: told_by(top.name) for top in tops}
    rows: list[Recording] = []
    for top in tops if all(told.values()) else ():
        for row in _by_task({"path": str(top)}, top)[0]:
            path, cell = f"{top.name}/{row.path}", told[top.name]
            fold = int(cell["fold"]) if "fold" in cell else None
            rows.append(Recording(path, row.labels, path, fold=fold, split=cell.get("split", "")))
    return rows


def _with_sources(rows: list[Recording]) -> tuple[list[Recording], str]:
    """The recordings with the sources that their names tell as those of a known task do, and that task's name."""
    for task in TASKS.names():
        told = [TASKS.find(task).source_of(Path(row.path).name) for row in rows]
        plain = (
            source is None or source in (Path(row.path).name, Path(row.path).stem)
            for source, row in zip(told, rows, strict=True)
        )
        if not any(plain) and len(set(told)) < len(rows):
            return [replace(row, source=str(source)) for row, source in zip(rows, told, strict=True)], task
    return rows, ""


def _as_table(rows: Sequence[Recording]) -> str:
    """The table of recordings, as the task ``folder`` reads it."""
    text = io.StringIO()
    which = "split" if rows[0].split else "fold" if rows[0].fold is not None else ""
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "source", *([which] if which else [])])
    for row in rows:
        part = [] if not which else [row.split or row.fold]
        writer.writerow([row.path, ";".join(row.labels), row.source, *part])
    return text.getvalue()


def _folds(rows: Sequence[Recording], folder: Path) -> int:
    """How many folds there are, or can be made.

    Raises:
        Mistake: if two cannot be made.
    """
    if rows[0].split:
        return 1
    if rows[0].fold is not None:
        return max((row.fold or 0 for row in rows), default=1) or 1
    of_label: dict[str, set[str]] = {}
    for row in rows:
        for label in row.labels or ("",):
            of_label.setdefault(label, set()).add(row.source)
    fewest, sources = min(of_label.items(), key=lambda item: len(item[1]))
    if len(sources) < 2:
        raise Mistake(
            f"no folds can be made: {fewest!r} has one recording alone",
            where=str(folder),
            fix="record more of it, or leave the class out",
        )
    return min(MOST_FOLDS, len(sources))


def _headers(rows: Sequence[Recording], folder: Path) -> dict[str, Header | str]:
    step = max(len(rows) // _INSIDE, 1) if rows[0].inside else 1
    chosen = rows[::step]

    def read(row: Recording) -> Header | str:
        try:
            return _header(row.inside.read()) if row.inside else _header(folder / row.path)
        except (OSError, RuntimeError, ValueError) as error:  # soundfile's are RuntimeErrors
            return str(error)

    with in_threads(read, chosen) as found:
        return dict(zip((row.path for row in chosen), found, strict=True))


def _header(sound: Path | bytes) -> Header:
    """What the header says.

    Raises:
        RuntimeError, OSError: if no decoder knows the format.
    """
    import soundfile

    try:
        info = soundfile.info(str(sound) if isinstance(sound, Path) else io.BytesIO(sound))
        return Header(info.samplerate, info.channels, info.frames / info.samplerate, info.format)
    except soundfile.LibsndfileError:
        if not isinstance(sound, Path) or sound.suffix.lower() not in endings():
            raise
    from registry.decode import decode

    wave_T, rate = decode(sound)  # by PyAV, whose containers seldom state a length
    return Header(rate, 1, len(wave_T) / rate, sound.suffix[1:].upper())
