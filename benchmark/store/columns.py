"""Columns of a Parquet file as arrays. Arrow's own ``to_numpy`` would load pandas, which takes a second."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pyarrow import Table

_TEXTS = ["clip", "source", "id"]


def read_columns(path: Path, names: Sequence[str]) -> "Table":
    """Those of some columns that a file has; texts as numbers into a dictionary."""
    from pyarrow.parquet import ParquetFile, read_schema  # its read_table would load pandas

    there = [name for name in read_schema(path).names if name in names]
    with ParquetFile(path, read_dictionary=[name for name in there if name in _TEXTS]) as file:
        return file.read(columns=there, use_threads=False).unify_dictionaries()


def numbers(table: "Table", name: str) -> NDArray[Any]:
    """A column of numbers."""
    parts = [np.from_dlpack(part) for part in table.column(name).chunks if len(part)]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def values(table: "Table", name: str) -> Any:
    """A column of numbers, as an array, or of lists of numbers, as a list of these."""
    from pyarrow.types import is_primitive

    column = table.column(name)
    if is_primitive(column.type):
        return numbers(table, name)
    return column.to_pylist()


def matrix(table: "Table", name: str) -> NDArray[Any]:
    """A column of lists of numbers, all of one length, as ``[N, C]``."""
    parts = [np.from_dlpack(part.flatten()).reshape(len(part), -1) for part in table.column(name).chunks if len(part)]
    return np.concatenate(parts) if parts else np.empty((0, 0))


def texts(table: "Table", name: str) -> NDArray[np.str_]:
    """A column of texts."""
    parts = [part for part in table.column(name).chunks if len(part)]
    if not parts:
        return np.empty(0, np.str_)
    known = np.array(parts[0].dictionary.to_pylist(), np.str_)  # unified: that of all parts
    found: NDArray[np.str_] = known[np.concatenate([np.from_dlpack(part.indices) for part in parts])]
    return found
