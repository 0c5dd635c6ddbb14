"""Tensor files that are larger than the memory: written row by row, and read where they lie."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from registry.tensors import checked, digest_of, stated

_TYPES = {"I64": "int64", "F32": "float32"}  # by safetensors' names; others are not needed
_PIECE = 2**20  # bytes that are read at once
_NO_DIGEST = "0" * 64  # until all is written


@dataclass(frozen=True)
class _Place:
    """Where a tensor is in a file: its first byte, its type and its shape."""

    begin: int
    type_: str
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * np.dtype(self.type_).itemsize

    def pieces(self, file: BinaryIO) -> Iterator[bytes]:
        """The tensor's bytes, a piece at a time."""
        file.seek(self.begin)
        left = self.shape[0] * self.row_bytes
        while left and (piece := file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece

    def mapped(self, file: BinaryIO) -> Tensor:
        """The tensor, whose bytes are read when they are used."""
        if 0 in self.shape:  # a map has at least a byte
            return torch.from_numpy(np.empty(self.shape, self.type_))
        # "c", because torch warns of what it cannot write to; what is written stays in this process.
        return torch.from_numpy(np.memmap(file, self.type_, "c", self.begin, self.shape))


@dataclass(frozen=True)
class Layout:
    """A tensor file whose rows are being written."""

    file: BinaryIO
    places: Mapping[str, _Place]

    def write(self, name: str, first: int, rows: Tensor) -> None:
        """Writes the rows of a tensor from row ``first`` on."""
        place = self.places[name]
        self.file.seek(place.begin + first * place.row_bytes)
        self.file.write(rows.contiguous().numpy().data)


@contextmanager
def laid_out(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[Layout]:
    """Lays out the file that ``write_tensors`` would write. The block writes every row; the digest is added at its end.

    Args:
        path: of the file.
        tensors: int64 or float32, on the device ``meta``: their types and shapes.
        metadata: as in ``write_tensors``.
    """
    contents = _contents(tensors)
    with path.open("w+b") as file:
        begin = _write_header(file, contents, stated(metadata, _NO_DIGEST))
        places = _places(contents, begin)
        yield Layout(file, places)
        _write_header(file, contents, stated(metadata, _digest(file, places, metadata)))


def map_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, which stay on the disk until they are used, and its metadata.

    Raises:
        Damaged: if the content differs from its digest. Files of earlier versions and of others have no digest.
        SafetensorError: if it is no safetensors file.
    """
    with safe_open(path, framework="np") as known:  # refuses a header that does not fit the file
        header: dict[str, str] = known.metadata() or {}
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        contents = {name: content for name, content in json.loads(file.read(size)).items() if name != "__metadata__"}
        places = _places(contents, 8 + size)
        metadata = checked(path, header, lambda metadata: _digest(file, places, metadata))
        return {name: place.mapped(file) for name, place in places.items()}, metadata


def _contents(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What a header says of tensors, in the order in which safetensors writes them: by size of type, then by name."""
    name_of = {type_: name for name, type_ in _TYPES.items()}
    contents, begin = {}, 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        end = begin + tensor.numel() * tensor.itemsize
        type_ = name_of[str(tensor.dtype).removeprefix("torch.")]
        contents[name] = {"dtype": type_, "shape": list(tensor.shape), "data_offsets": [begin, end]}
        begin = end
    return contents


def _write_header(file: BinaryIO, contents: Mapping[str, Any], metadata: Mapping[str, str]) -> int:
    """Writes the header as safetensors does, byte for byte, and returns the number of its bytes."""
    text = json.dumps({"__metadata__": metadata, **contents}, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.seek(0)
    return file.write(len(text).to_bytes(8, "little") + text)


def _places(contents: Mapping[str, Any], begin: int) -> dict[str, _Place]:
    """The places of the tensors that a header names, in a file whose data begin at byte ``begin``."""
    return {
        name: _Place(begin + content["data_offsets"][0], _TYPES[content["dtype"]], tuple(content["shape"]))
        for name, content in contents.items()
    }


def _digest(file: BinaryIO, places: Mapping[str, _Place], metadata: Mapping[str, str]) -> str:
    contents = ((name, f"torch.{place.type_}", place.shape, place.pieces(file)) for name, place in places.items())
    return digest_of(metadata, contents)
