"""AudioSet: ten seconds of a video's sound, in 527 classes, several labels a clip."""

import csv
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, TextIO

from pydantic import Field

from registry.errors import Mistake
from registry.settings import Settings
from registry.tasks import Clip, Task

_TABLES = {
    "balanced": "balanced_train_segments.csv",
    "unbalanced": "unbalanced_train_segments.csv",
    "eval": "eval_segments.csv",
}
_PARTS = {"balanced": ("balanced",), "unbalanced": ("unbalanced",), "all": ("balanced", "unbalanced")}
_AUDIO = {".flac", ".mp3", ".ogg", ".opus", ".wav"}
# PANNs puts a Y before the video's name, which has 11 characters and may itself begin with one.
_NAME = re.compile(r"Y?(?P<video>[\w-]{11})(?:_(?P<start>\d+(?:\.\d+)?))?")


class Audioset(Task):
    """Up to two million clips of 10 s in 527 classes, several a clip: the balanced or unbalanced part trains (fold 0),
    the evaluation part is tested (fold 1).

    There is no archive: Google gives out tables of YouTube names and seconds, and everyone has other clips left. Put
    the three tables and ``class_labels_indices.csv`` into a folder ``AudioSet`` and the recordings anywhere below it,
    called by the video's name and, if wanted, the second or millisecond where the clip begins: ``-0RWZT-miFs.flac``,
    ``Y-0RWZT-miFs.wav``, ``-0RWZT-miFs_420.000.wav``, ``-0RWZT-miFs_420000.wav``. What the tables name and the folder
    lacks is counted, in every record and under every leaderboard: figures on other clips are other figures.

    Wang 2021 chooses settings on 5 % of the training part, and does not print which: ``held_out`` takes the videos
    whose names' hashes are smallest.
    """

    source: ClassVar[str] = "Gemmeke et al. 2017; research.google.com/audioset"
    url = "https://research.google.com/audioset/download.html"
    licence = "labels CC BY 4.0; the recordings are not given out"
    folders = ("AudioSet", "audioset")
    classes: tuple[str, ...] = ()  # of a task, once its clips are listed
    folds = (1,)
    multi_label = True

    class Config(Settings):
        part: Literal["balanced", "unbalanced", "all"] = Field("balanced", description="what trains")
        held_out: bool = Field(False, description="test on a twentieth of what trains, not on the evaluation part")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.parts = _PARTS[config.part] if config.held_out else (*_PARTS[config.part], "eval")
        self.held_out = config.held_out

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        number, names = _classes(folder / "class_labels_indices.csv")
        self.classes = names
        there = _recordings(folder)
        clips, self.missing = [], 0
        for part in self.parts:
            for video, start, machine_ids in _segments(folder / _TABLES[part]):
                path = there.get((video, start)) or there.get((video, None))
                if path is None:
                    self.missing += 1
                    continue
                label = tuple(sorted(number[machine_id] for machine_id in machine_ids))
                fold = int(part == "eval" or (self.held_out and _is_held_out(video)))
                clips.append(Clip(str(path.relative_to(folder)), label, fold, video, path, path.stat().st_size))
        if {clip.fold for clip in clips} != {0, 1}:
            raise Mistake(
                "no recording that trains, or none that is tested, is there",
                where=str(folder),
                fix="put them there, called by the video's name: -0RWZT-miFs.wav",
            )
        return clips

    @classmethod
    def source_of(cls, clip_id: str) -> str | None:
        """The video."""
        found = _NAME.fullmatch(Path(clip_id).stem)
        return found["video"] if found else None


def _is_held_out(video: str) -> bool:
    """Whether a video is in the twentieth that is held out: the same one everywhere."""
    return int.from_bytes(hashlib.sha256(video.encode()).digest()[:4]) < 2**32 / 20


def _classes(path: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """The number of each class by its machine id, and all names in order."""
    with _open(path) as file:
        rows = list(csv.DictReader(file))
    return {row["mid"]: int(row["index"]) for row in rows}, tuple(row["display_name"] for row in rows)


def _segments(path: Path) -> Iterator[tuple[str, int, list[str]]]:
    """The video, the millisecond where the clip begins, and the machine ids of its labels."""
    with _open(path) as file:
        for row in csv.reader(file, skipinitialspace=True):
            if (
                row and not row[0].startswith("#") and row[0] != "YTID"
            ):  # Google's three lines, or the one that copies have
                video, start, _, machine_ids = row
                yield video, round(float(start) * 1000), machine_ids.split(",")


def _open(path: Path) -> TextIO:
    if not path.is_file():
        raise Mistake("a table of AudioSet is missing", where=str(path), fix=f"fetch it from {Audioset.url}")
    return path.open(newline="", encoding="utf-8")


def _recordings(folder: Path) -> dict[tuple[str, int | None], Path]:
    """Sound files by video and the millisecond in their name; None where the name has none."""
    found: dict[tuple[str, int | None], Path] = {}
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent, name)
            match = _NAME.fullmatch(path.stem) if path.suffix.lower() in _AUDIO else None
            if match:
                found |= {(match["video"], start): path for start in _milliseconds(match["start"])}
    return found


def _milliseconds(start: str | None) -> set[int | None]:
    """What ``30.000`` may mean (seconds), or ``30000`` (either); the table's own figure decides."""
    if start is None:
        return {None}
    return {round(float(start) * 1000), *([] if "." in start else [int(start)])}
