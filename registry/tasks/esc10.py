"""ESC-10: the ten-class part of ESC-50."""

from pathlib import Path
from typing import ClassVar

from registry.tasks import Clip, require_files
from registry.tasks.esc50 import Esc50, _metadata

_TARGETS = (0, 1, 10, 11, 12, 20, 21, 38, 40, 41)


class Esc10(Esc50):
    """The 400 recordings of ESC-50 marked ``esc10``: ten classes, 80 recordings in each of the 5 official folds."""

    source: ClassVar[str] = "Piczak 2015; github.com/karoldvl/ESC-50"
    licence = "CC BY 3.0"
    classes = tuple(Esc50.classes[target] for target in _TARGETS)
    counts = dict.fromkeys(Esc50.folds, (8,) * 10)

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        rows = [row for row in _metadata(folder) if row["esc10"] == "True"]
        clips = [self._clip(folder, row, _TARGETS.index(row.number("target", _TARGETS))) for row in rows]
        return require_files(clips, folder)
