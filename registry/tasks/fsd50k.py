"""FSD50K, its development part, as a pretraining corpus."""

import csv
import os
from pathlib import Path
from typing import ClassVar

from registry.errors import Mistake
from registry.tasks import Clip, Task, require_files


class Fsd50k(Task):
    """40,966 recordings of 0.3 to 30 s, 44.1 kHz mono: a corpus without labels or folds.

    Lin 2022 pretrains on FSD50K and does not say on which part; the development part alone is used here. Its names are
    Freesound ids. Evaluating on its 200 labels, several a clip, is not offered.
    """

    source: ClassVar[str] = "Fonseca et al. 2020; Zenodo 4060432"
    url = "https://zenodo.org/records/4060432"
    licence = "CC BY as a whole; each clip its own: CC0, CC BY, CC BY-NC or Sampling+"
    folders = ("FSD50K",)
    classes = ()
    folds = ()

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        table = folder / "FSD50K.ground_truth" / "dev.csv"
        if not table.is_file():
            raise Mistake("the ground truth of FSD50K is missing", where=str(table), fix="extract ground_truth.zip")
        audio = folder / "FSD50K.dev_audio"
        sizes = {entry.name: entry.stat().st_size for entry in os.scandir(audio)} if audio.is_dir() else {}
        with table.open(newline="") as file:
            names = [row["fname"] for row in csv.DictReader(file)]
        clips = [Clip(f"{n}.wav", -1, 0, n, audio / f"{n}.wav", sizes.get(f"{n}.wav", -1)) for n in names]
        return require_files(clips, audio)
