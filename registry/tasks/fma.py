"""FMA: music genres."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from registry.errors import Mistake
from registry.settings import Settings
from registry.tasks import Archive, Clip, Task, require_files
from registry.tasks._files import sizes
from registry.tasks._tables import TableRow, read_lines, require_distinct

_SIZES = ("small", "medium", "large")  # each holds the one before
_FOLDS = {"training": 0, "test": 1, "validation": 2}
_COLUMNS = {
    "split": ("set", "split"),
    "subset": ("set", "subset"),
    "genre": ("track", "genre_top"),
    "artist": ("artist", "id"),
}
_SMALL = ("Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental", "International", "Pop", "Rock")
_ALL = (
    "Blues",
    "Classical",
    "Country",
    "Easy Listening",
    "Electronic",
    "Experimental",
    "Folk",
    "Hip-Hop",
    "Instrumental",
    "International",
    "Jazz",
    "Old-Time / Historic",
    "Pop",
    "Rock",
    "Soul-RnB",
    "Spoken",
)
_CHECKSUMS = {
    "metadata": "sha1:f0df49ffe5f2a6008d7dc83c6915b31835dfe733",
    "small": "sha1:ade154f733639d52e35e32f5593efe5be76c6d70",
    "medium": "sha1:c67b69ea232021025fca9231fc1c7c1a063ab50b",
    "large": "sha1:497109f4dd721066b5ce5e5f250ec604dc78939e",
}
# Pieces in all, by fold. How many pieces of the large set have a top genre is not stated.
_COUNTS: dict[str, dict[int, tuple[int, ...]]] = {
    "small": {0: (6_400,), 1: (800,), 2: (800,)},
    "medium": {0: (19_922,), 1: (2_573,), 2: (2_505,)},
    "large": {},
}


def _archives(size: str) -> tuple[Archive, ...]:
    host = "https://os.unil.cloud.switch.ch/fma"
    return tuple(
        Archive(f"{host}/fma_{name}.zip", _CHECKSUMS[name], folder=f"FMA/fma_{name}") for name in ("metadata", size)
    )


class Fma(Task):
    """8,000 (small) to 106,574 (large) pieces of music of 30 s in 8 or 16 top genres, in one official split; MP3.

    Small has 8 genres of 1000 pieces, medium has 16 genres of different sizes, and large has the same 16, without the
    pieces that have no top genre. Only fold 1, the official test split, is tested; the training split (fold 0) and the
    validation split (fold 2) both train. No artist is in two splits.

    Six pieces of the small set are much shorter than 30 s (098565, 098567, 098569, 099134, 108925, 133297), and the
    last three hold no audio; in the large set many more do not decode. None is left out here: a run stops and names the
    pieces that it cannot use. With ``--skip-bad`` it goes on without them and puts their names into its record. MP3
    needs libsndfile 1.1 or newer, which soundfile's wheels include.
    """

    source: ClassVar[str] = "Defferrard et al. 2017; github.com/mdeff/fma"
    url = "https://github.com/mdeff/fma"
    licence = "metadata CC BY 4.0; each piece its artist's choice"
    folders = ("FMA", "fma")
    classes: tuple[str, ...] = _SMALL
    folds = (1,)

    class Config(Settings):
        size: Literal["small", "medium", "large"] = Field("small", description="which of the nested sets")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.size = config.size
        self.classes = _SMALL if config.size == "small" else _ALL
        self.archives = _archives(config.size)
        self.counts = _COUNTS[config.size]

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        audio = folder / f"fma_{self.size}"
        if not audio.is_dir():
            raise Mistake(
                f"the {self.size} set of FMA is missing", where=str(audio), fix=f"extract fma_{self.size}.zip there"
            )
        subsets = _SIZES[: _SIZES.index(self.size) + 1]
        there = {f"{below.name}/{name}": size for below in audio.iterdir() for name, size in sizes(below).items()}
        rows = [
            row for row in _read(folder / "fma_metadata" / "tracks.csv") if row["subset"] in subsets and row["genre"]
        ]
        require_distinct(rows, "track", audio)
        clips = []
        for row in rows:
            track = row.number("track")
            name = f"{track // 1000:03}/{track:06}.mp3"
            label = self.classes.index(row.one_of("genre", self.classes))
            fold = _FOLDS[row.one_of("split", _FOLDS)]
            clips.append(Clip(name, label, fold, row["artist"], audio / name, there.get(name, -1)))
        return require_files(clips, audio)


def _read(path: Path) -> Iterator[TableRow]:
    """Rows with the needed columns. The file's head has three lines: two name the columns, the third the index."""
    lines = read_lines(path, "the metadata of FMA are", "extract fma_metadata.zip")
    (where, upper), (_, lower) = next(lines), next(lines, ("", []))
    head = list(zip(upper, lower, strict=False))
    lacking = [" ".join(column) for column in _COLUMNS.values() if column not in head]
    if lacking:
        raise Mistake(f"tracks.csv lacks the columns {', '.join(lacking)}", where=where, fix="extract it again")
    places = {"track": 0, **{name: head.index(column) for name, column in _COLUMNS.items()}}
    for where, cells in lines:
        if len(cells) != len(upper):
            what = f"the line has {len(cells)} cells, and the head has {len(upper)}"
            raise Mistake(what, where=where, fix="extract it again")
        if cells[0] != "track_id":
            yield TableRow({name: cells[place] for name, place in places.items()}, where)
