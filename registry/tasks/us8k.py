"""UrbanSound8K: urban sounds."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from registry.errors import Mistake
from registry.settings import Settings
from registry.tasks import Archive, Clip, Task, require_files
from registry.tasks._files import sizes
from registry.tasks._tables import TableRow, read_table, require_distinct

# Clips of each class in folds 1 to 10.
_COUNTS = {
    "air_conditioner": (100,) * 10,
    "car_horn": (36, 42, 43, 59, 98, 28, 28, 30, 32, 33),
    "children_playing": (100,) * 10,
    "dog_bark": (100,) * 10,
    "drilling": (100,) * 10,
    "engine_idling": (96, 100, 107, 107, 107, 107, 106, 88, 89, 93),
    "gun_shot": (35, 35, 36, 38, 40, 46, 51, 30, 31, 32),
    "jackhammer": (120, 120, 120, 120, 120, 68, 76, 78, 82, 96),
    "siren": (86, 91, 119, 166, 71, 74, 77, 80, 82, 83),
    "street_music": (100,) * 10,
}
_COLUMNS = ("slice_file_name", "fsID", "fold", "classID")
_NAME = re.compile(r"(\d+)-\d-\d+-\d+\.\w+")  # source, class, occurrence, slice


class Us8k(Task):
    """8,732 recordings of up to 4 s in 10 classes and 10 official folds; sample rates, channels and depths vary.

    The folds must not be reshuffled: clips of one recording lie in one fold, and a random split raises accuracy from
    some 84 to 98 %. Five of the 1,297 recordings still span two folds, with different classes (106905, 132016, 176638,
    180937, 77751). ``us8k_sha256.txt`` beside this file holds the beginnings of the official files' checksums.
    """

    source: ClassVar[str] = "Salamon et al. 2014; Zenodo 1203745"
    url = "https://zenodo.org/records/1203745"
    licence = "CC BY-NC (3.0 in its text, 4.0 on Zenodo)"
    folders = ("UrbanSound8K",)
    freesound = True
    classes = tuple(_COUNTS)
    folds = tuple(range(1, 11))
    spanning = 5
    counts = dict(zip(folds, zip(*_COUNTS.values(), strict=True), strict=True))
    archives = (
        Archive(
            "https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",
            "md5:9aa69802bbf37fb986f71ec1483a196e",
            size=6_023_741_708,
            folder="UrbanSound8K",
        ),
    )

    class Config(Settings):
        folds: list[int] = Field(list(range(1, 11)), min_length=2, description="official folds to use; all by default")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.folds = tuple(config.folds)

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        table, again = folder / "metadata" / "UrbanSound8K.csv", "fetch or extract the data set again"
        listed = read_table(table, _COLUMNS, "the metadata of UrbanSound8K is", again)
        require_distinct(listed, "slice_file_name", folder / "audio")
        rows = [row for row in listed if row.number("fold", Us8k.folds) in self.folds]
        there = {fold: sizes(folder / "audio" / f"fold{fold}") for fold in self.folds}
        self._require_folds(folder, {int(row["fold"]) for row in rows if there[int(row["fold"])]})
        return require_files([self._clip(folder, row, there[int(row["fold"])]) for row in rows], folder)

    def _require_folds(self, folder: Path, present: set[int]) -> None:
        missing = [fold for fold in self.folds if fold not in present]
        if missing:
            here = ", ".join(map(str, sorted(present))) or "none"
            raise Mistake(
                f"UrbanSound8K lacks the folds {', '.join(map(str, missing))}",
                where=str(folder),
                fix=f"fetch them, or ask for those that are there: {{name: us8k, folds: [{here}]}}",
            )

    def checksums(self) -> Mapping[str, str]:
        lines = (Path(__file__).parent / "us8k_sha256.txt").read_text(encoding="utf-8").splitlines()
        return {f"{name}.wav": digest for name, digest in map(str.split, lines)}

    @classmethod
    def source_of(cls, clip_id: str) -> str | None:
        match = _NAME.fullmatch(clip_id)
        return match[1] if match else None

    @staticmethod
    def _clip(folder: Path, row: TableRow, there: dict[str, int]) -> Clip:
        name, fold = row["slice_file_name"], int(row["fold"])
        path = folder / "audio" / f"fold{fold}" / name
        return Clip(name, row.number("classID", range(len(_COUNTS))), fold, row["fsID"], path, there.get(name, -1))
