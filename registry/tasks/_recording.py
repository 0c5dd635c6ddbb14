"""What a table, a tar or a Parquet file says of a recording of the task ``folder``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.errors import Mistake
from registry.tasks import Inside
from registry.tasks._files import composed
from registry.tasks._tables import TableRow

_SPLITS = {"train": 0, "test": 1, "validation": 2}
_WORDS = {  # in the names of files, as the library datasets reads them
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_FOLD = re.compile(r"fold[-_]?0*(\d{1,9})", re.IGNORECASE)
_WORD = re.compile(rf"(?<![a-z])({'|'.join(_WORDS)})(?![a-z])", re.IGNORECASE)
_SHOWN = 10


@dataclass(frozen=True)
class Recording:
    """A recording: its name below the folder, its labels or number, and its source, fold and split.

    ``inside`` is its place in a file that holds many, and ``size`` its bytes there, or 0 where they are not known.
    """

    path: str
    labels: tuple[str, ...]
    source: str
    value: float | None = None
    fold: int | None = None
    split: str = ""
    inside: Inside | None = None
    size: int = 0


def recording_of(row: TableRow, path: str, label: str, inside: Inside | None = None, size: int = 0) -> Recording:
    """A recording from the cells of its row.

    Args:
        row: has the columns of a table of ``folder``.
        path: name of the recording.
        label: name of the column with the label.
        inside: its place in a file that holds many.
        size: its bytes there.

    Raises:
        Mistake: if a cell is missing, or not of its form.
    """
    split = row.one_of("split", _SPLITS) if "split" in row else ""
    fold = row.number("fold") if "fold" in row else _SPLITS[split] if split else None
    value = row.real("value") if "value" in row else None
    labels = _labels(row, label) if value is None else ()
    return Recording(path, labels, row["source"] or path, value, fold, split, inside, size)


def _labels(row: TableRow, label: str) -> tuple[str, ...]:
    labels = (composed(one.strip()) for one in row.filled(label).split(";") if one.strip())
    distinct = tuple(dict.fromkeys(labels))
    if not distinct:
        raise Mistake(f"the {label} is empty", where=row.where)
    return distinct


def row_of(fields: Mapping[str, Any], of_file: Mapping[str, str], label: str, where: str) -> TableRow:
    """The row of a recording in a file that holds many.

    Args:
        fields: of the recording, by name; several labels are a list.
        of_file: the cell that the file's name gives; it counts where the fields state neither fold nor split.
        label: name of the field with the label.
        where: the recording's place, for messages.

    Raises:
        Mistake: if there is neither a label nor a value.
    """
    cells = {name: _cell(value) for name, value in fields.items()}
    if not {"fold", "split"} & cells.keys():
        cells |= of_file
    if label in cells and label != "value":
        cells.pop("value", None)
    elif "value" not in cells:
        raise Mistake(
            f"the recording has no field {label!r}, and no number in a field value",
            where=where,
            fix=f"label: one of {', '.join(list(cells)[:_SHOWN])}" if cells else "give it a label",
        )
    return TableRow(cells, where)


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ";".join(map(_cell, value))
    return "" if value is None else str(value).strip()


def files_named(folder: Path, pattern: str) -> list[Path]:
    """The files below a folder with names of a pattern, in order; hidden ones are left out.

    Raises:
        Mistake: if there are none, or the pattern leads out of the folder.
    """
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise Mistake(f"{pattern} leads out of the folder", where=str(folder), fix="name files below it")
    files = sorted(path for path in folder.glob(pattern) if path.is_file() and path.name[0] != ".")
    if not files:
        raise Mistake(f"no file has a name like {pattern}", where=str(folder), fix="table: a pattern of its files")
    return files


def told_by_names(files: Sequence[Path]) -> dict[Path, dict[str, str]]:
    """The fold or split that the name of each file tells, as a cell of a table; none if all names tell the same."""
    told = {file: told_by(file.stem) for file in files}
    differ = any(cell != told[files[0]] for cell in told.values())
    return {file: cell if differ else {} for file, cell in told.items()}


def require_alike(rows: Sequence[Recording], where: Path) -> None:
    """Refuses recordings of which some have a label and others a number, or some a fold or split and others none.

    Raises:
        Mistake: with the first recording that differs from the first of all.
    """
    for row in rows:
        for what, a, b in (("number", row.value, rows[0].value), ("fold or split", row.fold, rows[0].fold)):
            if (a is None) != (b is None):
                has, lacks = (row, rows[0]) if b is None else (rows[0], row)
                raise Mistake(
                    f"{has.path} has a {what}, and {lacks.path} has none",
                    where=str(where),
                    fix="give it to all, in fields or by the names of files, or to none",
                )


def told_by(name: str) -> dict[str, str]:
    """The fold or split that a name tells, as a cell of a table: ``fold-1``, ``train``; empty if it tells none."""
    fold, word = _FOLD.search(name), _WORD.search(name)
    return {"fold": fold[1]} if fold else {"split": _WORDS[word[1].lower()]} if word else {}
