"""The samples of a pack in files of a bounded size, its shards: written one after another, and read as one array.

A finished shard lies in the checkpoint of its pack until the pack is published: packing that was stopped goes on there.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from benchmark.jobs.pack import Clipped
from benchmark.store.elsewhere import Note, read_range
from benchmark.store.files import link_or_move, move, sync, write_text
from registry.audio import Sample
from registry.tasks import Clip

SHARD_BYTES = 1 << 30  # of samples; a clip that is longer has a shard to itself


class Remote:
    """The samples of a file that lies elsewhere, of which only what is asked for is fetched.

    Args:
        note: where it lies.
        dtype: of its samples.
    """

    def __init__(self, note: Note, dtype: str) -> None:
        self.note, self.dtype = note, np.dtype(dtype)

    def __len__(self) -> int:
        return self.note.bytes // self.dtype.itemsize

    def __getitem__(self, place: slice, /) -> NDArray[Any]:
        begin, end, _ = place.indices(len(self))
        width = self.dtype.itemsize
        return np.frombuffer(read_range(self.note, begin * width, max(begin, end) * width), self.dtype)


class Shards:
    """The samples of several files, end to end. A slice must lie within one file, as every clip does.

    Args:
        parts: the samples of each file.
    """

    def __init__(self, parts: Sequence[NDArray[Sample] | Remote]) -> None:
        self.parts, self.ends = parts, np.cumsum([len(part) for part in parts])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, place: slice, /) -> NDArray[Sample]:
        at = int(np.searchsorted(self.ends, place.start, "right"))
        begin = self.ends[at] - len(self.parts[at])
        part = self.parts[at]
        return part[place.start - begin : place.stop - begin]


class Shard(BaseModel):
    """What is known of a shard.

    The columns of ``table`` become those of ``clips.parquet``.
    """

    listing: str = Field("", description="hash of its clips, with their files' contents")
    room: int = Field(description="bytes that a shard may have")
    clips: int = Field(0, description="of the task, with those that are left out")
    table: dict[str, list[Any]] = {name: [] for name in ("id", "hash", "samples", "label", "fold", "source")}
    skipped: dict[str, str] = Field({}, description="the clips that are left out, and why")
    clipped: Clipped = Clipped(clips=0, samples=0, peak=0.0)


class Growing:
    """A shard that is being written.

    Args:
        path: of its file of samples.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.file, self.bytes = path, path.open("wb"), 0
        self.shard = Shard(room=SHARD_BYTES)

    def has_room(self, size: int) -> bool:
        """Whether a clip of this size in bytes belongs to this shard."""
        return not self.bytes or self.bytes + size <= SHARD_BYTES

    def leave_out(self, clip: Clip, why: str) -> None:
        """Notes a clip that cannot be used."""
        self.shard.clips += 1
        self.shard.skipped[clip.id] = why

    def add(self, clip: Clip, samples: NDArray[Sample], clipped: int, peak: float) -> None:
        """Appends a clip's samples and its row. ``clipped`` samples went over full scale, the highest to ``peak``."""
        content = samples.data.cast("B")
        self.file.write(content)
        self.bytes += len(content)
        self.shard.clips += 1
        digest = hashlib.sha256(content).hexdigest()
        row = (clip.id, digest, len(samples), clip.label, clip.fold, clip.source)
        for column, value in zip(self.shard.table.values(), row, strict=True):
            column.append(value)
        before = self.shard.clipped
        self.shard.clipped = Clipped(
            clips=before.clips + bool(clipped), samples=before.samples + clipped, peak=max(before.peak, peak)
        )

    def discard(self) -> None:
        """Deletes a shard that got no clip."""
        self.file.close()
        self.path.unlink()

    def close(self) -> None:
        """Brings the samples to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


@dataclass(frozen=True)
class Checkpoint:
    """The finished shards of an unfinished pack: for each a file of samples, and one of what is known of it.

    Args:
        folder: of these files; it is made with the first shard.
        listing: the hash of some clips with their files' contents as they are now. It may raise: nothing is kept then.
    """

    folder: Path
    listing: Callable[[Sequence[Clip]], str]

    def finished(self, clips: Sequence[Clip]) -> list[Shard]:
        """The shards that are whole and of these clips, up to the first that is not: it and all later ones are deleted.

        Args:
            clips: of the task.
        """
        shards: list[Shard] = []
        first = 0
        while (shard := self._read(len(shards))) and shard.room == SHARD_BYTES:
            of_shard = clips[first : first + shard.clips]
            if len(of_shard) < shard.clips or self.listing(of_shard) != shard.listing:
                break
            shards.append(shard)
            first += shard.clips
        kept = {path for number in range(len(shards)) for path in self._paths(number)}
        for path in self.folder.iterdir() if self.folder.exists() else ():
            if path not in kept:
                path.unlink()
        return shards

    def keep(self, growing: Growing, before: Sequence[Shard], clips: Sequence[Clip]) -> Shard:
        """Finishes a shard.

        Args:
            growing: the shard.
            before: the shards before it.
            clips: of the task.

        Raises:
            Exception: as ``listing`` does, if the recordings changed or the pack is another run's by now.
        """
        growing.close()
        first = sum(shard.clips for shard in before)
        shard = growing.shard
        shard.listing = self.listing(clips[first : first + shard.clips])
        self.folder.mkdir(exist_ok=True)
        samples, head = self._paths(len(before))
        move(growing.path, samples)
        sync(self.folder)
        write_text(head, shard.model_dump_json())
        return shard

    def deliver(self, folder: Path, names: Sequence[str]) -> None:
        """Puts the samples of all shards into a folder, the last first: what is left here is always the beginning."""
        for number, name in reversed(list(enumerate(names))):
            link_or_move(self._paths(number)[0], folder / name)

    def _paths(self, number: int) -> tuple[Path, Path]:
        """The files of a shard: its samples, and what is known of it."""
        return self.folder / f"{number:05}.samples", self.folder / f"{number:05}.json"

    def _read(self, number: int) -> Shard | None:
        """A shard; None if it is not there, or not whole."""
        samples, head = self._paths(number)
        try:
            shard = Shard.model_validate_json(head.read_bytes())
            return shard if _holds(samples, shard) else None
        except (OSError, ValueError, LookupError, ArithmeticError):
            return None


def _holds(samples: Path, shard: Shard) -> bool:
    """Whether a file has the samples of every clip of a shard."""
    lengths, hashes = shard.table["samples"], shard.table["hash"]
    width, rest = divmod(samples.stat().st_size, sum(lengths))
    with samples.open("rb") as file:
        return not rest and all(
            hashlib.sha256(file.read(width * length)).hexdigest() == digest
            for length, digest in zip(lengths, hashes, strict=True)
        )
