"""Embeds sound files for people who only want vectors: a vector a file, in one Parquet or NumPy file.

Finished vectors are kept beside the result, in ``.NAME.DIGEST.parts``, until all are there: a run after an interruption
does only what is missing.
"""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.jobs.embedding import in_one_piece, require_finite
from benchmark.jobs.model import Device
from benchmark.jobs.pack import Samples
from benchmark.jobs.packing import Sound, stored_sound
from benchmark.progress import Progress
from benchmark.store.files import replace_file, write_text
from benchmark.threads import in_threads
from registry.audio import to_float
from registry.decode import decode, endings, usable
from registry.errors import Mistake
from registry.files import files_below, is_hidden
from registry.net import Net
from registry.text import no_formula

ENDINGS = (".parquet", ".npy")
_FILES_AT_ONCE = 8  # limits the samples in memory; equal lengths among them are one batch
_SAVED_EVERY_S = 10.0

_State = tuple[str, int, int]  # a file's path, size and time of change in ns


@dataclass(frozen=True)
class Vector:
    """What is made of a file: its length in seconds, and its embedding ``[D]``."""

    seconds: float
    z_D: NDArray[np.float32]


def find_files(places: Sequence[Path]) -> list[Path]:
    """Files as they are named, and every sound file below the folders among them, sorted; none of them twice.

    Links to folders are followed. Hidden files, and files in hidden folders, are left out.

    Raises:
        Mistake: if a folder has no sound file.
    """
    found: dict[Path, None] = {}
    for place in places:
        if not place.is_dir():
            found[place] = None
            continue
        readable = endings()
        paths = (Path(below) for below in files_below(place) if not is_hidden(below))
        sound = [place / path for path in sorted(paths) if path.suffix.lower() in readable]
        if not sound:
            raise Mistake(
                "no sound file is in this folder", where=str(place), fix=f"read are {' '.join(sorted(endings()))}"
            )
        found |= dict.fromkeys(sound)
    return list(found)


def require_form(output: Path) -> None:
    """Refuses an output that is neither Parquet nor NumPy's."""
    if output.suffix not in ENDINGS:
        raise Mistake(
            f"what is written is named by its ending, and {output.name} has another", fix="x.parquet or x.npy"
        )


def paths_beside(output: Path) -> Path:
    """The table of the rows' paths, beside a ``.npy``."""
    return output.with_suffix(".paths.csv")


def embed_sounds(
    net: Net, files: Sequence[Path], samples: Samples, device: Device
) -> Iterator[tuple[Path, Vector | str]]:
    """A vector for each file, decoded and resampled as packs do it, or why there is none; the order may differ.

    Args:
        net: on the device.
        files: to embed.
        samples: the type that recordings are stored as in packs, which rounds or clips them.
        device: where, and in which precision.
    """
    for first in range(0, len(files), _FILES_AT_ONCE):
        group = files[first : first + _FILES_AT_ONCE]
        by_length: dict[int, list[tuple[Path, Sound]]] = {}
        with in_threads(partial(_read, net.sample_rate, samples), group) as sounds:
            for path, sound in zip(group, sounds, strict=True):
                if isinstance(sound, str):
                    yield path, sound
                else:
                    by_length.setdefault(len(sound.samples), []).append((path, sound))
        for equal in by_length.values():
            yield from _embed(net, equal, device)


def _read(sample_rate: int, samples: Samples, path: Path) -> Sound | str:
    if not path.is_file():
        return "is not there"
    return stored_sound(usable(partial(decode, path)), sample_rate, samples)


@torch.no_grad()
def _embed(net: Net, group: Sequence[tuple[Path, Sound]], device: Device) -> Iterator[tuple[Path, Vector | str]]:
    """Embeds files of equal length."""
    wave_BT = to_float(torch.from_numpy(np.stack([sound.samples for _, sound in group])))
    try:
        with device.autocast(), in_one_piece(net.window_samples, "", wave_BT.shape[1] / net.sample_rate):
            z_BD = net(wave_BT.to(device.device)).cpu()
    except Mistake as mistake:
        if net.window_samples != "whole":
            raise
        yield from ((path, f"{mistake.what}; {mistake.fix}") for path, _ in group)
        return
    for (path, sound), z_D in zip(group, z_BD, strict=True):
        try:
            require_finite(z_D.unsqueeze(0), [path.name], "the embedding")
        except Mistake:
            yield path, "has an embedding that is not finite"
        else:
            yield path, Vector(len(sound.samples) / net.sample_rate, z_D.numpy())


@dataclass
class _Parts:
    """Finished vectors in a folder, in files that are each whole or not there."""

    folder: Path
    pending: dict[_State, Vector] = field(default_factory=dict)
    saved: float = field(default_factory=time.monotonic)

    def read(self) -> dict[_State, Vector]:
        from pyarrow import ArrowException, parquet

        found: dict[_State, Vector] = {}
        for part in sorted(self.folder.glob("*.parquet")):
            try:
                table = parquet.read_table(part)
            except (ArrowException, OSError):
                continue  # its files are embedded again
            states = zip(*(table.column(name).to_pylist() for name in ("path", "size", "changed")), strict=True)
            found |= dict(zip(states, _vectors(table), strict=True))
        return found

    def add(self, state: _State, vector: Vector) -> None:
        self.pending[state] = vector
        if time.monotonic() - self.saved >= _SAVED_EVERY_S:
            self.save()

    def save(self) -> None:
        if self.pending:
            columns = zip(*self.pending, strict=True)
            known = dict(zip(("path", "size", "changed"), map(list, columns), strict=True))
            _write_parquet(self.folder / f"{token_hex(8)}.parquet", known, list(self.pending.values()))
        self.pending, self.saved = {}, time.monotonic()


def embed_files(
    net: Net, files: Sequence[Path], output: Path, *, samples: Samples, digest: str, device: Device, progress: Progress
) -> dict[Path, str]:
    """Embeds files, and writes a row for each, in their order: path, seconds, embedding.

    A Parquet file has the three columns; a ``.npy`` holds the embeddings ``[N, D]``, and ``NAME.paths.csv`` beside it
    the path and the seconds of each. Nothing is written if no file can be used.

    Args:
        net: on the device.
        files: to embed.
        output: ends in ``.parquet`` or ``.npy``.
        samples: the type that recordings are stored as in packs, which rounds or clips them.
        digest: of the model: what another model has made is not taken up.
        device: where, and in which precision.
        progress: advances with each file.

    Returns:
        The files that are left out, and why.
    """
    parts = _Parts(output.parent / f".{output.name}.{digest[:12]}-{device.precision}.parts")
    states = {path: state for path in files if (state := _state(path))}
    known = parts.read()
    done = {path: known[state] for path, state in states.items() if state in known}
    left = [path for path in files if path not in done]
    progress.expect(len(files), len(done), "files")
    failed: dict[Path, str] = {}
    try:
        for path, made in embed_sounds(net, left, samples, device):
            if isinstance(made, str):
                failed[path] = made
            else:
                done[path] = made
                parts.add(states[path], made)
            progress.advance()
    finally:
        parts.save()
    if done:
        _write(output, {path: done[path] for path in files if path in done})
    for folder in output.parent.glob(f".{output.name}.*.parts"):  # also of other models
        shutil.rmtree(folder)
    return failed


def _state(path: Path) -> _State | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return _text(path), stat.st_size, stat.st_mtime_ns


def _text(path: Path) -> str:
    """A path as a text that every file format takes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _no_formula(path: str) -> str:
    """A path for a CSV file that a spreadsheet may open: the same file, by a name that begins no formula."""
    return path if no_formula(path) == path else f"./{path}"


def _write(output: Path, rows: Mapping[Path, Vector]) -> None:
    import csv
    import io

    paths = list(map(_text, rows))
    if output.suffix == ".parquet":
        _write_parquet(output, {"path": paths}, list(rows.values()))
        return
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    named = map(_no_formula, paths)
    writer.writerows([("path", "seconds"), *zip(named, (row.seconds for row in rows.values()), strict=True)])
    write_text(paths_beside(output), table.getvalue())
    z_ND = np.stack([row.z_D for row in rows.values()])

    def save(path: Path) -> None:
        with path.open("wb") as file:  # NumPy adds an ending to a path
            np.save(file, z_ND)

    replace_file(output, save)


def _write_parquet(path: Path, columns: Mapping[str, list[Any]], vectors: Sequence[Vector]) -> None:
    """Writes columns, and after them ``seconds`` and ``embedding``, a list of float32."""
    import pyarrow as pa
    from pyarrow import parquet

    z_ND = np.stack([vector.z_D for vector in vectors])
    offsets = np.arange(len(z_ND) + 1, dtype=np.int64) * z_ND.shape[1]
    embeddings = pa.LargeListArray.from_arrays(offsets, z_ND.ravel())  # there may be more than 2 ** 31 values
    table = pa.table({**columns, "seconds": [vector.seconds for vector in vectors], "embedding": embeddings})
    replace_file(path, lambda aside: parquet.write_table(table, aside))


def _vectors(table: Any) -> Iterator[Vector]:
    embeddings = table.column("embedding").combine_chunks()
    z_ND = embeddings.flatten().to_numpy().reshape(len(embeddings), -1)
    return map(Vector, table.column("seconds").to_pylist(), z_ND)
