"""Which recordings data sets share, and which recordings of a data set lie in several folds."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from benchmark.progress import Progress
from benchmark.threads import in_threads
from registry.errors import Mistake, Mistakes
from registry.tasks import Clip, MissingFiles, Task, read_clip


@dataclass(frozen=True)
class Spanning:
    """A source with clips in several folds: for each fold, the classes of these clips."""

    source: str
    folds: dict[int, list[str]]


@dataclass(frozen=True)
class Audited:
    """A data set, and its sources and recordings that lie in several folds.

    Args:
        clips: how many there are.
        sources: how many recordings the clips were cut from.
        spanning: sources in several folds.
        repeated: a mapping for each sound that lies in several folds: the fold of each of its clips. None where no clip
            was decoded.
        unread: clips that are missing or do not decode, so that their sound is not compared.
    """

    name: str
    clips: int
    sources: int
    spanning: list[Spanning]
    repeated: list[dict[str, int]] | None
    unread: list[str]


@dataclass(frozen=True)
class Shared:
    """The recordings that two data sets share.

    Args:
        by: how they were compared: by the ids of Freesound recordings, or by equal samples.
        recordings: how many ids, or different sounds, are in both.
        clips: the clips of these recordings in the first and in the second data set.
        files: how many clips are the same file in both.
        part: name of the data set whose files are all in the other; empty where there is none.
    """

    first: str
    second: str
    by: Literal["Freesound id", "content"]
    recordings: int
    clips: tuple[list[str], list[str]]
    files: int
    part: str


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    Args:
        shared: one for each pair of data sets that was compared.
        not_compared: the pairs that have no Freesound ids in common, where no clip was decoded.
        left_out: data sets that could not be listed, and why.
    """

    data_sets: list[Audited]
    shared: list[Shared]
    not_compared: list[tuple[str, str]]
    left_out: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Listing:
    """A task, its clips, and the hash of each clip's samples by its id (None where no clip was decoded)."""

    name: str
    task: Task
    clips: list[Clip]
    sounds: dict[str, str] | None


def audit(
    tasks: Mapping[str, Task], data: Path | None, progress: Progress, *, content: bool = False, lenient: bool = False
) -> Audit:
    """Compares data sets with each other, and the folds of each data set.

    Two data sets that both have Freesound ids are compared by these, other pairs by content.

    Args:
        tasks: by the names that the audit gives them.
        data: the folder that holds data sets.
        progress: advances with each clip, where content is compared.
        content: decode every clip; without it only listings are compared.
        lenient: leave out data sets that cannot be listed, unless none can.

    Raises:
        Mistake: if a data set or its metadata is missing.
    """
    listings: list[_Listing] = []
    lacks: dict[str, Mistake] = {}
    for name, task in tasks.items():
        try:
            clips = _list(task, data)
        except Mistake as lack:
            if not lenient:
                raise
            lacks[name] = lack
            continue
        listings.append(_Listing(name, task, clips, _listen(name, task, clips, progress) if content else None))
    if lacks and not listings:
        raise Mistakes(list(lacks.values()))
    shared, not_compared = [], []
    for a, b in combinations(listings, 2):
        of_pair = _compare(a, b)
        if of_pair:
            shared.append(of_pair)
        else:
            not_compared.append((a.name, b.name))
    return Audit(
        data_sets=[_within(listing) for listing in listings],
        shared=shared,
        not_compared=not_compared,
        left_out={name: "; ".join(filter(None, (lack.what, lack.fix))) for name, lack in lacks.items()},
    )


def _list(task: Task, data: Path | None) -> list[Clip]:
    """Every clip in the metadata. Clips without a file are included: they have a source, too."""
    try:
        return task.clips(data)
    except MissingFiles as lack:
        return lack.clips


def _listen(name: str, task: Task, clips: Sequence[Clip], progress: Progress) -> dict[str, str]:
    """SHA-256 of the samples of every clip that can be read, at its own rate."""
    progress.begin(f"read {name}")
    progress.expect(len(clips), unit="clips")
    sounds = {}
    with in_threads(partial(_digest, task), clips) as digests:
        for clip, digest in zip(clips, digests, strict=True):
            progress.advance()
            if digest:
                sounds[clip.id] = digest
    progress.end(f"{len(sounds)} of {len(clips)} clips")
    return sounds


def _digest(task: Task, clip: Clip) -> str:
    wave_or_fault = "is missing" if clip.size < 0 else read_clip(task, clip)
    return "" if isinstance(wave_or_fault, str) else hashlib.sha256(wave_or_fault[0].tobytes()).hexdigest()


def _compare(a: _Listing, b: _Listing) -> Shared | None:
    """Compares two data sets; None where they have no ids in common and no clip was decoded."""
    by: Literal["Freesound id", "content"] = "content"
    if a.task.freesound and b.task.freesound:
        by = "Freesound id"
        of_a, of_b = ({clip.id: clip.source for clip in listing.clips} for listing in (a, b))
    elif a.sounds is not None and b.sounds is not None:
        of_a, of_b = a.sounds, b.sounds
    else:
        return None
    both = set(of_a.values()) & set(of_b.values())
    files_a, files_b = ({clip.sound for clip in listing.clips if clip.sound} for listing in (a, b))
    files = len(files_a & files_b)
    return Shared(
        first=a.name,
        second=b.name,
        by=by,
        recordings=len(both),
        clips=(
            [clip for clip, recording in of_a.items() if recording in both],
            [clip for clip, recording in of_b.items() if recording in both],
        ),
        files=files,
        part=next((x.name for x in sorted((a, b), key=lambda x: len(x.clips)) if files == len(x.clips)), ""),
    )


def _within(listing: _Listing) -> Audited:
    sounds = listing.sounds
    of_source: dict[str, list[Clip]] = defaultdict(list)
    of_sound: dict[str, list[Clip]] = defaultdict(list)
    for clip in listing.clips:
        of_source[clip.source].append(clip)
        if sounds and clip.id in sounds:
            of_sound[sounds[clip.id]].append(clip)
    repeated = [{clip.id: clip.fold for clip in clips} for clips in of_sound.values() if _spans(clips)]
    return Audited(
        name=listing.name,
        clips=len(listing.clips),
        sources=len(of_source),
        spanning=[_spanning(listing.task, source, clips) for source, clips in of_source.items() if _spans(clips)],
        repeated=None if sounds is None else repeated,
        unread=[] if sounds is None else [clip.id for clip in listing.clips if clip.id not in sounds],
    )


def _spans(clips: Sequence[Clip]) -> bool:
    return len({clip.fold for clip in clips}) > 1


def _spanning(task: Task, source: str, clips: Sequence[Clip]) -> Spanning:
    folds: dict[int, set[str]] = defaultdict(set)
    for clip in clips:
        folds[clip.fold].update(task.labels(clip))
    return Spanning(source, {fold: sorted(classes) for fold, classes in sorted(folds.items())})
