"""Checks that a record is what was written: digests of its files and of itself, its key, and figures that agree.

Records of earlier versions have no digests. For them the checks are: the files are there and have the right format, the
key is right, and the stated figures agree with the predictions.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark.memory import shortage
from benchmark.store.elsewhere import Unreachable, check_elsewhere, note_of
from benchmark.store.files import file_digest
from benchmark.store.job import RECORD_SCHEMA, Record, first_problem, job_kind, key_of
from registry.errors import Damaged, Mistake

_SAMPLE_BYTES = {".i16": 2, ".f32": 4}
_ELSEWHERE = "run the suite again in another folder: --runs DIR"
_SEAL = ("files", "sha256")


def seal(record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Adds the sizes and SHA-256 digests of the files in a record's folder, and a digest of the whole record."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)} for path in sorted(folder.iterdir())
    }
    sealed = {**record, "files": files}
    return {**sealed, "sha256": own_digest(sealed)}


def own_digest(record: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a record, or a description, without this digest, ``sha256``."""
    content = {name: value for name, value in record.items() if name != "sha256"}
    as_read = json.loads(json.dumps(content))  # now every name is text, and sorts as text
    return hashlib.sha256(json.dumps(as_read, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def is_sealed(record: dict[str, Any]) -> bool:
    """Whether a record states digests; a record of an earlier version does not."""
    return any(name in record for name in _SEAL)


def read_record(kind: str, folder: Path, *, found_whole: bool = False) -> Record:
    """The record in a folder.

    Args:
        kind: of its job.
        folder: named by its key.
        found_whole: whether it was found whole just now, so that its own digest need not be computed again.

    Raises:
        Damaged: if the record cannot be read, is of another schema or job, or is not what was written.
    """
    return _read_sealed(kind, folder, found_whole=found_whole)[1]


def check_record(kind: str, folder: Path, *, large: bool, elsewhere: bool = False) -> None:
    """Checks a record and the files beside it.

    Args:
        kind: of its job.
        folder: named by its key.
        large: hash recordings, weights and embeddings, too. If not, they are hashed only if they were changed after the
            record, and may be missing: this caller does not read them.
        elsewhere: also hash the files that lie elsewhere, which are then fetched whole. If not, their size is asked.

    Raises:
        Damaged: with the first file that is not whole.
        Unreachable: if a file lies elsewhere, and its server does not answer.
    """
    stored, record = _read_sealed(kind, folder)
    sealed = is_sealed(stored)
    for name in stored["files"] if sealed else record.files:
        if Path(name).name != name:  # a record from elsewhere may say anything
            raise Damaged(f"result.json names a file that is not beside it: {name[:80]!r}", folder / "result.json")
        path, is_large = folder / name, record.is_large(name)
        with reading(kind, folder, name):
            note = note_of(path) if is_large else None
            if note:
                check_elsewhere(note, stored["files"][name], path, hashed=elsewhere)
                continue
        if is_large and not large and not path.exists():
            continue
        with reading(kind, folder, name):
            if sealed:
                skipped = is_large and not large and not _is_newer(path, folder / "result.json")
                _check_digest(path, stored["files"][name], hashed=not skipped)
            else:
                _check_form(path)
    if (folder / "job.json").exists():
        with reading(kind, folder, "job.json") as path:
            job = read_json(path)
            key = key_of(job["kind"], job["config"], job["needs"])
            if key != folder.name:
                raise Damaged(f"job.json is of another job, {key}", path)
    with reading(kind, folder, "result.json") as path:
        # Figures that take long to compute again are protected by the digests, if there are digests.
        contradiction = record.disagreement(folder, thorough=large or not sealed)
        if contradiction:
            raise Damaged(contradiction, path)


@contextmanager
def reading(kind: str, folder: Path, name: str) -> Iterator[Path]:
    """The path of a record's file. Any error in the block, while the file is read, is damage of the record.

    It may be an error of any type, because a parser may meet any bytes.

    Raises:
        Damaged: with the record's kind and key.
    """
    path = folder / name
    try:
        yield path
    except Unreachable:
        raise
    except Exception as error:
        if shortage(error):
            raise
        fix = "run the suite again: the record is set aside and made anew"
        if isinstance(error, Mistake):
            what, where = error.what, error.where
            fix = error.fix if isinstance(error, Damaged) and error.fix else fix
        else:
            what, where = _unreadable(path, error), ""
        raise Damaged(what, Path(where or path), fix, kind=kind, key=folder.name) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        Damaged: if the file contains none.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Damaged(_unreadable(path, error), path) from error
    if not isinstance(content, dict):
        raise Damaged(f"{path.name} holds {json.dumps(content)[:40]} in the place of an object", path)
    return content


def _read_sealed(kind: str, folder: Path, *, found_whole: bool = False) -> tuple[dict[str, Any], Record]:
    """A record as plain data, and as its type."""
    with reading(kind, folder, "result.json") as path:
        record = read_json(path)
        if not found_whole and is_sealed(record) and record.get("sha256") != own_digest(record):
            raise Damaged(f"{path.name} is not what was written: it differs from its own digest", path)
        if record.get("key", folder.name) != folder.name:
            raise Damaged(f"{path.name} is of another job, {record['key']}", path)
        try:
            require_schema(
                record.get("schema"), RECORD_SCHEMA, "record", "run the suite again in another folder: --runs DIR"
            )
        except Mistake as mistake:
            raise Damaged(mistake.what, path, mistake.fix) from None
        try:
            return record, job_kind(kind).types[2].model_validate(record)
        except ValidationError as error:
            raise Damaged(f"{path.name} is no record of {kind}: {first_problem(error)}", path) from None


def require_schema(stated: object, known: int, what: str, again: str) -> None:
    """Refuses another schema. The number of a schema changes when a field changes its meaning or is removed.

    Args:
        stated: the number in the file.
        known: the number that this version reads.
        what: a record, or a plan.
        again: what to do with a file of an older version.

    Raises:
        Mistake: which says whether an older or a newer audiobench wrote the file.
    """
    if stated == known:
        return
    difference = f"a {what} of schema {stated}, and this version reads {known}"
    if isinstance(stated, int) and stated > known:
        raise Mistake(f"{difference}: it was written by a newer audiobench", fix="update audiobench")
    raise Mistake(f"{difference}: it was written by an older audiobench", fix=again)


def _check_digest(path: Path, stated: dict[str, Any], *, hashed: bool) -> None:
    size = path.stat().st_size
    if not path.is_file():
        raise Damaged(f"{path.name} is no file", path)
    if size != stated["bytes"]:
        raise Damaged(f"{path.name} holds {size} bytes instead of {stated['bytes']}", path)
    if hashed and file_digest(path) != stated["sha256"]:
        raise Damaged(f"{path.name} is not what was written: its digest differs from the record's", path)


def _is_newer(path: Path, other: Path) -> bool:
    return path.stat().st_mtime_ns > other.stat().st_mtime_ns


def _check_form(path: Path) -> None:
    """Checks the format of a file without a digest; of a large file only the header."""
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="np"):
            """The header fits the file's size."""
    elif path.suffix == ".parquet":
        from pyarrow.parquet import ParquetFile

        with ParquetFile(path) as file:
            file.read(use_threads=False)
    elif path.suffix == ".jsonl":
        for line in path.read_bytes().splitlines():
            json.loads(line)
    elif path.stem == "samples":
        _check_samples(path)


def _check_samples(path: Path) -> None:
    from pyarrow.parquet import ParquetFile

    table = ParquetFile(path.with_name("clips.parquet")).read(columns=["samples"])
    expected = _SAMPLE_BYTES[path.suffix] * sum(table.column("samples").to_pylist())
    size = path.stat().st_size
    if size != expected:
        raise Damaged(f"{path.name} holds {size} bytes instead of {expected}", path)


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no {path.name}"
    why = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{path.name} cannot be read: {why[:120]}"
