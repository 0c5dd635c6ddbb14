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
    """The named columns, without those that the file lacks. Columns of texts become indices into a dictionary."""
    from pyarrow.parquet import ParquetFile, read_schema  # its read_table would load pandas

    words = [name for name in names if name in _TEXTS]
    try:
        # Without a buffer that a thread fills: files are small, and thousands of handovers take longer than reading.
        file = ParquetFile(path, read_dictionary=words, pre_buffer=False)
    except KeyError:  # an older file, which lacks some
        words = [name for name in read_schema(path).names if name in words]
        file = ParquetFile(path, read_dictionary=words, pre_buffer=False)
    with file:
        present = [name for name in file.schema_arrow.names if name in names]
        return file.read(columns=present, use_threads=False).unify_dictionaries()


def numbers(table: "Table", name: str) -> NDArray[Any]:
    """A column of numbers."""
    chunks = [np.from_dlpack(chunk) for chunk in table.column(name).chunks if len(chunk)]
    return np.concatenate(chunks) if chunks else np.empty(0, np.int64)


def values(table: "Table", name: str) -> Any:
    """A column of numbers as an array, or a column of lists of numbers as a list of lists."""
    from pyarrow.types import is_primitive

    column = table.column(name)
    if is_primitive(column.type):
        return numbers(table, name)
    return column.to_pylist()


def matrix(table: "Table", name: str) -> NDArray[Any]:
    """A column of lists of numbers, all of one length, as an array ``[N, C]``."""
    chunks = [chunk for chunk in table.column(name).chunks if len(chunk)]
    arrays = [np.from_dlpack(chunk.flatten()).reshape(len(chunk), -1) for chunk in chunks]
    return np.concatenate(arrays) if arrays else np.empty((0, 0))


def texts(table: "Table", name: str) -> NDArray[np.str_]:
    """A column of texts."""
    chunks = [chunk for chunk in table.column(name).chunks if len(chunk)]
    if not chunks:
        return np.empty(0, np.str_)
    dictionary = np.array(chunks[0].dictionary.to_pylist(), np.str_)  # unified: all chunks have the same
    column: NDArray[np.str_] = dictionary[np.concatenate([np.from_dlpack(chunk.indices) for chunk in chunks])]
    return column
