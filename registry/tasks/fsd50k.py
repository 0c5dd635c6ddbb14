"""FSD50K, its development part, as a pretraining corpus."""

import csv
import os
from pathlib import Path
from typing import ClassVar

from registry.errors import Mistake
from registry.tasks import Archive, Clip, Task, require_files

_FILES = "https://zenodo.org/records/4060432/files/FSD50K."
_PART = 3 * 2**30  # bytes of every part of a split archive but its last


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
    counts = {0: (40_966,)}
    archives = (
        Archive(
            _FILES + "ground_truth.zip",
            "md5:ca27382c195e37d2269c4c866dd73485",
            size=334_701,
            folder="FSD50K/FSD50K.ground_truth",
        ),
        Archive(
            _FILES + "dev_audio.zip",
            "md5:c480d119b8f7a7e32fdb58f3ea4d6c5a",
            size=2_306_663_327,
            folder="FSD50K/FSD50K.dev_audio",
            parts=(
                Archive(_FILES + "dev_audio.z01", "md5:faa7cf4cc076fc34a44a479a5ed862a3", _PART),
                Archive(_FILES + "dev_audio.z02", "md5:8f9b66153e68571164fb1315d00bc7bc", _PART),
                Archive(_FILES + "dev_audio.z03", "md5:1196ef47d267a993d30fa98af54b7159", _PART),
                Archive(_FILES + "dev_audio.z04", "md5:d088ac4e11ba53daf9f7574c11cccac9", _PART),
                Archive(_FILES + "dev_audio.z05", "md5:81356521aa159accd3c35de22da28c7f", _PART),
            ),
        ),
    )

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
