"""Packs: a data set, decoded and resampled once: memory-mapped samples in one file or several, and a table of clips."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.jobs.pack import Clipped, Record, Samples, sample_files
from benchmark.jobs.shards import Checkpoint, Growing, Remote, Shard, Shards
from benchmark.progress import Progress
from benchmark.store.columns import numbers
from benchmark.store.elsewhere import note_of
from benchmark.threads import in_threads
from registry.audio import FULL_SCALE, Recordings, Sample
from registry.errors import Mistake
from registry.protocols import Labels
from registry.targets import find_target
from registry.tasks import Clip, Task, listing_hash, read_clip

if TYPE_CHECKING:
    from pyarrow import StringArray, Table

_CLIPS_AT_ONCE = 64  # limits the samples in memory that wait to be written
# Share of a clip's power that clipping may remove. Overshoots of lossy coding stay below it: at most 0.012, with a peak
# of 1.87, in 9,488 recordings of ESC-50, UrbanSound8K and Speech Commands as Ogg.
_SPOILT = 0.05


@dataclass(frozen=True)
class Pack:
    """A data set, ready to use: its recordings, and for each clip id, label, fold, source and content hash.

    Texts are in Arrow's arrays, where they take a third of what Python's take; hashes, which are the longest and rarely
    used, are read at each call. ``labels`` is the array that the named ``target`` makes of the clips' labels.
    ``skipped`` names the recordings that were left out as unusable; ``missing`` counts those that were not there.
    """

    recordings: Recordings
    ids: "StringArray"
    labels: NDArray[Any]
    folds: NDArray[np.int64]
    sources: "StringArray"
    hashes: "Callable[[], StringArray]"
    classes: tuple[str, ...]
    content_hash: str
    skipped: tuple[str, ...]
    missing: int = 0
    target: str = "one-label"

    def known(self) -> Labels:
        """The labels, folds and sources of the clips, for protocols."""
        target = find_target(self.target)
        number_N = np.from_dlpack(self.sources.dictionary_encode().indices)
        return Labels(
            label_N=target.tensor(self.labels),
            fold_N=torch.tensor(self.folds),
            source_N=torch.tensor(number_N, dtype=torch.long),
            classes=len(self.classes),
            target=target,
        )


def make_pack(
    task: Task,
    clips: Sequence[Clip],
    sample_rate: int,
    folder: Path,
    progress: Progress,
    *,
    samples: Samples = "int16",
    skip_bad: bool = False,
    checkpoint: Checkpoint | None = None,
) -> Record:
    """Decodes every clip, resamples it, and writes its samples and a table, ``clips.parquet``, into ``folder``.

    The samples are in one file, or in several: see ``benchmark.jobs.shards``.

    Args:
        task: reads its clips.
        clips: of the task.
        sample_rate: Hz of the pack.
        folder: exists, empty.
        progress: advances with each clip.
        samples: int16 (``.i16``), clipped to [-1, 1] and rounded, or float32 (``.f32``), as decoded.
        skip_bad: leave out clips that cannot be used, and name them in the record, instead of stopping.
        checkpoint: has the shards that were finished before, and gets those that are finished now; None keeps none.

    Returns:
        The record, without remarks and summary.

    Raises:
        Mistake: with every clip that does not decode, is empty or not finite, or would be spoilt by clipping.
    """
    if checkpoint is None:
        with TemporaryDirectory(dir=folder.parent) as kept:
            here = Checkpoint(Path(kept), listing_hash)
            return make_pack(
                task, clips, sample_rate, folder, progress, samples=samples, skip_bad=skip_bad, checkpoint=here
            )
    shards = checkpoint.finished(clips)
    first = sum(shard.clips for shard in shards)
    progress.advance(first)
    growing = Growing(folder / "growing")
    for clip, decoded in _decode_all(task, clips[first:], sample_rate, samples):
        progress.advance()
        if isinstance(decoded, str):
            growing.leave_out(clip, decoded)
            continue
        if not growing.has_room(decoded.samples.nbytes):
            shards.append(checkpoint.keep(growing, shards, clips))
            growing = Growing(folder / "growing")
        growing.add(clip, decoded.samples, decoded.clipped, decoded.peak)
    if growing.bytes:
        shards.append(checkpoint.keep(growing, shards, clips))
    else:
        growing.discard()
    bad = {name: why for shard in [*shards, growing.shard] for name, why in shard.skipped.items()}
    if bad and not (skip_bad and shards):
        raise _unusable(bad, len(clips))
    checkpoint.deliver(folder, sample_files(samples, len(shards)))
    return _record(task, shards, bad, folder, sample_rate, samples)


def _record(
    task: Task, shards: Sequence[Shard], bad: dict[str, str], folder: Path, sample_rate: int, samples: Samples
) -> Record:
    """Writes the table of the clips of all shards, and makes the record of the pack."""
    import pandas as pd

    table = {name: [value for shard in shards for value in shard.table[name]] for name in shards[0].table}
    pd.DataFrame(table).to_parquet(folder / "clips.parquet", index=False)
    return Record(
        summary="",
        clips=len(table["id"]),
        audio_seconds=round(sum(table["samples"]) / sample_rate, 3),
        sample_rate=sample_rate,
        samples=samples,
        classes=task.classes,
        content_hash=hashlib.sha256("".join(table["hash"]).encode()).hexdigest(),
        skipped=bad,
        missing=task.missing,
        target=task.target,
        clipped=Clipped(
            clips=sum(shard.clipped.clips for shard in shards),
            samples=sum(shard.clipped.samples for shard in shards),
            peak=round(max(shard.clipped.peak for shard in shards), 4),
        ),
        shards=len(shards),
    )


def _unusable(bad: Mapping[str, str], clips: int) -> Mistake:
    """A mistake that names the clips that cannot be used, each with its reason; ``clips`` is the number of all."""
    listed = "\n".join(f"    {name}: {why}" for name, why in list(bad.items())[:20])
    return Mistake(
        f"{len(bad)} of {clips} recordings cannot be used:\n{listed}" + ("\n    ..." if len(bad) > 20 else ""),
        fix="replace these files, or go on without them: --skip-bad (their names enter the record)",
    )


def open_pack(folder: Path) -> Pack:
    """Opens a finished pack; the samples stay on disk until they are used."""
    record = Record.model_validate_json((folder / "result.json").read_bytes())
    table = _read(folder, "id", "samples", "label", "fold", "source")
    lengths_N = numbers(table, "samples")
    if (lengths_N < 0).any():
        raise Mistake("the pack states clips of fewer than no samples", where=str(folder), fix="delete it")
    offsets = np.concatenate([[0], np.cumsum(lengths_N)])
    files = [folder / name for name in sample_files(record.samples, record.shards)]
    notes = [note_of(file) for file in files]
    parts = [
        Remote(note, record.samples) if note else np.memmap(file, record.samples, mode="r")
        for file, note in zip(files, notes, strict=True)
    ]
    total = sum(map(len, parts))
    if total != offsets[-1]:
        raise Mistake(f"the pack holds {total} samples instead of {offsets[-1]}", where=str(folder), fix="delete it")
    return Pack(
        recordings=Recordings(Shards(parts) if len(parts) > 1 else parts[0], offsets, record.sample_rate),
        ids=_texts(table, "id"),
        labels=find_target(record.target).array(_labels(table), len(record.classes)),
        folds=numbers(table, "fold"),
        sources=_texts(table, "source"),
        hashes=lambda: _texts(_read(folder, "hash"), "hash"),
        classes=record.classes,
        content_hash=record.content_hash,
        skipped=tuple(record.skipped),
        missing=record.missing,
        target=record.target,
    )


def _read(folder: Path, *names: str) -> "Table":
    """Columns of a pack's table."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with ParquetFile(folder / "clips.parquet", pre_buffer=False) as file:
        table = pa.table({name: file.read(columns=[name], use_threads=False).column(0) for name in names})
    pa.default_memory_pool().release_unused()  # what reading took, which is several times the table
    return table


def _texts(table: "Table", name: str) -> "StringArray":
    return table.column(name).cast("string").combine_chunks()


def _labels(table: "Table") -> Sequence[Any]:
    from pyarrow import types

    column = table.column("label")
    return column.to_pylist() if types.is_nested(column.type) else numbers(table, "label")  # type: ignore[return-value]


def _decode_all(
    task: Task, clips: Sequence[Clip], sample_rate: int, samples: Samples
) -> Iterator[tuple[Clip, "Sound | str"]]:
    """Decodes clips in parallel. Yields each in order, with its samples, or with the reason why there are none."""
    for first in range(0, len(clips), _CLIPS_AT_ONCE):
        group = clips[first : first + _CLIPS_AT_ONCE]
        with in_threads(partial(_decode, task, sample_rate, samples), group) as decoded:
            yield from zip(group, decoded, strict=True)


@dataclass(frozen=True)
class Sound:
    """The stored samples of a clip, how many of them were clipped, and the highest value before that."""

    samples: NDArray[Sample]
    clipped: int = 0
    peak: float = 0.0


def _decode(task: Task, sample_rate: int, samples: Samples, clip: Clip) -> Sound | str:
    return stored_sound(read_clip(task, clip), sample_rate, samples)


def stored_sound(read: tuple[NDArray[np.float32], int] | str, sample_rate: int, samples: Samples) -> Sound | str:
    """A recording as packs store it, or why it cannot be used.

    Args:
        read: its samples ``[T]`` and their rate in Hz, or why there are none: see ``registry.decode.usable``.
        sample_rate: Hz of the pack.
        samples: the type of the stored samples.
    """
    import soxr

    if isinstance(read, str):
        return read
    wave, rate = read
    if rate != sample_rate:
        wave = soxr.resample(wave, rate, sample_rate, quality="HQ")
    if len(wave) == 0:
        return f"is too short for a single sample at {sample_rate:,} Hz"
    if samples == "float32":
        return Sound(np.asarray(wave, np.float32))
    peak = float(max(wave.max(), -wave.min()))
    scaled = (wave if peak <= 1 else np.clip(wave, -1, 1)) * np.float32(FULL_SCALE)
    stored = np.rint(scaled, out=scaled).astype(np.int16)
    if peak <= 1:
        return Sound(stored)
    beyond = np.abs(wave[np.abs(wave) > 1]) - 1
    lost = float(np.square(beyond).sum() / np.square(wave).sum())
    if lost > _SPOILT:
        return (
            f"reaches {peak:.3g} times full scale, and would lose {lost:.0%} of its power by clipping: scale it, or "
            "write samples: float32 into the suite"
        )
    return Sound(stored, len(beyond), peak)
