"""Whether a record is what was written: digests of its files and of itself, its key, and figures that agree.

Records of earlier versions hold no digests. Of them is checked what can be told without: that their files are there and
of their form, the key, and that the stated accuracies are those of the predictions.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.store.agreement import disagreement
from benchmark.store.files import Damaged, file_digest
from benchmark.store.job import Job
from benchmark.store.migrate import migrate
from registry.errors import Mistake

_FILES: dict[str, tuple[str, ...]] = {
    "pack": ("clips.parquet",),
    "measure": (),
    "pretrain": ("encoder.safetensors", "metrics.jsonl"),
    "embed": ("embeddings.safetensors",),
    "evaluate": ("predictions.parquet", "epochs.parquet"),
}
_SAMPLES = {"int16": ("samples.i16", 2), "float32": ("samples.f32", 4)}  # bytes of each
_LARGE = {"samples.i16", "samples.f32", "encoder.safetensors", "embeddings.safetensors"}
_SEAL = ("files", "sha256")


def seal(record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A record with sizes and SHA-256 digests of the files in its folder, and a digest of all that."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)} for path in sorted(folder.iterdir())
    }
    sealed = {**record, "files": files}
    return {**sealed, "sha256": _own_digest(sealed)}


def is_sealed(record: dict[str, Any]) -> bool:
    """Whether a record says what its digests are; one of an earlier version does not."""
    return any(name in record for name in _SEAL)


def read_record(kind: str, folder: Path) -> dict[str, Any]:
    """The record in a folder, with every field of today and without its digests.

    Raises:
        Damaged: if it cannot be read, is of another schema or another job, or is not what was written.
    """
    record = _read_sealed(kind, folder)
    return {name: value for name, value in record.items() if name not in _SEAL}


def check_record(kind: str, folder: Path, *, large: bool) -> None:
    """Checks a record and the files beside it.

    Args:
        kind: of its job.
        folder: named by its key.
        large: hash recordings, weights and embeddings too. Without, those alone are that were changed after the
            record, and they may be gone, for who asks so reads none of them.

    Raises:
        Damaged: the first file that is not whole, and what is wrong with it.
    """
    record = _read_sealed(kind, folder)
    sealed = is_sealed(record)
    for name in record["files"] if sealed else _names(kind, record):
        path = folder / name
        if name in _LARGE and not large and not path.exists():
            continue
        with reading(kind, folder, name):
            if sealed:
                skipped = name in _LARGE and not large and not _is_newer(path, folder / "result.json")
                _check_digest(path, record["files"][name], hashed=not skipped)
            else:
                _check_form(path)
    if (folder / "job.json").exists():
        with reading(kind, folder, "job.json") as path:
            key = Job.from_json(read_json(path)).key
            if key != folder.name:
                raise Damaged(f"job.json is of another job, {key}", path)
    if kind == "evaluate":
        with reading(kind, folder, "predictions.parquet") as path:
            # Rankings of many classes take long to compute again; where there are digests they tell.
            found = disagreement(record, folder, rankings=large or not sealed)
            if found:
                raise Damaged(found, path)


@contextmanager
def reading(kind: str, folder: Path, name: str) -> Iterator[Path]:
    """The path of a record's file; whatever goes wrong while it is read is damage of the record.

    It shows as any error there is: parsers meet bytes that their authors did not think of.

    Raises:
        Damaged: with the record's kind and key.
    """
    path = folder / name
    try:
        yield path
    except MemoryError:
        raise
    except Exception as error:
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
        Damaged: if the file holds none.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Damaged(_unreadable(path, error), path) from error
    if not isinstance(content, dict):
        raise Damaged(f"{path.name} holds {json.dumps(content)[:40]} in the place of an object", path)
    return content


def _read_sealed(kind: str, folder: Path) -> dict[str, Any]:
    with reading(kind, folder, "result.json") as path:
        record = read_json(path)
        if is_sealed(record) and record.get("sha256") != _own_digest(record):
            raise Damaged(f"{path.name} is not what was written: it differs from its own digest", path)
        if record.get("key", folder.name) != folder.name:
            raise Damaged(f"{path.name} is of another job, {record['key']}", path)
        try:
            return migrate(kind, record)
        except Mistake as mistake:
            raise Damaged(mistake.what, path, mistake.fix) from None


def _names(kind: str, record: dict[str, Any]) -> tuple[str, ...]:
    """The files that a record of an earlier version has beside it."""
    samples = (_SAMPLES[record["samples"]][0],) if kind == "pack" else ()
    return (*_FILES[kind], *samples)


def _own_digest(record: dict[str, Any]) -> str:
    """SHA-256 of a record's canonical JSON without this digest."""
    content = {name: value for name, value in record.items() if name != "sha256"}
    as_read = json.loads(json.dumps(content))  # where every name is text, and sorts as text
    return hashlib.sha256(json.dumps(as_read, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_digest(path: Path, facts: dict[str, Any], *, hashed: bool) -> None:
    size = path.stat().st_size
    if size != facts["bytes"]:
        raise Damaged(f"{path.name} holds {size} bytes instead of {facts['bytes']}", path)
    if hashed and file_digest(path) != facts["sha256"]:
        raise Damaged(f"{path.name} is not what was written: its digest differs from the record's", path)


def _is_newer(path: Path, other: Path) -> bool:
    return path.stat().st_mtime_ns > other.stat().st_mtime_ns


def _check_form(path: Path) -> None:
    """What can be told of a file without a digest, from its header alone where it is large."""
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="np"):
            """The header is of the file's size."""
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
    due = dict(_SAMPLES.values())[path.name] * sum(table.column("samples").to_pylist())
    found = path.stat().st_size
    if found != due:
        raise Damaged(f"{path.name} holds {found} bytes instead of {due}", path)


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no {path.name}"
    told = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{path.name} cannot be read: {told[:120]}"
