"""What data sets share with each other, and what each holds in several folds."""

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
class DataSet:
    """What a data set holds in several folds.

    Args:
        clips: how many there are.
        sources: how many recordings they were cut from.
        spanning: sources in several folds.
        repeated: equal recordings in different folds, each as the folds of its clips; None where nothing was decoded.
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
    """What two data sets share.

    Args:
        by: how it was found: the ids of Freesound recordings, or equal samples.
        recordings: how many ids, or different sounds, are in both.
        clips: those of the first and of the second data set that belong to them.
        files: how many clips are the same file in both.
        part: the one that is a part of the other, file by file; empty where neither is.
    """

    first: str
    second: str
    by: Literal["Freesound id", "content"]
    recordings: int
    clips: tuple[list[str], list[str]]
    files: int
    part: str


@dataclass(frozen=True)
class Report:
    """What was found.

    Args:
        shared: by pair.
        not_compared: pairs without Freesound ids in both, where nothing was decoded.
        left_out: data sets that could not be listed, and why.
    """

    data_sets: list[DataSet]
    shared: list[Shared]
    not_compared: list[tuple[str, str]]
    left_out: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Listing:
    """A task, its clips, and what each sounds like, as a hash by clip id; None where nothing was decoded."""

    name: str
    task: Task
    clips: list[Clip]
    sounds: dict[str, str] | None


def audit(
    tasks: Mapping[str, Task], data: Path | None, progress: Progress, *, content: bool = False, lenient: bool = False
) -> Report:
    """Compares data sets with each other, and the folds of each.

    Two that name recordings by Freesound's ids are compared by these, others by content.

    Args:
        tasks: by the names that the report gives them.
        data: the folder that holds data sets.
        progress: told clip by clip, where content is compared.
        content: decode every clip; without it only listings are compared.
        lenient: leave out what cannot be listed, unless that is everything.

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
        found = _compare(a, b)
        if found:
            shared.append(found)
        else:
            not_compared.append((a.name, b.name))
    return Report(
        data_sets=[_within(listing) for listing in listings],
        shared=shared,
        not_compared=not_compared,
        left_out={name: "; ".join(filter(None, (lack.what, lack.fix))) for name, lack in lacks.items()},
    )


def _list(task: Task, data: Path | None) -> list[Clip]:
    """Every clip that the metadata name: those without a file have a source all the same."""
    try:
        return task.clips(data)
    except MissingFiles as lack:
        return lack.clips


def _listen(name: str, task: Task, clips: Sequence[Clip], progress: Progress) -> dict[str, str]:
    """SHA-256 of the samples of every clip that can be read, at its own rate."""
    progress.begin(f"read {name}")
    progress.expect(len(clips))
    sounds = {}
    with in_threads(partial(_digest, task), clips) as digests:
        for clip, digest in zip(clips, digests, strict=True):
            progress.advance()
            if digest:
                sounds[clip.id] = digest
    progress.end(f"{len(sounds)} of {len(clips)} clips")
    return sounds


def _digest(task: Task, clip: Clip) -> str:
    found = "is missing" if clip.size < 0 else read_clip(task, clip)
    return "" if isinstance(found, str) else hashlib.sha256(found[0].tobytes()).hexdigest()


def _compare(a: _Listing, b: _Listing) -> Shared | None:
    """What two data sets share, or None where it cannot be told."""
    by: Literal["Freesound id", "content"] = "content"
    if a.task.freesound and b.task.freesound:
        by = "Freesound id"
        of_a, of_b = ({clip.id: clip.source for clip in listing.clips} for listing in (a, b))
    elif a.sounds is not None and b.sounds is not None:
        of_a, of_b = a.sounds, b.sounds
    else:
        return None
    both = set(of_a.values()) & set(of_b.values())
    files_a, files_b = ({clip.path for clip in listing.clips if clip.path} for listing in (a, b))
    files = len(files_a & files_b)
    return Shared(
        first=a.name,
        second=b.name,
        by=by,
        recordings=len(both),
        clips=(
            [clip for clip, own in of_a.items() if own in both],
            [clip for clip, own in of_b.items() if own in both],
        ),
        files=files,
        part=next((x.name for x in sorted((a, b), key=lambda x: len(x.clips)) if files == len(x.clips)), ""),
    )


def _within(listing: _Listing) -> DataSet:
    heard = listing.sounds
    of_source: dict[str, list[Clip]] = defaultdict(list)
    of_sound: dict[str, list[Clip]] = defaultdict(list)
    for clip in listing.clips:
        of_source[clip.source].append(clip)
        if heard and clip.id in heard:
            of_sound[heard[clip.id]].append(clip)
    return DataSet(
        name=listing.name,
        clips=len(listing.clips),
        sources=len(of_source),
        spanning=[_spanning(listing.task, source, own) for source, own in of_source.items() if _spans(own)],
        repeated=None if heard is None else [{c.id: c.fold for c in own} for own in of_sound.values() if _spans(own)],
        unread=[] if heard is None else [clip.id for clip in listing.clips if clip.id not in heard],
    )


def _spans(clips: Sequence[Clip]) -> bool:
    return len({clip.fold for clip in clips}) > 1


def _spanning(task: Task, source: str, clips: Sequence[Clip]) -> Spanning:
    folds: dict[int, set[str]] = defaultdict(set)
    for clip in clips:
        folds[clip.fold].update(task.labels(clip))
    return Spanning(source, {fold: sorted(classes) for fold, classes in sorted(folds.items())})
