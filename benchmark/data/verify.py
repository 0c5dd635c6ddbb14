"""Checks a data set: counts by class and fold, durations, checksums, and the fault of each file that has one."""

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
class ClassCount:
    """A class: its clips in each fold, and the seconds of those that can be read."""

    name: str
    clips: int
    folds: dict[int, int]
    seconds: float
    shortest: float
    longest: float


@dataclass(frozen=True)
class Verification:
    """The result of a check.

    Args:
        folder: of the data set; None for synthetic sounds.
        rows: one for each class, and at the end one for all classes together.
        faults: what is wrong with a file, by clip.
        differences: from the official counts; None where the task states no counts.
        unofficial: clips whose SHA-256 is not the official one; None where the task states no checksums.
        compared: how many files were compared with their official checksums.
        not_compared: how many files have no official checksum, by extension.
        over: the peak of each clip that passes full scale, 1.
        remarks: sentences about oddities.
    """

    name: str
    folder: Path | None
    rows: list[ClassCount]
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


def verify(task: Task, name: str, data: Path | None, progress: Progress) -> Verification:
    """Counts every clip and reads every file.

    Args:
        task: lists its clips and reads them.
        name: of the task.
        data: the folder that holds data sets.
        progress: advances with each clip.

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
    progress.expect(len(clips), unit="clips")
    seconds: dict[str, float] = {}
    faults: dict[str, str] = {}
    over: dict[str, float] = {}
    official: dict[str, bool] = {}
    checksums = task.checksums()
    with in_threads(partial(_examine, task, checksums), clips) as examined:
        for clip, file in zip(clips, examined, strict=True):
            progress.advance()
            if isinstance(file.content, str):
                faults[clip.id] = file.content
            else:
                seconds[clip.id] = file.content
            if file.peak > 1:
                over[clip.id] = round(file.peak, 4)
            if file.is_official is not None:
                official[clip.id] = file.is_official
    progress.end(f"{len(clips)} clips, {len(faults)} of them faulty")
    others = (clip.path for clip in clips if clip.size >= 0 and clip.path and clip.id not in official)
    return Verification(
        name=name,
        folder=task.locate(data) if task.folders else None,
        rows=_rows(task, clips, seconds),
        faults=faults,
        differences=differences(task, clips) if task.counts else None,
        unofficial=[name for name, is_official in official.items() if not is_official] if checksums else None,
        compared=len(official),
        not_compared=dict(Counter(path.suffix for path in others)) if checksums else {},
        over=over,
        remarks=remarks(task, [clip for clip in clips if clip.id in seconds]),
    )


@dataclass(frozen=True)
class _Examined:
    """The seconds of a clip, or what is wrong with it, and its peak.

    ``is_official`` says whether the clip's file is the official one; None where there is no official checksum.
    """

    content: float | str
    is_official: bool | None = None
    peak: float = 0.0


def _examine(task: Task, checksums: Mapping[str, str], clip: Clip) -> _Examined:
    if clip.size < 0:
        return _Examined("is missing")
    wave_or_fault = read_clip(task, clip)
    content: float | str
    if isinstance(wave_or_fault, str):
        content, peak = wave_or_fault, 0.0
    else:
        wave_T, rate = wave_or_fault
        content, peak = len(wave_T) / rate, float(np.abs(wave_T).max())
    if clip.path is None or clip.id not in checksums:
        return _Examined(content, peak=peak)
    return _Examined(content, file_digest(clip.path).startswith(checksums[clip.id].lower()), peak)


def _rows(task: Task, clips: Sequence[Clip], seconds: dict[str, float]) -> list[ClassCount]:
    by_class: dict[str, list[Clip]] = {name: [] for name in task.classes}
    for clip in clips:
        for name in task.labels(clip) or (_UNLABELLED,):
            by_class.setdefault(name, []).append(clip)
    groups = by_class if len(by_class) > 1 else {}
    return [_row(name, group, seconds) for name, group in {**groups, "all": clips}.items()]


def _row(name: str, clips: Sequence[Clip], seconds: dict[str, float]) -> ClassCount:
    lengths = [seconds[clip.id] for clip in clips if clip.id in seconds]
    return ClassCount(
        name=name,
        clips=len(clips),
        folds=dict(sorted(Counter(clip.fold for clip in clips).items())),
        seconds=round(sum(lengths), 3),
        shortest=round(min(lengths, default=0.0), 3),
        longest=round(max(lengths, default=0.0), 3),
    )


def differences(task: Task, clips: Sequence[Clip]) -> list[str]:
    """A line for each count that differs from the official one, in the folds that the task uses."""
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
