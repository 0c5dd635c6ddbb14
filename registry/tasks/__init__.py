"""Tasks: the clips of a data set with labels, folds and sources, and how to read them. No torch here."""

import hashlib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from registry.decode import OTHER_SOUND, decode, endings, usable
from registry.errors import Mistake
from registry.settings import Component, Own

_SHOWN = 10


@dataclass(frozen=True)
class Inside:
    """The place of one sound in a file that holds many: see the subclasses, one for each form of such a file.

    Args:
        path: of the file.
    """

    path: Path

    @property
    def name(self) -> str:
        """Of the place, unique in its file."""
        raise NotImplementedError

    def read(self) -> bytes:
        """What a file of this sound would hold.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if there is no such place in it.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Clip:
    """One clip of a data set.

    Args:
        id: unique within the task; the file's name relative to the data set's folder, if the clip has a file.
        label: in the form of the task's target: an index into ``classes`` (-1 where it is not known), a tuple of
            indices, or a number.
        fold: the data set's official fold.
        source: the recording that the clip was cut from; clips of one source must not be split at random.
        path: the audio file; None for sounds that are computed.
        size: bytes of the sound; 0 where only reading it would tell.
        inside: where the sound is, in a file that holds many.
    """

    id: str
    label: int | tuple[int, ...] | float
    fold: int
    source: str
    path: Path | None
    size: int
    inside: Inside | None = None

    @property
    def sound(self) -> Path | Inside | None:
        """A file, or a place in one; None for sounds that are computed."""
        return self.inside or self.path


@dataclass(frozen=True)
class Archive:
    """A file that is fetched for a data set.

    Args:
        url: the file's address.
        checksum: ``md5:...``, ``sha1:...`` or ``sha256:...``; empty where none is published.
        size: in bytes; 0 where it is not known.
        pieces: of a split zip, the files before the last, in order (``.z01``, ...); the archive itself is the last.
        folder: the path below ``--data`` where the content goes. If an archive holds one folder, that folder gets this
            name; several files or folders are put into a folder of this name; a file that is no archive gets this name.
    """

    url: str
    checksum: str = ""
    size: int = 0
    pieces: tuple["Archive", ...] = ()
    folder: str = ""

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.rpartition("/")[2]


class Task(Component[Own]):
    """Contract of a task.

    ``folders`` names the folders that may hold the data set below ``--data``. ``url`` says where the data set comes
    from, and ``archives`` lists the files to fetch. ``classes`` are the label names in order. ``folds`` are all
    official folds on the class, and the requested folds on a task. ``counts`` holds, by fold, the official number of
    clips of each class, in the order of ``classes``; one number for all classes where no more is known. ``target``
    names the target; it is empty where only the listing of the clips decides it. Once the clips are listed, ``missing``
    counts the clips that the metadata name and the task leaves out because their files are missing, and ``unused``
    counts the files below the folder that are no clips, by folder and suffix.
    """

    classes: tuple[str, ...]
    folds: tuple[int, ...]
    folders: ClassVar[tuple[str, ...]] = ()
    licence: ClassVar[str] = "not stated"
    url: ClassVar[str] = ""
    archives: tuple[Archive, ...] = ()
    counts: Mapping[int, tuple[int, ...]] = MappingProxyType({})
    target: str = "one-label"
    missing: int = 0
    unused: Mapping[str, int] = MappingProxyType({})
    spanning: ClassVar[int] = 0  # how many sources have clips in several official folds
    freesound: ClassVar[bool] = False  # whether sources are Freesound ids, which several data sets share

    def __init__(self, config: Own) -> None:
        self.config = config

    @property
    def official_folds(self) -> tuple[int, ...]:
        """Every fold that can be tested; a leaderboard says where a suite asks for fewer."""
        return type(self).folds

    def clips(self, data: Path | None) -> list[Clip]:
        """Every clip, in the order of the official metadata.

        Args:
            data: the folder that holds data sets.

        Raises:
            Mistake: if the data set, its metadata, or any of its files is missing.
        """
        raise NotImplementedError

    def checksums(self) -> Mapping[str, str]:
        """The SHA-256 of official files, by clip: in hexadecimal, whole or the first 16 digits or more.

        Empty where none are published. A clip without a checksum is not compared.
        """
        return {}

    @classmethod
    def source_of(cls, clip_id: str) -> str | None:
        """The recording that a clip was cut from, by the clip's name. Older records have no sources and need this.

        Args:
            clip_id: a clip's ``id``.

        Returns:
            The clip's ``source``; None where only metadata give it, or the name is not one of this task's.
        """
        return None

    def labels(self, clip: Clip) -> tuple[str, ...]:
        """The names of a clip's classes; none where they are not known, or where the label is a number."""
        if isinstance(clip.label, float):
            return ()
        indices = clip.label if isinstance(clip.label, tuple) else (clip.label,) if clip.label >= 0 else ()
        return tuple(self.classes[index] for index in indices)

    def read(self, clip: Clip) -> tuple[NDArray[np.float32], int]:
        """A clip's samples ``[T]`` (channels averaged), float32, and their rate in Hz.

        Raises:
            Unusable: if the file does not decode to its end.
        """
        assert clip.path
        return decode(clip.inside.read() if clip.inside else clip.path)

    def locate(self, data: Path | None) -> Path:
        """The data set's folder: one of ``folders`` below ``data``, or ``data`` itself if it has one of these names."""
        name = type(self).__name__
        if data is None:
            raise Mistake(
                f"{name} needs recordings, and no data folder is given",
                fix="add --data DIR, or set AUDIOBENCH_DATA" + self._command("DIR", "; to fetch them: "),
            )
        if not data.is_dir():
            raise Mistake(
                f"the data folder {data} does not exist", fix="give --data a folder that holds " + self.folders[0]
            )
        candidates = [data, *(data / folder for folder in self.folders)]
        for folder in candidates:
            if folder.resolve().name in self.folders and folder.is_dir():
                return folder
        raise Mistake(
            f"{name} is not in {data}: looked for {', '.join(self.folders)}",
            fix=(f"put it there ({self.url})" if self.url else "put it there")
            + self._command(shlex.quote(str(data)), ", or: "),
        )

    def _command(self, data: str, before: str) -> str:
        """The command that fetches the data set, or takes it from elsewhere; empty for a task of a plugin."""
        package, _, module = type(self).__module__.rpartition(".")
        if package != __name__:
            return ""
        fetch = f"audiobench data fetch {module.replace('_', '-')} --data {data}"
        return f"{before}{fetch}" + " --from PATH" * (not self.archives)


def told_unused(unused: Mapping[str, int]) -> str:
    """A sentence on the files that are not used; empty where all are used."""
    if not unused:
        return ""
    most = sorted(unused.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{count:,} {where}" for where, count in most[:_SHOWN]) + (", ..." if len(most) > _SHOWN else "")
    files = "1 file is" if sum(unused.values()) == 1 else f"{sum(unused.values()):,} files are"
    unread = {os.path.splitext(where)[1] for where in unused} & OTHER_SOUND - endings()  # noqa: PTH122 - no paths
    offer = f"; pip install 'audiobench[av]' to read {', '.join(sorted(unread))}" if unread else ""
    return f"{files} not used: {shown}{offer}"


class MissingFiles(Mistake):
    """Files that the metadata name are missing; ``clips`` are all clips, with size -1 where the file is missing."""

    def __init__(self, what: str, *, where: str, fix: str, clips: list[Clip]) -> None:
        super().__init__(what, where=where, fix=fix)
        self.clips = clips


def require_files(clips: list[Clip], where: Path) -> list[Clip]:
    """The clips, if all their files are there.

    Raises:
        MissingFiles: with the number of missing files, and the first names.
        Mistake: if there are no clips.
    """
    if not clips:
        raise Mistake("the metadata name no recordings", where=str(where), fix="fetch or extract the data set again")
    missing = [clip.id for clip in clips if clip.size < 0]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise MissingFiles(
            f"{len(missing)} of {len(clips)} files named by the metadata are missing: {shown}",
            where=str(where),
            fix="fetch or extract the data set again",
            clips=clips,
        )
    return clips


def read_clip(task: Task, clip: Clip) -> tuple[NDArray[np.float32], int] | str:
    """A clip's samples ``[T]`` and their rate in Hz, or why it cannot be used."""
    return usable(partial(task.read, clip))


def listing_hash(clips: Sequence[Clip], contents: Mapping[Path | Inside, str] = MappingProxyType({})) -> str:
    """SHA-256 of the names, contents, labels, folds and sources of clips.

    Args:
        clips: in the task's order.
        contents: a digest of each sound. The size stands for a sound without a digest, as for those that are computed;
            older versions named packs only by sizes.
    """
    content = [contents.get(clip.sound, clip.size) if clip.sound else clip.size for clip in clips]
    listing = [[clip.id, held, clip.label, clip.fold, clip.source] for clip, held in zip(clips, content, strict=True)]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()
