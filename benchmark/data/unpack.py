"""Unpacks archives that may be hostile: every file stays inside the folder, and none takes more room than it may.

The parsers are Python's own. What they leave open is refused here: links and devices, names that lead elsewhere or
overwrite one another, and archives that hold far more than their size lets expect.
"""

import bz2
import errno
import gzip
import lzma
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO, Any

from benchmark.data.pieces import joined
from benchmark.progress import Progress
from registry.errors import Mistake

MB = 10**6
_ALWAYS = 100 * MB  # bytes that any archive may unpack to
_PER_BYTE = 100  # bytes more for each byte of the archive: sound shrinks to a tenth at best, tables to a twentieth
_SHOWN = 100  # characters of a name
_BY_HAND = "if you trust it all the same, unpack it yourself, and give --from its folder"
# How much is read at once by each method of compression that Python knows, which FMA's archives have as well. Of bzip2
# and LZMA it unpacks as many bytes in one piece, packed: 4 kB of them may be 80 MB.
_METHODS = {zipfile.ZIP_STORED: MB, zipfile.ZIP_DEFLATED: MB, zipfile.ZIP_BZIP2: 4096, zipfile.ZIP_LZMA: 4096}
_DEEPEST = 50  # folders inside one another
_LONGEST_HEAD = MB  # bytes that a tar says about one of its files
_DIGITS = re.compile(rb"\d{100}")  # tarfile's search for numbers takes the square of their length
# What zipfile and tarfile raise for bytes that they do not understand; RuntimeError is what zipfile cannot do.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    LookupError,
    OverflowError,
    MemoryError,
    RuntimeError,
)
_UNWRITABLE = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EILSEQ, errno.ELOOP)


class BadArchive(Mistake):
    """An archive that is damaged, or that nobody should unpack."""


class Megabytes:
    """Counts bytes, and advances a progress by whole megabytes."""

    def __init__(self, progress: Progress, total: int, done: int = 0) -> None:
        self.progress, self.done = progress, done
        progress.expect(total // MB, done // MB, "MB")

    def add(self, size: int) -> None:
        before, self.done = self.done // MB, self.done + size
        if self.done // MB > before:
            self.progress.advance(self.done // MB - before)


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Refuses to begin where the disk has too little room.

    Raises:
        Mistake: with the bytes needed and the bytes free.
    """
    if needed > shutil.disk_usage(folder).free:
        raise _full(folder, needed, purpose)


@contextmanager
def writing(folder: Path, needed: int, purpose: str) -> Iterator[None]:
    """Turns the errors of a disk that is full, or that may not be written to, into mistakes."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(folder, needed, purpose) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EIO):
            raise Mistake(
                f"{purpose} failed: {error.strerror}",
                where=str(error.filename or folder),
                fix="make the folder writable, or give --data another one",
            ) from error
        raise


def _full(folder: Path, needed: int, purpose: str) -> Mistake:
    size = f"needs {needed:,} bytes" if needed else "needs more room"
    return Mistake(
        f"the disk is full: {purpose} {size}, and {shutil.disk_usage(folder).free:,} are free",
        where=str(folder),
        fix="make room and run this again: it goes on from where it stopped; or give --data a folder on another disk",
    )


def unpack(files: Sequence[Path], folder: Path, progress: Progress) -> None:
    """Unpacks a zip or tar archive into an empty folder.

    Only plain files and folders are allowed: a link could lead anywhere.

    Args:
        files: the archive; for a split zip, all pieces in order, the ``.zip`` last.
        folder: exists, empty.
        progress: counts megabytes.

    Raises:
        BadArchive: if the archive is truncated, damaged or encrypted; if it holds anything but files and folders, or
            more bytes than its size lets expect; or if a name leads outside the folder, stands in it twice, or cannot
            be a name here.
        Mistake: if the disk is full.
    """
    archive = files[-1]
    try:
        if archive.suffix.lower() == ".zip":
            _unzip(files, folder, progress)
        else:
            _untar(archive, folder, progress)
    except _DAMAGE as error:
        raise _damaged(archive, str(error) or type(error).__name__) from error
    except OSError as error:
        if error.errno is None:  # gzip and bz2 report damage so
            raise _damaged(archive, str(error)) from error
        if error.errno in (errno.EINVAL, errno.EOVERFLOW):  # a place that no file has
            raise _damaged(archive, f"it points to a place that is not there ({error.strerror})") from error
        raise


def _damaged(archive: Path, why: str) -> BadArchive:
    return BadArchive(f"{archive.name} is truncated or damaged: {why}", where=str(archive), fix="fetch it again")


@dataclass(frozen=True)
class _Entry:
    """A file or folder in an archive: its name there, its bytes, how it is opened, and how much is read at once."""

    name: str
    size: int
    is_folder: bool
    open: Callable[[], AbstractContextManager[Any]]
    at_once: int = MB


def _unzip(files: Sequence[Path], folder: Path, progress: Progress) -> None:
    archive = files[-1]
    with ExitStack() as stack:
        opened = [stack.enter_context(path.open("rb")) for path in files]
        whole = opened[0] if len(opened) == 1 else joined(opened)
        limit = _limit(whole.seek(0, 2))
        content = stack.enter_context(zipfile.ZipFile(whole))
        members = content.infolist()
        for member in members:
            _refuse_form(archive, member)
            _refuse_escape(archive, member.filename)
        needed = sum(member.file_size for member in members)
        if needed > limit:
            raise _too_much(archive, limit)
        require_space(folder, needed, f"unpacking {archive.name}")
        megabytes = Megabytes(progress, needed)
        with writing(folder, needed, f"unpacking {archive.name}"):
            for member in members:
                is_folder = member.filename.endswith("/")
                opener = partial(content.open, member)
                entry = _Entry(member.filename, member.file_size, is_folder, opener, _METHODS[member.compress_type])
                _write(archive, entry, folder)
                megabytes.add(entry.size)


def _untar(archive: Path, folder: Path, progress: Progress) -> None:
    packed = archive.stat().st_size  # the unpacked size is known only at the end: it is at least this
    require_space(folder, packed, f"unpacking {archive.name}")
    claimed, limit = 0, _limit(packed)
    with archive.open("rb") as file, writing(folder, packed, f"unpacking {archive.name}"):
        bounded = _Bounded(_decompressed(file), limit, archive)
        megabytes = Megabytes(progress, packed)
        content = tarfile.TarFile(fileobj=bounded)  # type: ignore[arg-type]  # read, seek and tell are all that it calls
        while (member := content.next()) is not None:
            content.members.clear()  # type: ignore[attr-defined]  # it would keep what it has read of every file
            if not (member.isreg() or member.isdir()) or member.issparse():
                raise _special(archive, member.name)
            _refuse_escape(archive, member.name)
            claimed += abs(member.size)
            if claimed > limit:
                raise _too_much(archive, limit)
            reader = partial(bounded.part, member.offset_data, member.size)
            _write(archive, _Entry(member.name, member.size, member.isdir(), reader), folder)
            megabytes.add(file.tell() - megabytes.done)
        bounded.seek(content.offset)
        if bounded.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise EOFError("it breaks off, or a head in it is damaged")
        while bounded.read(MB):
            """The checksum stands at the end."""


def _limit(packed: int) -> int:
    return _ALWAYS + _PER_BYTE * packed


def _decompressed(file: IO[bytes]) -> Any:
    begin = file.read(6)
    file.seek(0)
    for mark, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open)):
        if begin.startswith(mark):
            return opener(file)
    return file


class _Bounded:
    """What tarfile reads an archive through: it ends with a mistake where the archive says too much.

    Args:
        file: decompresses the archive.
        limit: bytes that may be read.
        archive: the path that messages name.
    """

    def __init__(self, file: Any, limit: int, archive: Path) -> None:
        self.file, self.limit, self.archive = file, limit, archive
        self.name, self.mode = str(archive), "rb"

    def read(self, size: int) -> bytes:
        self._require(self.file.tell() + size)
        if size > _LONGEST_HEAD:  # tarfile reads in one piece what is said of a file, and nothing else
            raise tarfile.HeaderError(f"a head of {size:,} bytes")
        content: bytes = self.file.read(size)
        if size < MB and _DIGITS.search(content):
            raise tarfile.HeaderError("a number of 100 digits")
        return content

    def seek(self, place: int) -> int:
        self._require(place)
        return int(self.file.seek(place))

    def tell(self) -> int:
        return int(self.file.tell())

    @contextmanager
    def part(self, place: int, size: int) -> Iterator["_First"]:
        """So many bytes from a place on."""
        self.seek(place)
        yield _First(self.file, size)

    def _require(self, place: int) -> None:
        if place > self.limit:
            raise _too_much(self.archive, self.limit)


class _First:
    """The first bytes of a file, so many."""

    def __init__(self, file: Any, size: int) -> None:
        self.file, self.left = file, size

    def read(self, size: int) -> bytes:
        content: bytes = self.file.read(min(size, self.left))
        self.left -= len(content)
        return content


def _write(archive: Path, entry: _Entry, folder: Path) -> None:
    """Writes one file or folder. Nothing is overwritten: whether two names are one, the file system knows best."""
    target = folder / entry.name
    try:
        if entry.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with entry.open() as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, entry.at_once)
            written = file.tell()
    except FileExistsError as error:
        raise _bad_name(archive, entry.name, "holds two entries in one place") from error
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        raise _bad_name(archive, entry.name, f"holds what cannot be written here ({error.strerror})") from error
    if written != entry.size:
        raise EOFError(f"{entry.name[:_SHOWN]!r} has {written:,} bytes, and {entry.size:,} are stated")


def _refuse_form(archive: Path, member: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _special(archive, member.filename)
    if member.flag_bits & 0x41:
        raise BadArchive(f"{archive.name} is encrypted", where=str(archive), fix=_BY_HAND)
    if member.compress_type not in _METHODS:
        number = member.compress_type
        raise BadArchive(f"{archive.name} is compressed by another method, {number}", where=str(archive), fix=_BY_HAND)


def _refuse_escape(archive: Path, name: str) -> None:
    path = PureWindowsPath(name)  # knows both kinds of separators, and drives
    if path.drive or path.root or ".." in path.parts:
        raise _bad_name(archive, name, "would write outside its folder")
    if len(path.parts) > _DEEPEST:
        raise _bad_name(archive, name, f"holds more than {_DEEPEST} folders inside one another")


def _special(archive: Path, name: str) -> BadArchive:
    return _bad_name(archive, name, "holds a link or a device")


def _bad_name(archive: Path, name: str, what: str) -> BadArchive:
    return BadArchive(
        f"{archive.name} {what}: {name[:_SHOWN]!r}; nothing of it was kept",
        where=str(archive),
        fix="do not trust this archive; fetch the data set from its source",
    )


def _too_much(archive: Path, limit: int) -> BadArchive:
    return BadArchive(
        f"{archive.name} holds, or says that it holds, more than {limit:,} bytes; nothing of it was kept",
        where=str(archive),
        fix=_BY_HAND,
    )
