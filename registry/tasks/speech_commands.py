"""Speech Commands: 35 spoken words."""

from pathlib import Path
from typing import ClassVar

from registry.errors import Mistake
from registry.tasks import Archive, Clip, Task, require_files
from registry.tasks._files import sizes
from registry.tasks._tables import read_lines

_CLASSES = (
    "backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one "
    "right seven sheila six stop three tree two up visual wow yes zero"
).split()


class SpeechCommands(Task):
    """105,829 spoken words of up to 1 s in 35 classes, 16 kHz mono, in one official split; version 0.02.

    Fold 1 is the official test list (``testing_list.txt``), and only this fold is tested. Fold 0 holds all other
    recordings, including those of ``validation_list.txt``, and always trains. No speaker is in both folds. The noises
    of ``_background_noise_`` are left out.
    """

    source: ClassVar[str] = "Warden 2018"
    url = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
    licence = "CC BY 4.0"
    folders = ("speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02")
    classes = tuple(_CLASSES)
    folds = (1,)
    counts = {0: (94_824,), 1: (11_005,)}
    archives = (
        Archive(
            url,
            "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            size=2_428_923_189,
            folder="speech_commands_v0.02",
        ),
    )

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        named = {fold: self._named(folder / f"{name}_list.txt") for fold, name in ((0, "validation"), (1, "testing"))}
        there = {f"{word}/{name}": size for word in self.classes for name, size in sizes(folder / word).items()}
        silent = set(self.classes) - {name.partition("/")[0] for name in there}
        if silent:
            raise Mistake(
                f"the recordings of {len(silent)} of 35 words are missing: {', '.join(sorted(silent)[:5])}",
                where=str(folder),
                fix="extract the archive again",
            )
        names = sorted(named[0] | named[1] | {name for name in there if name.endswith(".wav")})
        clips = [self._clip(folder, name, int(name in named[1]), there.get(name, -1)) for name in names]
        return require_files(clips, folder)

    @classmethod
    def source_of(cls, clip_id: str) -> str:
        """The speaker."""
        return Path(clip_id).name.partition("_nohash_")[0]

    def _named(self, path: Path) -> set[str]:
        """The recordings that an official list names."""
        listed = set()
        for where, (name, *_) in read_lines(
            path, "an official list of Speech Commands is", "extract the archive again"
        ):
            if name.partition("/")[0] not in self.classes:
                raise Mistake(f"{name} is in none of the 35 words' folders", where=where)
            listed.add(name)
        return listed

    def _clip(self, folder: Path, name: str, fold: int, size: int) -> Clip:
        label = self.classes.index(name.partition("/")[0])
        return Clip(name, label, fold, self.source_of(name), folder / name, size)
