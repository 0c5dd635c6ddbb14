"""Moves the samples of a pack to a place elsewhere, and back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmark.store.elsewhere import (
    Note,
    digest_at,
    file_system,
    note_of,
    note_path,
    reaching,
    require_plain,
    size_at,
)
from benchmark.store.files import file_digest, replace_file, write_text
from benchmark.store.integrity import is_sealed, read_json, read_record
from benchmark.store.store import Store
from registry.errors import Damaged, Mistake

_WITHOUT_FOLDERS = ("s3", "s3a", "gs", "gcs", "az", "abfs")
_SHOWN = 10


def push(store: Store, key: str, url: str, tell: Callable[[str], None]) -> None:
    """Copies the samples of a pack to URL/KEY/, compares what arrived, and keeps here only notes of where they are.

    What lies there already with the right digest is not copied.

    Args:
        store: has the pack.
        key: of the pack.
        url: of a folder, for fsspec.
        tell: gets a line for each file.

    Raises:
        Mistake: if there is no such whole pack, or the place cannot be written to.
    """
    require_plain(url)
    with reaching(url):
        files, root = file_system(url)
        above = files.unstrip_protocol(root).rstrip("/")
    with _held(store, key) as samples:
        for path, stated in samples.items():
            note = note_of(path)
            if note:
                tell(f"{path.name} lies elsewhere already: {note.url}")
                continue
            there = f"{above}/{key}/{path.name}"
            if not _holds(there, stated):
                _copy(path, files, there)
                if not _holds(there, stated):
                    raise Mistake(f"what arrived at {there} is not what was sent", fix="run the command again")
            write_text(note_path(path), Note(url=there, bytes=stated["bytes"]).model_dump_json())
            path.unlink()
            tell(f"{path.name}: {stated['bytes']:,} bytes at {there}")


def pull(store: Store, key: str, tell: Callable[[str], None]) -> None:
    """Fetches the samples of a pack that lie elsewhere. What lies there stays.

    Args:
        store: has the pack.
        key: of the pack.
        tell: gets a line for each file.

    Raises:
        Mistake: if there is no such pack, or the place cannot be read.
        Damaged: if a file there is not what was written.
    """
    with _held(store, key) as samples:
        for path, stated in samples.items():
            note = note_of(path)
            if note:
                replace_file(path, partial(_fetch, note.url, stated))
                tell(f"{path.name}: {stated['bytes']:,} bytes from {note.url}")
            note_path(path).unlink(missing_ok=True)


@contextmanager
def _held(store: Store, key: str) -> Iterator[dict[Path, dict[str, Any]]]:
    """The samples of a pack that no run is at work on: the path of each file, and its stated bytes and SHA-256."""
    folder = store.find("pack", key)
    if not key or not folder.is_dir():
        known = [f"{path.name}: {read_record('pack', path).summary}" for path in sorted(folder.parent.glob("*"))]
        listed = "".join(f"\n    {line}" for line in known[:_SHOWN])
        raise Mistake(f"there is no pack {key}", where=str(store.root), fix="name one of its packs:" + listed)
    with store.leased(key, None) as lease:
        if lease is None:
            raise Mistake(f"a run is at work on the pack {key}", fix="wait until it is done")
        damage = store.check("pack", key, large=True)
        if damage:
            raise damage
        stored, record = read_json(folder / "result.json"), read_record("pack", folder)
        if not is_sealed(stored):
            raise Mistake(
                f"the pack {key} is of an earlier version, without digests to compare with", fix="pack it again"
            )
        yield {folder / name: stated for name, stated in stored["files"].items() if record.is_large(name)}


def _holds(url: str, stated: dict[str, Any]) -> bool:
    try:
        return size_at(url) == stated["bytes"] and bool(digest_at(url) == stated["sha256"])
    except FileNotFoundError:
        return False


def _copy(path: Path, files: Any, url: str) -> None:
    scheme = urlsplit(url).scheme
    if scheme in ("http", "https"):
        raise Mistake(
            f"{url} is not this file, and audiobench does not write to web servers",
            fix=f"copy {path} there by other means, and run the command again",
        )
    with reaching(url):
        _, there = file_system(url)
        try:
            if scheme not in _WITHOUT_FOLDERS:
                files.makedirs(there.rpartition("/")[0], exist_ok=True)
            files.put_file(str(path), there)
        except FileNotFoundError as error:
            raise Mistake(f"cannot write {url}: {error}", fix="make the bucket or folder, and run it again") from None


def _fetch(url: str, stated: dict[str, Any], aside: Path) -> None:
    with reaching(url):
        files, there = file_system(url)
        files.get_file(there, str(aside))
    if file_digest(aside) != stated["sha256"]:
        raise Damaged(f"{url} is not what was written: its digest differs from the record's", aside)
