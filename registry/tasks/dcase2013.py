"""DCASE 2013: acoustic scenes."""

from collections import Counter
from pathlib import Path
from typing import ClassVar

from registry.errors import Mistake
from registry.tasks import Archive, Clip, Task
from registry.tasks._files import sizes
from registry.tasks._tables import read_lines

_FOLDERS = ("scenes_stereo", "scenes_stereo_testset")
_KEY = "dcase2013_task1_filenamekey.csv"
_HOST = "https://archive.org/download/dcase2013_scene_classification"


class Dcase2013(Task):
    """200 binaural recordings of 30 s in 10 scenes, 44.1 kHz stereo: fold 1 the public part, fold 2 the private one.

    Lin 2022 counts 200 recordings in 2 folds and does not name them; its figures are multiples of 1/200, which fits
    these two parts (a reading, not stated there). The challenge itself cross-validated the private part.

    A file's scene is its name without the last two digits (``busystreet07.wav``). Where names in the private part are
    hidden, the challenge's key gives the original names. Public code reads the key as four columns below a header, the
    fold first and the original name last; the columns between are not known here. So any column may hold the hidden
    name, and the last column holds the original name; a key of two columns works, too.
    """

    source: ClassVar[str] = "Giannoulis et al. 2013; archive.org/details/dcase2013_scene_classification"
    url = "https://archive.org/details/dcase2013_scene_classification"
    licence = "Creative Commons; version not verified"
    folders = ("DCASE2013",)
    classes = (
        "bus",
        "busystreet",
        "office",
        "openairmarket",
        "park",
        "quietstreet",
        "restaurant",
        "supermarket",
        "tube",
        "tubestation",
    )
    folds = (1, 2)
    counts = dict.fromkeys(folds, (10,) * 10)
    archives = (
        Archive(
            f"{_HOST}/scenes_stereo.zip",
            "md5:abdefde136d84de33b0f20a0f13a6b97",
            size=361_748_263,
            folder=f"DCASE2013/{_FOLDERS[0]}",
        ),
        Archive(f"{_HOST}_testset/scenes_stereo_testset.zip", size=371_994_727, folder=f"DCASE2013/{_FOLDERS[1]}"),
        Archive(f"{_HOST}_testset/{_KEY}", size=8_572, folder=f"DCASE2013/{_KEY}"),
    )

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        return [clip for fold in self.folds for clip in self._clips(folder, fold)]

    @classmethod
    def source_of(cls, clip_id: str) -> str:
        return Path(clip_id).name

    def _clips(self, folder: Path, fold: int) -> list[Clip]:
        audio = folder / _FOLDERS[fold - 1]
        if not audio.is_dir():
            raise Mistake(
                f"the {'public' if fold == 1 else 'private'} part of DCASE2013 is missing",
                where=str(audio),
                fix=f"extract {audio.name}.zip there",
            )
        files = {name: size for name, size in sizes(audio).items() if name.lower().endswith(".wav")}
        key = _key(folder) if fold == 2 else {}
        scenes = {name: key.get(Path(name).stem, Path(name).stem)[:-2] for name in files}
        unknown = [name for name, scene in scenes.items() if scene not in self.classes]
        if unknown:
            raise Mistake(
                f"the scene of {len(unknown)} recordings cannot be told from their names: {', '.join(unknown[:5])}",
                where=str(audio),
                fix=f"put {_KEY} into {folder}" if fold == 2 and not key else "extract the archive again",
            )
        count = Counter(scenes.values())
        short = [f"{scene} {count[scene]}" for scene in self.classes if count[scene] != 10]
        if short:
            raise Mistake(
                f"every scene has 10 recordings, and here are: {', '.join(short)}",
                where=str(audio),
                fix="extract the archive again",
            )
        return [
            Clip(f"{audio.name}/{name}", self.classes.index(scenes[name]), fold, name, audio / name, size)
            for name, size in files.items()
        ]


def _key(folder: Path) -> dict[str, str]:
    """The original name of each hidden one, both without extension; empty where there is no key."""
    path = folder / _KEY
    if not path.is_file():
        return {}
    lines = read_lines(path, "the key of DCASE2013 is", "extract it again, or leave it out")
    rows = [[Path(cell).stem for cell in cells] for _, cells in lines]
    return {cell: row[-1] for row in rows for cell in row}
