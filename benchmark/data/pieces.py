"""Reads the pieces of a split zip as the one zip that they were."""

import io
import struct
import zipfile
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import IO, BinaryIO

# Records of the zip format (PKWARE's APPNOTE 4.3.12 to 4.3.16), little-endian.
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_SATURATED = 0xFFFFFFFF


class _Joined(io.RawIOBase):
    """Several files read as one, one after the other: of each file so many bytes from its beginning."""

    def __init__(self, pieces: Sequence[tuple[IO[bytes], int]]) -> None:
        self.files = [file for file, _ in pieces]
        self.starts = [0, *accumulate(size for _, size in pieces)]
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + (0, self.place, self.starts[-1])[whence]
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer in typeshed
        i = bisect_right(self.starts, self.place) - 1
        if i >= len(self.files):
            return 0
        self.files[i].seek(self.place - self.starts[i])
        content = self.files[i].read(min(len(buffer), self.starts[i + 1] - self.place))
        buffer[: len(content)] = content
        self.place += len(content)
        return len(content)


def joined(files: Sequence[BinaryIO]) -> BinaryIO:
    """Joins the pieces of a split zip into the one zip that they were, without a copy on the disk.

    The pieces are the zip's bytes, cut. But the directory at the end gives each entry's place as the number of a piece
    and an offset within that piece, and zipfile takes this offset for one from the beginning of the zip. So the
    directory is replaced by one that counts from the beginning. (``zip -s 0`` of Info-ZIP 3.0, the usual advice,
    damages entries that lie in more than two pieces, and needs room for a copy.)

    Raises:
        zipfile.BadZipFile: if these are not all pieces of one zip.
    """
    pieces = _Joined([(file, file.seek(0, io.SEEK_END)) for file in files])
    whole = io.BufferedReader(pieces)
    piece, count, size, place = _find_directory(whole, pieces.starts)
    start = whole.seek(pieces.starts[piece] + place)
    entries = io.BytesIO(whole.read(min(size, pieces.starts[-1])))  # more would be made room for
    directory = b"".join(_moved(entries, pieces.starts) for _ in range(count))
    end64 = _END64.pack(b"PK\6\6", _END64.size - 12, 45, 45, 0, 0, count, count, len(directory), start)
    locator = _LOCATOR.pack(b"PK\6\7", 0, start + len(directory), 1)
    end = _END.pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, _SATURATED, _SATURATED, 0)
    tail = directory + end64 + locator + end
    return io.BufferedReader(_Joined([(whole, start), (io.BytesIO(tail), len(tail))]))


def _find_directory(whole: BinaryIO, starts: Sequence[int]) -> tuple[int, int, int, int]:
    """Where the directory is: the number of its piece, the count of its entries, its bytes, its offset in the piece."""
    whole.seek(max(0, starts[-1] - _END.size - 0xFFFF))
    tail = whole.read()
    end = tail.rfind(b"PK\5\6")
    if end < 0:
        raise zipfile.BadZipFile("the last piece has no end record")
    _, last, piece, _, count, size, place, _ = _END.unpack_from(tail, end)
    before = end - _LOCATOR.size
    if before >= 0 and tail[before:].startswith(b"PK\6\7"):
        _, end_piece, end_place, _ = _LOCATOR.unpack_from(tail, before)
        whole.seek(starts[min(end_piece, len(starts) - 1)] + end_place)
        _, _, _, _, last, piece, _, count, size, place = _END64.unpack(whole.read(_END64.size))
    if last + 2 != len(starts):
        raise zipfile.BadZipFile(f"it was split into {last + 1} pieces, and {len(starts) - 1} are here")
    return piece, count, size, place


def _moved(entries: IO[bytes], starts: Sequence[int]) -> bytes:
    """The next entry of a directory, with its place counted from the beginning of the first piece."""
    fields = list(_ENTRY.unpack(entries.read(_ENTRY.size)))
    if fields[0] != b"PK\1\2":
        raise zipfile.BadZipFile("its directory is damaged")
    name, extra, comment = (entries.read(fields[i]) for i in (10, 11, 12))
    compressed, full, piece, place = fields[8], fields[9], fields[13], fields[16]
    wide, rest = _split_extra(extra)
    at = 8 * ((full == _SATURATED) + (compressed == _SATURATED))
    sizes = wide[:at]
    if place == _SATURATED:
        (place,) = struct.unpack_from("<Q", wide, at)
        at += 8
    if piece == 0xFFFF:
        (piece,) = struct.unpack_from("<L", wide, at)
    if piece >= len(starts) - 1:
        raise zipfile.BadZipFile(f"an entry lies in piece {piece + 1}, and {len(starts) - 1} are here")
    wide = sizes + struct.pack("<Q", starts[piece] + place)
    extra = struct.pack("<2H", 1, len(wide)) + wide + rest
    fields[11], fields[13], fields[16] = len(extra), 0, _SATURATED
    return _ENTRY.pack(*fields) + name + extra + comment


def _split_extra(extra: bytes) -> tuple[bytes, bytes]:
    """The 64-bit values in an entry's extra fields, and all its other extra fields."""
    wide, rest = b"", b""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == 1:
            wide = extra[4 : 4 + size]
        else:
            rest += extra[: 4 + size]
        extra = extra[4 + size :]
    return wide, rest
