"""AudioSet: ten seconds of a video's sound, in 527 classes, several labels a clip."""

import hashlib
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from registry.decode import SOUND, endings
from registry.errors import Mistake
from registry.files import files_below
from registry.settings import Settings
from registry.tasks import Clip, Task, told_unused
from registry.tasks._files import count_unused
from registry.tasks._tables import read_lines, read_table

_TABLES = {
    "balanced": "balanced_train_segments.csv",
    "unbalanced": "unbalanced_train_segments.csv",
    "eval": "eval_segments.csv",
}
_URL = "https://research.google.com/audioset/download.html"
_TABLE = ("a table of AudioSet is", f"fetch it from {_URL}")
_SETS = {"balanced": ("balanced",), "unbalanced": ("unbalanced",), "all": ("balanced", "unbalanced")}
# PANNs puts a Y before the video's name, which has 11 characters and may itself begin with one.
_NAME = re.compile(r"Y?(?P<video>[\w-]{11})(?:_(?P<start>\d+(?:\.\d+)?))?")


class Audioset(Task):
    """Up to two million clips of 10 s in 527 classes, several a clip: the balanced or unbalanced set trains (fold 0),
    the evaluation set is tested (fold 1).

    There is no archive. Google publishes tables of YouTube names and seconds, and everyone has other clips left. Put
    the three tables and ``class_labels_indices.csv`` into a folder ``AudioSet``, and the recordings anywhere below it.
    The name of a recording is the video's name and, if you like, the second or millisecond where the clip begins:
    ``-0RWZT-miFs.flac``, ``Y-0RWZT-miFs.wav``, ``-0RWZT-miFs_420.000.wav``, ``-0RWZT-miFs_420000.wav``. Clips in the
    tables without a recording are counted in every record and under every leaderboard, because figures on other clips
    are other figures.

    Wang 2021 chooses settings on 5 % of the training set, and does not say on which clips: ``held_out`` takes the
    videos whose names have the smallest hashes.
    """

    source: ClassVar[str] = "Gemmeke et al. 2017; research.google.com/audioset"
    url = _URL
    licence = "labels CC BY 4.0; the recordings are not given out"
    folders = ("AudioSet", "audioset")
    classes: tuple[str, ...] = ()  # of a task, once its clips are listed
    folds = (1,)
    target = "several-labels"

    class Config(Settings):
        part: Literal["balanced", "unbalanced", "all"] = Field("balanced", description="what trains")
        held_out: bool = Field(False, description="test on a twentieth of what trains, not on the evaluation part")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.sets = _SETS[config.part] if config.held_out else (*_SETS[config.part], "eval")
        self.held_out = config.held_out

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        number, names = _classes(folder / "class_labels_indices.csv")
        self.classes = names
        there = _recordings(folder)
        clips, self.missing = [], 0
        for name in self.sets:
            for video, start, machine_ids in _segments(folder / _TABLES[name], number):
                path = there.get((video, start)) or there.get((video, None))
                if path is None:
                    self.missing += 1
                    continue
                label = tuple(sorted(number[machine_id] for machine_id in machine_ids))
                fold = int(name == "eval" or (self.held_out and _is_held_out(video)))
                clips.append(Clip(path.relative_to(folder).as_posix(), label, fold, video, path, path.stat().st_size))
        tables = {table.name for table in folder.glob("*.csv")}
        self.unused = count_unused(folder, {clip.id for clip in clips} | tables)
        if {clip.fold for clip in clips} != {0, 1}:
            raise Mistake(
                "no recording that trains, or none that is tested, is there",
                where=str(folder),
                fix="put them there, called by the video's name: -0RWZT-miFs.wav; " + told_unused(self.unused),
            )
        return clips

    @classmethod
    def source_of(cls, clip_id: str) -> str | None:
        """The video."""
        match = _NAME.fullmatch(Path(clip_id).stem)
        return match["video"] if match else None


def _is_held_out(video: str) -> bool:
    """Whether a video is in the held-out twentieth, which is the same everywhere."""
    return int.from_bytes(hashlib.sha256(video.encode()).digest()[:4]) < 2**32 / 20


def _classes(path: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """The number of each class by its machine id, and all names in order."""
    rows = read_table(path, ("index", "mid", "display_name"), *_TABLE)
    number = {row.filled("mid"): row.number("index", range(len(rows))) for row in rows}
    if sorted(number.values()) != list(range(len(rows))):
        raise Mistake("a class or its number stands in the table twice", where=str(path), fix=_TABLE[1])
    return number, tuple(row["display_name"] for row in sorted(rows, key=lambda row: number[row["mid"]]))


def _segments(path: Path, known: Container[str]) -> Iterator[tuple[str, int, list[str]]]:
    """The video, the millisecond where the clip begins, and the machine ids of its labels."""
    seen: dict[tuple[str, int], str] = {}
    for where, cells in read_lines(path, *_TABLE, comment="#"):  # Google's three lines, or the one that copies have
        if cells[0] == "YTID":
            continue
        try:
            video, start, _, machine_ids = cells
            begins = round(float(start) * 1000)
        except (ValueError, OverflowError):
            raise Mistake(
                f"the line is not a video, two times in seconds, and labels: {', '.join(cells)[:80]}",
                where=where,
                fix='put the labels between quotes: "/m/068hy,/m/07q6cd_"',
            ) from None
        if (video, begins) in seen:
            first = seen[video, begins].rpartition(":")[2]
            raise Mistake(f"{video} at {start} s stands in the table twice, first in line {first}", where=where)
        seen[video, begins] = where
        labels = [machine_id.strip() for machine_id in machine_ids.split(",")]
        unknown = [machine_id for machine_id in labels if machine_id not in known]
        if unknown:
            raise Mistake(f"the label {unknown[0]!r} is none of class_labels_indices.csv", where=where)
        yield video, begins, labels
    if not seen:
        raise Mistake("the table has a head and no rows", where=str(path), fix=_TABLE[1])


def _recordings(folder: Path) -> dict[tuple[str, int | None], Path]:
    """Sound files by video and the millisecond in their name; None where the name has none."""
    recordings: dict[tuple[str, int | None], Path] = {}
    sound = endings()
    for below in sorted(files_below(folder), key=lambda below: (Path(below).suffix.lower() in SOUND, below)):
        path = folder / below
        match = _NAME.fullmatch(path.stem) if path.suffix.lower() in sound else None
        if match:
            recordings |= {(match["video"], start): path for start in _milliseconds(match["start"])}
    return recordings


def _milliseconds(start: str | None) -> set[int | None]:
    """The milliseconds that a name may mean: ``30.000`` is seconds, ``30000`` seconds or milliseconds."""
    if start is None:
        return {None}
    return {round(float(start) * 1000), *([] if "." in start else [int(start)])}
