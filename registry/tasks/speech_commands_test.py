"""The 12-class test set of Speech Commands, cross-validated."""

import re
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from registry.errors import Mistake
from registry.settings import Settings
from registry.tasks import Archive, Clip, Task, require_files
from registry.tasks._files import sizes
from registry.tasks._tables import read_table, require_distinct

_SPEAKER = re.compile(r"(?:^|_)([0-9a-f]+)_nohash_")


class SpeechCommandsTest(Task):
    """4,890 recordings of 1 s in 12 classes, 16 kHz mono: the test archive of version 0.02, in 5 folds of ours.

    The classes are ten words, ``_unknown_`` (other words) and ``_silence_``. Officially the archive is only for
    testing. Here it is a small task by itself, so its figures cannot be compared with published ones. A speaker is in
    one fold only. The recordings that silences were cut from are not known, so each silence counts as a source. If the
    folder holds a file ``folds.csv`` (columns filename and fold), it gives the folds; else the seed draws them.
    """

    source: ClassVar[str] = "Warden 2018; the folds are ours"
    url = "http://download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz"
    licence = "CC BY 4.0"
    folders = ("speech_commands_test_set_v0.02",)
    classes = ("_silence_", "_unknown_", "down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
    folds = (1, 2, 3, 4, 5)
    archives = (
        Archive(
            url,
            "sha256:cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
            size=112_563_277,
            folder="speech_commands_test_set_v0.02",
        ),
    )

    class Config(Settings):
        seed: int = Field(0, ge=0, description="of the folds, where the folder has no folds.csv")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.seed = config.seed

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        there = {f"{word}/{name}": size for word in self.classes for name, size in sizes(folder / word).items()}
        missing = set(self.classes) - {name.partition("/")[0] for name in there}
        if missing:
            raise Mistake(
                f"the recordings of {len(missing)} of 12 classes are missing: {', '.join(sorted(missing)[:5])}",
                where=str(folder),
                fix="extract the archive again",
            )
        table = folder / "folds.csv"
        folds = self._listed(table) if table.is_file() else self._made(list(there))
        clips = [self._clip(folder, name, fold, there.get(name, -1)) for name, fold in folds.items()]
        return require_files(clips, folder)

    @classmethod
    def source_of(cls, clip_id: str) -> str:
        """The speaker, or the clip's name where there is no speaker."""
        match = _SPEAKER.search(clip_id.partition("/")[2])
        return match[1] if match else clip_id

    def _listed(self, table: Path) -> dict[str, int]:
        """The folds that a table gives."""
        rows = read_table(table, ("filename", "fold"), "the table of the folds is", "leave folds.csv out")
        require_distinct(rows, "filename", table.parent)
        for row in rows:
            word = row["filename"].partition("/")[0]
            if word not in self.classes:
                raise Mistake(f"{row['filename']} is in none of the 12 classes' folders", where=row.where)
        return {row["filename"]: row.number("fold", self.folds) for row in rows}

    def _made(self, names: list[str]) -> dict[str, int]:
        """Deals the speakers, and then the silences, to the folds in turn, in the order of their hashes."""
        sources = {self.source_of(name): name.startswith("_silence_") for name in names}
        ranked = sorted(sources, key=lambda source: (sources[source], self._hash(source)))
        fold_of = {source: rank % len(self.folds) + 1 for rank, source in enumerate(ranked)}
        return {name: fold_of[self.source_of(name)] for name in names}

    def _hash(self, source: str) -> bytes:
        return sha256(f"{self.seed} {source}".encode()).digest()

    def _clip(self, folder: Path, name: str, fold: int, size: int) -> Clip:
        label = self.classes.index(name.partition("/")[0])
        return Clip(name, label, fold, self.source_of(name), folder / name, size)
