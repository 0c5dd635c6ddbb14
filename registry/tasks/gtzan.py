"""GTZAN: music genres."""

import warnings
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from registry.settings import Settings
from registry.tasks import Clip, Task, require_files
from registry.tasks._files import sizes
from registry.tasks._tables import read_table

_UNREADABLE = "jazz.00054"  # in the copy on Kaggle
_SPLITS = {"train": 0, "test": 1, "valid": 2}


class Gtzan(Task):
    """1000 recordings of 30 s in 10 genres, 100 each, 22.05 kHz mono; no official folds, so a choice of splits.

    ``10-fold`` (PANNs, X-ARES) is our own split, stratified and drawn by the seed: names are ranked by their hashes, so
    that a seed gives the same folds everywhere. The other splits are lists, in ``gtzan_SPLIT.csv`` beside this file.
    ``70-15-15`` has the proportions of Lin 2022, whose list is not published; it is our own, stratified and drawn by
    the same rule, and a seed other than 0 draws another list. ``filtered``, after Kereliuk et al. 2015, has 443
    recordings to train, 197 to validate and 290 to test, without repeats, and no artist in two of these. ``stratified``
    has 500, 250 and 250, from the same authors' code. Figures from different splits are not comparable: except in
    ``filtered``, repeats and artists leak.

    In these lists the test recordings are fold 1, validation fold 2 and training fold 0. Only fold 1 is tested; the
    other folds train, validation included.

    The official archive is no longer served. ``jazz.00054`` is unreadable in the copy on Kaggle. Where it is unreadable
    or missing, it is left out with a warning, and the folds of the other recordings stay the same.
    """

    source: ClassVar[str] = (
        "Tzanetakis & Cook 2002; filtered split: Kereliuk et al. 2015, as in torchaudio 2.11; stratified split: "
        "github.com/coreyker/dnn-mgr, gtzan/*_stratified.txt"
    )
    url = "https://www.kaggle.com/datasets/andradaolteanu/gtzan-dataset-music-genre-classification"
    licence = "none given"
    folders = ("genres", "genres_original", "GTZAN")
    classes = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
    folds = tuple(range(1, 11))

    class Config(Settings):
        split: Literal["10-fold", "filtered", "70-15-15", "stratified"] = Field(
            "10-fold", description="which recordings test"
        )
        seed: int = Field(0, ge=0, description="of 10-fold; of 70-15-15 0 is its list; the others are one list each")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.split, self.seed = config.split, config.seed
        self.folds = Gtzan.folds if config.split == "10-fold" else (1,)
        self.fold_of = self._folds()
        self.counts = {
            fold: tuple(sum(self.fold_of.get(name) == fold for name in _names(genre)) for genre in self.classes)
            for fold in sorted(set(self.fold_of.values()))
        }

    @property
    def official_folds(self) -> tuple[int, ...]:
        return self.folds

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        folder = next((folder / name for name in self.folders if (folder / name).is_dir()), folder)
        clips = []
        for label, genre in enumerate(self.classes):
            there = sizes(folder / genre)
            for name in _names(genre):
                if name in self.fold_of:
                    file = f"{name}.au" if f"{name}.au" in there else f"{name}.wav"
                    path = folder / genre / file
                    clips.append(Clip(f"{genre}/{file}", label, self.fold_of[name], name, path, there.get(file, -1)))
        return require_files([clip for clip in clips if clip.source != _UNREADABLE or self._reads(clip)], folder)

    @classmethod
    def source_of(cls, clip_id: str) -> str:
        return Path(clip_id).stem

    def _folds(self) -> dict[str, int]:
        """The fold of each recording that the split uses."""
        ten = self.split == "10-fold"
        if not ten and not (self.split == "70-15-15" and self.seed):
            table = Path(__file__).parent / f"gtzan_{self.split}.csv"
            return {row["track"]: _SPLITS[row["split"]] for row in read_table(table, ("track", "split"), "a split is")}
        ranked = [sorted(_names(genre), key=self._hash) for genre in self.classes]
        return {
            name: rank // 10 + 1 if ten else {0: 1, 1: 2}.get(rank // 15, 0)
            for names in ranked
            for rank, name in enumerate(names)
        }

    def _hash(self, name: str) -> bytes:
        return sha256(f"{self.seed} {name}".encode()).digest()

    def _reads(self, clip: Clip) -> bool:
        try:
            reads = len(self.read(clip)[0]) > 0
        except RuntimeError:
            reads = False
        if not reads:
            warnings.warn(f"GTZAN's {clip.id} is unreadable or missing, and is left out", stacklevel=2)
        return reads


def _names(genre: str) -> list[str]:
    return [f"{genre}.{number:05}" for number in range(100)]
