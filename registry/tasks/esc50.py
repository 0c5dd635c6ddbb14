"""ESC-50: environmental sounds."""

import re
from pathlib import Path
from typing import ClassVar

from registry.files import size_at
from registry.tasks import Archive, Clip, Task, require_files
from registry.tasks._tables import TableRow, read_table, require_distinct

# Names by target, in the order of the official metadata's numbers.
_CLASSES = (
    "dog rooster pig cow frog cat hen insects sheep crow rain sea_waves crackling_fire crickets chirping_birds "
    "water_drops wind pouring_water toilet_flush thunderstorm crying_baby sneezing clapping breathing coughing "
    "footsteps laughing brushing_teeth snoring drinking_sipping door_wood_knock mouse_click keyboard_typing "
    "door_wood_creaks can_opening washing_machine vacuum_cleaner clock_alarm clock_tick glass_breaking helicopter "
    "chainsaw siren car_horn engine train church_bells airplane fireworks hand_saw"
).split()
_AGAIN = "fetch or extract the data set again"
_NAME = re.compile(r"\d-(\d+)-[A-Z]-\d+\.\w+")  # fold, source, take, target


class Esc50(Task):
    """2000 recordings of 5 s in 50 classes, 40 each, in 5 official folds; 44.1 kHz mono.

    Four of its Freesound sources span two folds, with different classes (131943, 134049, 209698, 234879). The official
    folds stay as they are.
    """

    source: ClassVar[str] = "Piczak 2015; github.com/karoldvl/ESC-50"
    url = "https://github.com/karoldvl/ESC-50/archive/master.zip"
    licence = "CC BY-NC 3.0 (the ESC-10 clips CC BY 3.0)"
    folders = ("ESC-50", "ESC-50-master")
    freesound = True
    classes = tuple(_CLASSES)
    folds = (1, 2, 3, 4, 5)
    spanning = 4
    counts = dict.fromkeys(folds, (8,) * 50)
    # GitHub makes this archive when asked, and does not promise the same bytes for ever.
    archives = (Archive(url, "md5:7771e4b9d86d0945acce719c7a59305a", folder="ESC-50"),)

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        return require_files(
            [self._clip(folder, row, row.number("target", range(50))) for row in _metadata(folder)], folder
        )

    @classmethod
    def source_of(cls, clip_id: str) -> str | None:
        match = _NAME.fullmatch(clip_id)
        return match[1] if match else None

    @staticmethod
    def _clip(folder: Path, row: TableRow, label: int) -> Clip:
        path, fold = folder / "audio" / row["filename"], row.number("fold", Esc50.folds)
        return Clip(row["filename"], label, fold, row["src_file"], path, size_at(path))


def _metadata(folder: Path) -> list[TableRow]:
    columns = ("filename", "fold", "target", "src_file")
    rows = read_table(folder / "meta" / "esc50.csv", columns, "the metadata of ESC-50 is", _AGAIN)
    require_distinct(rows, "filename", folder / "audio")
    return rows
