"""Files of records that lie elsewhere, behind a URL that fsspec opens: s3://, https://, sftp://, file:// and others.

In the place of such a file, NAME, is a small one, NAME.elsewhere, that says where it lies. It is read by ranges.
Credentials are never in the URL: they are in the environment, or in fsspec's own configuration.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from registry.errors import Damaged, Mistake

BLOCK_BYTES = 1 << 18  # that are fetched at once
_BLOCKS = 64  # that are remembered, of all files together
_AT_ONCE = 1 << 22  # bytes, where a whole file is read
_WEB = ("http", "https")


class Unreachable(Mistake):
    """A file that lies elsewhere and cannot be read just now. Nothing says that it is damaged."""


class Note(BaseModel):
    """Where a file lies, and its bytes."""

    model_config = ConfigDict(extra="forbid")

    url: str
    bytes: int


def note_path(path: Path) -> Path:
    """The path of the note in the place of a file."""
    return path.with_name(f"{path.name}.elsewhere")


def note_of(path: Path) -> Note | None:
    """Where a file lies; None if it lies here, or nowhere.

    Raises:
        Damaged: if the note cannot be read.
    """
    note = note_path(path)
    if path.exists() or not note.exists():
        return None
    try:
        return Note.model_validate_json(note.read_bytes())
    except ValidationError as error:
        raise Damaged(f"{note.name} does not say where the file lies: {error.errors()[0]['msg']}", note) from None


def require_plain(url: str) -> None:
    """Refuses a URL with credentials or parameters, which would be kept beside the record.

    Raises:
        Mistake: without the URL.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise Mistake(
            "the URL holds credentials or parameters, and it is written beside the record",
            fix="leave them out, and give them by the environment (AWS_PROFILE, AWS_ENDPOINT_URL, FSSPEC_S3, ...)",
        )


def file_system(url: str) -> tuple[Any, str]:
    """The file system of fsspec behind a URL, and the path in it."""
    from fsspec.core import url_to_fs

    found: tuple[Any, str] = url_to_fs(url)
    return found


def size_at(url: str) -> int:
    """The bytes of a file elsewhere.

    Raises:
        FileNotFoundError: if it is not there.
        Unreachable: if its server cannot be asked.
    """
    with reaching(url):
        files, path = file_system(url)
        info = files.info(path)
    if info.get("size") is None:
        raise Unreachable(f"the server of {url} does not say its size", fix="serve it by one that does")
    return int(info["size"])


def digest_at(url: str) -> str:
    """SHA-256 of a file elsewhere, which is read whole."""
    digest = hashlib.sha256()
    with reaching(url):
        files, path = file_system(url)
        with files.open(path, "rb", block_size=_AT_ONCE, cache_type="readahead") as file:
            while content := file.read(_AT_ONCE):
                digest.update(content)
    return digest.hexdigest()


def check_elsewhere(note: Note, stated: dict[str, Any], path: Path, *, hashed: bool) -> None:
    """Compares a file that lies elsewhere with what its record states.

    Args:
        note: where it lies.
        stated: bytes and SHA-256.
        path: of the file, if it were here.
        hashed: whether to read it whole.

    Raises:
        Damaged: if it is not there, or another file.
        Unreachable: if that cannot be found out.
    """
    try:
        size = size_at(note.url)
        same = not hashed or size != stated["bytes"] or digest_at(note.url) == stated["sha256"]
    except FileNotFoundError:
        raise Damaged(f"{note.url} is not there", note_path(path)) from None
    if not size == stated["bytes"] == note.bytes:
        raise Damaged(f"{note.url} holds {size} bytes instead of {stated['bytes']}", note_path(path))
    if not same:
        raise Damaged(f"{note.url} is not what was written: its digest differs from the record's", note_path(path))


def read_range(note: Note, begin: int, end: int) -> bytes:
    """Some bytes of a file elsewhere. They are fetched in blocks, of which the last ones are remembered.

    Args:
        note: where it lies.
        begin: the first byte.
        end: the byte after the last, within the file.

    Raises:
        Mistake: if the file is not there, or ends before.
        Unreachable: if its server does not answer.
    """
    numbers = range(begin // BLOCK_BYTES, -(-end // BLOCK_BYTES))
    held = b"".join(_block(note.url, number, note.bytes) for number in numbers)
    skipped = begin - numbers.start * BLOCK_BYTES
    return held[skipped : skipped + end - begin]


@lru_cache(_BLOCKS)
def _block(url: str, number: int, size: int) -> bytes:
    begin, end = number * BLOCK_BYTES, min((number + 1) * BLOCK_BYTES, size)
    try:
        with reaching(url):
            files, path = file_system(url)
            with files.open(path, "rb", cache_type="none", size=size) as file:
                file.seek(begin)
                content: bytes = file.read(end - begin)
    except FileNotFoundError:
        raise Mistake(f"{url} is no longer there", fix="run the command again: the record is checked then") from None
    if len(content) != end - begin:
        raise Mistake(
            f"{url} gave {len(content)} bytes instead of {end - begin}",
            fix="run the command again: the record is checked then",
        )
    return content


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turns what fsspec and its file systems raise into an answer.

    Raises:
        FileNotFoundError: if there is no such file.
        Unreachable: if that cannot be known, and why.
    """
    try:
        yield
    except ImportError as error:
        raise Unreachable(
            f"{url} needs a package that is not there: {error}",
            fix="pip install 'audiobench[remote]' for s3:// and https://; for others, the package that fsspec names",
        ) from None
    except Mistake:
        raise
    except Exception as error:  # the libraries of each server have their own
        cause = _cause(error)
        status = getattr(cause, "status", 0)
        if isinstance(cause, FileNotFoundError) or status in (404, 410):
            raise FileNotFoundError(url) from None
        why = (str(cause).strip() or type(cause).__name__).splitlines()[0][:200]
        if isinstance(cause, PermissionError) or status in (401, 403):
            raise Unreachable(
                f"{url} may not be read or written: {why}",
                fix="give your credentials by the environment or fsspec's configuration, or ask its owner",
            ) from None
        if isinstance(cause, ValueError) and urlsplit(url).scheme in _WEB:
            raise Unreachable(
                f"{url} cannot be read in parts: {why}",
                fix="serve it by a server that gives ranges, such as nginx; or audiobench store pull",
            ) from None
        raise Unreachable(
            f"{url} cannot be reached: {why}", fix="see that its server answers, and run the command again"
        ) from None


def _cause(error: BaseException) -> BaseException:
    """What went wrong: for the web, fsspec says of every failure that there is no such file."""
    while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        if type(error.__cause__).__module__.partition(".")[0] not in ("aiohttp", "asyncio", "builtins"):
            break
        error = error.__cause__
    return error
