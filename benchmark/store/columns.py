"""Columns of a Parquet file as arrays, and arrays as columns. Arrow's own conversions would load pandas: a third of a
second, and 45 MB.

The file may be a stranger's: a column of another type than asked for, or a file that claims more values than its size
allows, is a ValueError. So is a missing value.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pyarrow import Array, ChunkedArray, DataType, Table
    from pyarrow.parquet import ParquetFile

_TEXTS = ["clip", "source", "id"]
# A file of some kilobytes can claim billions of equal values. Ours hold at most three to a byte.
_FEW = 1_000_000
_MOST_PER_BYTE = 100
_LONGEST = 10_000  # characters of a name: an array of texts takes as much for each as for the longest


def read_columns(path: Path, names: Sequence[str], *, known: bool = False) -> "Table":
    """The named columns, without those that the file lacks. Columns of texts become indices into a dictionary.

    Args:
        path: of the file.
        names: of the columns.
        known: whether the file was read before, and has not changed: what it claims is not examined again.

    Raises:
        ValueError: if the file claims more values than one of its size holds, or has a column twice.
    """
    from pyarrow.parquet import ParquetFile, read_schema  # its read_table would load pandas

    words = [name for name in names if name in _TEXTS]
    try:
        # Without a buffer that a thread fills: files are small, and thousands of handovers take longer than reading.
        file = ParquetFile(path, read_dictionary=words, pre_buffer=False)
    except KeyError:  # an older file, which lacks some
        words = [name for name in read_schema(path).names if name in words]
        file = ParquetFile(path, read_dictionary=words, pre_buffer=False)
    with file:
        if known:
            return file.read(columns=names, use_threads=False).unify_dictionaries()
        present = [name for name in file.schema_arrow.names if name in names]
        _require_plain(path, file, present)
        return file.read(columns=present, use_threads=False).unify_dictionaries()


def _require_plain(path: Path, file: "ParquetFile", present: Sequence[str]) -> None:
    """Refuses a file whose columns claim too much, are there twice, or are not of texts where they should be."""
    from pyarrow import types

    schema, about = file.schema_arrow, file.metadata
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    most = [max((group.column(i).num_values for i in range(group.num_columns)), default=0) for group in groups]
    require_room(path, max(about.num_rows, sum(most)))
    if len(set(present)) != len(present):
        raise ValueError("a column is there twice")
    for name in present if about.num_rows else ():  # without rows columns may be of any type
        kind = schema.field(name).type
        if name in _TEXTS and not (types.is_dictionary(kind) and _is_text(kind.value_type)):
            raise ValueError(f"the column {name} is of {kind}, and not of texts")


def _is_text(kind: "DataType") -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def rows_of(path: Path) -> int:
    """How many rows a Parquet file claims."""
    from pyarrow.parquet import read_metadata

    return int(read_metadata(path).num_rows)


def require_room(path: Path, values: int) -> None:
    """Refuses to make more values than a file of this size can hold.

    Raises:
        ValueError: if there are more.
    """
    if values > _FEW + _MOST_PER_BYTE * path.stat().st_size:
        raise ValueError(f"the file claims {values:,} values, and is too small for them")


def numbers(table: "Table", name: str) -> NDArray[Any]:
    """A column of numbers."""
    from pyarrow import types

    column = _column(table, name)
    if len(column) and not (types.is_integer(column.type) or types.is_floating(column.type)):
        raise ValueError(f"the column {name} is of {column.type}, and not of numbers")
    return _array(column)


def flags(table: "Table", name: str) -> NDArray[np.bool_]:
    """A column of yes and no."""
    from pyarrow import types

    column = _column(table, name)
    if len(column) and not types.is_boolean(column.type):
        raise ValueError(f"the column {name} is of {column.type}, and not of yes and no")
    return np.array(column.to_pylist(), bool)


def values(table: "Table", name: str) -> Any:
    """A column of numbers as an array, or a column of lists of numbers as a list of lists."""
    from pyarrow import types

    column = _column(table, name)
    if not len(column) or not (types.is_list(column.type) or types.is_large_list(column.type)):
        return numbers(table, name)
    if not types.is_integer(column.type.value_type) or any(chunk.flatten().null_count for chunk in column.chunks):
        raise ValueError(f"the column {name} is of {column.type}, and not of lists of whole numbers")
    return column.to_pylist()


def matrix(table: "Table", name: str) -> NDArray[Any]:
    """A column of lists of finite numbers, all of one length, as an array ``[N, C]``."""
    from pyarrow import types

    column = _column(table, name)
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    if len(column) and not (types.is_list(column.type) and types.is_floating(column.type.value_type)):
        raise ValueError(f"the column {name} is of {column.type}, and not of lists of numbers")
    lengths = {length for chunk in chunks for length in np.unique(np.diff(np.from_dlpack(chunk.offsets))).tolist()}
    if len(lengths) > 1 or any(chunk.flatten().null_count for chunk in chunks):
        raise ValueError(f"the lists of {name} have several lengths, or gaps")
    arrays = [np.from_dlpack(chunk.flatten()).reshape(len(chunk), -1) for chunk in chunks]
    whole = np.concatenate(arrays) if arrays else np.empty((0, 0))
    if not np.isfinite(whole).all():
        raise ValueError(f"{name} are not all finite")
    return whole


def texts(table: "Table", name: str) -> NDArray[np.str_]:
    """A column of texts."""
    chunks = [chunk for chunk in _column(table, name).chunks if len(chunk)]
    if not chunks:
        return np.empty(0, np.str_)
    names = chunks[0].dictionary.to_pylist()  # unified: all chunks have the same
    if max(map(len, names)) > _LONGEST:
        raise ValueError(f"a text in the column {name} is longer than {_LONGEST:,} characters")
    dictionary = np.array(names, np.str_)
    column: NDArray[np.str_] = dictionary[np.concatenate([np.from_dlpack(chunk.indices) for chunk in chunks])]
    return column


def _column(table: "Table", name: str) -> "ChunkedArray":
    if name not in table.column_names:
        raise ValueError(f"there is no column {name}")
    column = table.column(name)
    if column.null_count:
        raise ValueError(f"the column {name} has gaps")
    return column


def _array(column: "ChunkedArray") -> NDArray[Any]:
    chunks = [np.from_dlpack(chunk) for chunk in column.chunks if len(chunk)]
    return np.concatenate(chunks) if chunks else np.empty(0, np.int64)


def column_of(values: NDArray[Any] | Sequence[NDArray[Any]]) -> "Array":
    """A column of numbers or flags ``[N]``; or of lists, from ``[N, C]`` or from an array for each row."""
    import pyarrow as pa

    if not isinstance(values, np.ndarray) or values.ndim == 2:
        offsets = np.cumsum([0, *map(len, values)], dtype=np.int32)
        flat = np.concatenate([np.empty(0, np.int64), *values]) if isinstance(values, list) else np.ravel(values)
        return pa.ListArray.from_arrays(column_of(offsets), column_of(flat))
    stored = np.packbits(values, bitorder="little") if values.dtype == bool else np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(stored)])
