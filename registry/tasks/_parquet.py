"""Recordings in Parquet files as Hugging Face's library ``datasets`` writes them, whose sounds are bytes in a column.

Source: the documentation of ``datasets`` (features Audio, ClassLabel and Sequence; names of files of splits).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from registry.errors import Mistake
from registry.tasks import Inside
from registry.tasks._recording import Recording, recording_of, row_of, told_by_names

_COLUMNS = ("value", "source", "fold", "split")
_loading = Lock()


@dataclass(frozen=True)
class Cell(Inside):
    """A cell of a column of sounds: its row in the file, the row group, and its row in the group."""

    row: int
    column: str
    group: int
    at: int

    @property
    def name(self) -> str:
        return f"{self.row}"

    def read(self) -> bytes:
        from pyarrow import ArrowException

        try:
            with _loading:  # so that threads that want one group load it once
                sounds = _sounds(self.path, self.path.stat().st_mtime_ns, self.column, self.group)
            sound = sounds[self.at].as_py()
        except (ArrowException, IndexError) as error:
            raise ValueError(f"{self.path.name} cannot be read: {error}") from error
        if not sound or sound["bytes"] is None:
            raise ValueError("its row has no bytes: the sound is in another file")
        content: bytes = sound["bytes"]
        return content


@lru_cache(2)  # rows are read in order, by threads that may be at two groups at once
def _sounds(path: Path, changed_ns: int, column: str, group: int) -> Any:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        return file.read_row_group(group, columns=[f"{column}.bytes"], use_threads=False).column(0)


def in_parquet(folder: Path, files: Sequence[Path], label: str) -> list[Recording]:
    """The recordings in some Parquet files. The sounds themselves are not read.

    Args:
        folder: of the data set.
        files: below it.
        label: the column of the label.

    Raises:
        Mistake: if a file cannot be read, has no column of sounds, or a row has no label.
    """
    from pyarrow import ArrowException

    of_file, found = told_by_names(files), []
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            for fields, cell in _rows(file, label):
                row = row_of(fields, of_file[file], label, f"{file}: row {cell.row}")
                found.append(recording_of(row, f"{name}/{cell.row}", label, cell))
        except (ArrowException, OSError) as error:
            raise Mistake(
                f"the Parquet file cannot be read: {str(error).splitlines()[0][:200]}",
                where=str(file),
                fix="fetch it again",
            ) from error
    return found


def _rows(path: Path, label: str) -> Iterator[tuple[dict[str, Any], Cell]]:
    """The fields of each row, and the place of its sound."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        schema = file.schema_arrow
        features = _features(schema)
        column = _audio_column(path, schema, features)
        names = _class_names(features.get(label))
        wanted = [name for name in (label, *_COLUMNS) if name in schema.names]
        if not {label, "value"} & set(wanted):
            others = [name for name in schema.names if name != column]
            raise Mistake(f"there is no column {label!r}", where=str(path), fix=f"label: one of {', '.join(others)}")
        row = 0
        for group in range(file.num_row_groups):
            for at, fields in enumerate(file.read_row_group(group, columns=wanted, use_threads=False).to_pylist()):
                if names and label in fields:
                    fields[label] = _named(fields[label], names, f"{path}: row {row}")
                yield fields, Cell(path, row, column, group, at)
                row += 1


def _features(schema: Any) -> Mapping[str, Any]:
    """What ``datasets`` wrote of the columns, by name; empty where it wrote nothing."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _audio_column(path: Path, schema: Any, features: Mapping[str, Any]) -> str:
    from pyarrow.types import is_struct

    marked = [name for name, of in features.items() if isinstance(of, dict) and of.get("_type") == "Audio"]
    for name in [*marked, "audio"]:
        of_column = schema.field(name).type if name in schema.names else None
        if of_column is not None and is_struct(of_column) and of_column.get_field_index("bytes") >= 0:
            return name
    raise Mistake(
        f"no column holds sounds as bytes: there are {', '.join(schema.names)}",
        where=str(path),
        fix="save the data set by datasets, with a column audio of its feature Audio",
    )


def _class_names(feature: Any) -> list[str]:
    """The names of a ClassLabel, or of a sequence of them."""
    while isinstance(feature, list) and feature:
        feature = feature[0]
    if isinstance(feature, dict) and isinstance(feature.get("feature"), dict | list):
        return _class_names(feature["feature"])
    names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _named(value: Any, names: Sequence[str], where: str) -> Any:
    if isinstance(value, list):
        return [_named(one, names, where) for one in value]
    if value is None or value == -1:
        return None
    if not (isinstance(value, int) and 0 <= value < len(names)):
        raise Mistake(f"the label {value!r} is none of {len(names)} classes", where=where)
    return names[value]
