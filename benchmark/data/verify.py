"""Whether a data set is what it should be: counts by class and fold, durations, checksums, and faults by file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.remarks import remarks
from benchmark.progress import Progress
from benchmark.store.files import file_digest
from benchmark.threads import in_threads
from registry.errors import Mistake
from registry.tasks import Clip, MissingFiles, Task, read_clip

_UNLABELLED = "(no labels)"


@dataclass(frozen=True)
class Row:
    """A class: its clips in each fold, and the seconds of those that can be read."""

    name: str
    clips: int
    folds: dict[int, int]
    seconds: float
    shortest: float
    longest: float


@dataclass(frozen=True)
class Report:
    """What was found.

    Args:
        folder: where the data set is; None for sounds that are made.
        rows: by class, and all together last.
        faults: what is wrong with a file, by clip.
        differences: from the official counts; None where the task states none.
        unofficial: clips whose files are not the official ones, by their SHA-256; None where the task states none.
        compared: how many files were compared with their official checksums.
        not_compared: files that have none, by extension.
        over: how far the samples of clips go that pass full scale, 1.
        remarks: what is odd, in sentences.
    """

    name: str
    folder: Path | None
    rows: list[Row]
    faults: dict[str, str]
    differences: list[str] | None
    unofficial: list[str] | None
    compared: int
    not_compared: dict[str, int]
    over: dict[str, float]
    remarks: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        return not self.faults and not self.differences and not self.unofficial

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder) if self.folder else None, "is_right": self.is_right}


def verify(task: Task, name: str, data: Path | None, progress: Progress) -> Report:
    """Counts every clip and reads every file.

    Args:
        task: lists its clips and reads them.
        name: the task's.
        data: the folder that holds data sets.
        progress: told clip by clip.

    Raises:
        Mistake: if the data set or its metadata is missing, so that there is nothing to count.
    """
    try:
        clips = task.clips(data)
    except MissingFiles as lack:
        clips = lack.clips
    if not clips:
        raise Mistake(f"{name} has no clips", where=str(data), fix="fetch the data set again")
    progress.begin(f"verify {name}")
    progress.expect(len(clips))
    seconds: dict[str, float] = {}
    faults: dict[str, str] = {}
    over: dict[str, float] = {}
    official: dict[str, bool] = {}
    checksums = task.checksums()
    with in_threads(partial(_examine, task, checksums), clips) as examined:
        for clip, found in zip(clips, examined, strict=True):
            progress.advance()
            if isinstance(found.content, str):
                faults[clip.id] = found.content
            else:
                seconds[clip.id] = found.content
            if found.peak > 1:
                over[clip.id] = round(found.peak, 4)
            if found.is_official is not None:
                official[clip.id] = found.is_official
    progress.end(f"{len(clips)} clips, {len(faults)} of them faulty")
    others = (clip.path for clip in clips if clip.size >= 0 and clip.path and clip.id not in official)
    return Report(
        name=name,
        folder=task.locate(data) if task.folders else None,
        rows=_rows(task, clips, seconds),
        faults=faults,
        differences=_differences(task, clips) if task.counts else None,
        unofficial=[name for name, is_official in official.items() if not is_official] if checksums else None,
        compared=len(official),
        not_compared=dict(Counter(path.suffix for path in others)) if checksums else {},
        over=over,
        remarks=remarks(task, [clip for clip in clips if clip.id in seconds]),
    )


@dataclass(frozen=True)
class _Found:
    """Seconds of a clip, or what is wrong with it, and how far its samples go.

    ``is_official`` says whether its file is the official one; None where nobody says.
    """

    content: float | str
    is_official: bool | None = None
    peak: float = 0.0


def _examine(task: Task, checksums: Mapping[str, str], clip: Clip) -> _Found:
    if clip.size < 0:
        return _Found("is missing")
    found = read_clip(task, clip)
    content, peak = (
        (found, 0.0) if isinstance(found, str) else (len(found[0]) / found[1], float(np.abs(found[0]).max()))
    )
    if clip.path is None or clip.id not in checksums:
        return _Found(content, peak=peak)
    return _Found(content, file_digest(clip.path).startswith(checksums[clip.id].lower()), peak)


def _rows(task: Task, clips: Sequence[Clip], seconds: dict[str, float]) -> list[Row]:
    by_class: dict[str, list[Clip]] = {name: [] for name in task.classes}
    for clip in clips:
        for name in task.labels(clip) or (_UNLABELLED,):
            by_class.setdefault(name, []).append(clip)
    groups = by_class if len(by_class) > 1 else {}
    return [_row(name, group, seconds) for name, group in {**groups, "all": clips}.items()]


def _row(name: str, clips: Sequence[Clip], seconds: dict[str, float]) -> Row:
    lengths = [seconds[clip.id] for clip in clips if clip.id in seconds]
    return Row(
        name=name,
        clips=len(clips),
        folds=dict(sorted(Counter(clip.fold for clip in clips).items())),
        seconds=round(sum(lengths), 3),
        shortest=round(min(lengths, default=0.0), 3),
        longest=round(max(lengths, default=0.0), 3),
    )


def _differences(task: Task, clips: Sequence[Clip]) -> list[str]:
    """Where the counts are not the official ones, in the folds that the task uses."""
    lines = []
    for fold in sorted({*task.folds, *(clip.fold for clip in clips)}):
        here = [clip for clip in clips if clip.fold == fold]
        official = task.counts.get(fold, (0,))
        by_class = Counter(name for clip in here for name in task.labels(clip))
        if len(official) == 1:
            pairs = {"in all": (len(here), official[0])}
        else:
            pairs = {name: (by_class[name], count) for name, count in zip(task.classes, official, strict=True)}
        lines += [
            f"fold {fold}, {name}: {n} clips, officially {count}" for name, (n, count) in pairs.items() if n != count
        ]
    return lines
