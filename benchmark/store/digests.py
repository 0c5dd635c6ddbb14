"""Digests of recordings. Each is remembered with its file's size and times, so that only changed files are read again.

RUNS/digests/ has a file for each folder of recordings. By the path of a recording below this folder it states size,
times of modification and of change in nanoseconds, and SHA-256; and the digest of all this. Where a file holds several
recordings, the place in it follows the path after a #. It is only a cache: if it is damaged or missing, recordings are
read again.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from benchmark.progress import PlainProgress
from benchmark.store.files import changed_ns, write_text
from benchmark.threads import in_threads
from registry.tasks import Clip, Inside, listing_hash

Known = tuple[int, int, int, str]  # size, mtime and ctime in ns of the file, digest of the sound

UNREADABLE = "unreadable"  # instead of a digest; packing reports such a file
_SETTLED_NS = 2_000_000_000  # tick of FAT, the file system with the coarsest clock
_NAMED = 5
_FILES = ',\n"files": '  # between the digest and what it is the digest of


class Digests:
    """The digests of recordings.

    Args:
        folder: of the caches; it is made at the first write. None: nothing is remembered.
        tell: gets a line that names the recordings that changed since they were last read.
    """

    def __init__(self, folder: Path | None = None, tell: Callable[[str], None] = lambda line: None) -> None:
        self.folder, self.tell = folder, tell
        self._listed: dict[Path | Inside, Known] = {}

    def listing(self, task: str, clips: Sequence[Clip]) -> str:
        """The hash of a task's clips: names, contents, labels, folds and sources."""
        return listing_hash(clips, self.of(task, clips))

    def listing_again(self, clips: Sequence[Clip]) -> str | None:
        """The hash of some clips that were listed before; None if a file of theirs has changed since."""
        contents = {}
        for sound in (clip.sound for clip in clips if clip.sound):
            if sound not in self._listed:
                self._listed[sound] = _digest(sound)
            before = self._listed[sound]
            if not _is_same(sound, before) and _digest(sound)[3] != before[3]:
                return None
            contents[sound] = before[3]
        return listing_hash(clips, contents)

    def of(self, task: str, clips: Sequence[Clip]) -> dict[Path | Inside, str]:
        """The digest of every clip's sound, by its file or place. What lies in an unchanged file is not read again.

        Args:
            task: its name, for people.
            clips: of the task; clips without a file are skipped.
        """
        sounds = {clip.sound: clip.id for clip in clips if clip.sound is not None}
        if not sounds:
            return {}
        place_of = _places(list(sounds))
        home = _home([parent for parent, _ in place_of.values()])
        cache = self._cache(home)
        known = _load(cache)
        below = {parent: os.path.relpath(parent, home) if home else parent for parent, _ in place_of.values()}
        names = {sound: f"{below[parent]}/{name}" for sound, (parent, name) in place_of.items()}
        touched = [sound for sound in sounds if not _is_same(sound, known.get(names[sound]))]
        read = _read(task, touched)
        changed = [
            sounds[sound] for sound, now in read.items() if names[sound] in known and known[names[sound]][3] != now[3]
        ]
        if changed:
            self.tell(_told(task, changed))
        known |= {names[sound]: now for sound, now in read.items()}
        if read and cache:
            with suppress(OSError):  # the folder may be read-only
                files = json.dumps(known, indent=0)
                write_text(cache, f'{{"sha256": "{_sha256(files)}"{_FILES}{files}}}\n')
        self._listed |= {sound: known[names[sound]] for sound in sounds}
        return {sound: self._listed[sound][3] for sound in sounds}

    def _cache(self, home: str) -> Path | None:
        if self.folder is None or not home:
            return None
        place = hashlib.sha256(os.path.realpath(home).encode()).hexdigest()[:8]
        return self.folder / f"{Path(home).name}.{place}.json"


def _home(folders: Sequence[str]) -> str:
    """The folder that contains all of them; empty if there is none, because they are on several drives of Windows."""
    try:
        return os.path.commonpath(folders)
    except ValueError:
        return ""


def _places(sounds: Sequence[Path | Inside]) -> dict[Path | Inside, tuple[str, str]]:
    """The folder, as a full path, and the name of every file, with the place in the file."""
    full: dict[str, str] = {}
    places: dict[Path | Inside, tuple[str, str]] = {}
    for sound in sounds:
        parent, name = os.path.split(_file_of(sound))
        if parent not in full:
            full[parent] = str(Path(parent).absolute())
        places[sound] = (full[parent], f"{name}#{sound.name}" if isinstance(sound, Inside) else name)
    return places


def _file_of(sound: Path | Inside) -> Path:
    return sound.path if isinstance(sound, Inside) else sound


def _load(cache: Path | None) -> dict[str, Known]:
    """The content of a cache; empty if it is missing or damaged. Older versions wrote no digest."""
    try:
        text = cache.read_text(encoding="utf-8") if cache else "{}"
        head, has_digest, files = text.partition(_FILES)
        files = files.removesuffix("}\n") if has_digest else text
        if has_digest and json.loads(f"{head}}}") != {"sha256": _sha256(files)}:
            return {}
        stored = json.loads(files)
        return {name: (int(a), int(b), int(c), str(digest)) for name, (a, b, c, digest) in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _is_same(sound: Path | Inside, known: Known | None) -> bool:
    if known is None:
        return False
    try:
        now = os.stat(_file_of(sound))  # noqa: PTH116 - a plan looks at thousands of them
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns, changed_ns(now)) == known[:3]


def _read(task: str, sounds: Sequence[Path | Inside]) -> dict[Path | Inside, Known]:
    """Reads sounds, with a line of progress every ten seconds."""
    read = {}
    progress = PlainProgress()
    progress.begin(f"read the recordings of {task}")
    progress.expect(len(sounds))
    with in_threads(_digest, sounds) as digests:
        for sound, known in zip(sounds, digests, strict=True):
            read[sound] = known
            progress.advance()
    return read


def _digest(sound: Path | Inside) -> Known:
    try:
        with _file_of(sound).open("rb") as file:
            began, now = time.time_ns(), os.fstat(file.fileno())
            if isinstance(sound, Inside):
                digest = hashlib.sha256(sound.read()).hexdigest()
            else:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return 0, 0, 0, UNREADABLE
    if began - changed_ns(now) < _SETTLED_NS:
        return now.st_size, 0, 0, digest  # read it once more the next time: another change may leave the same times
    return now.st_size, now.st_mtime_ns, changed_ns(now), digest


def _told(task: str, changed: Sequence[str]) -> str:
    shown = ", ".join(changed[:_NAMED]) + (", ..." if len(changed) > _NAMED else "")
    which = "1 recording" if len(changed) == 1 else f"{len(changed)} recordings"
    were = "it was" if len(changed) == 1 else "they were"
    return f"{which} of {task} changed since {were} last read: {shown}"
