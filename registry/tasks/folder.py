"""A user's own recordings."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from registry.decode import endings
from registry.errors import Mistake
from registry.settings import Later, Settings
from registry.tasks import Clip, Task, require_files, told_unused
from registry.tasks._files import composed, count_unused, size_of, sizes
from registry.tasks._folds import even, stratified, stratified_in_groups
from registry.tasks._parquet import in_parquet
from registry.tasks._recording import Recording, files_named, recording_of, require_alike
from registry.tasks._tables import read_table, require_distinct
from registry.tasks._webdataset import in_tars


class Folder(Task):
    """Your own recordings: a table of them, a folder for each class, tars, or Parquet files.

    ``table`` is a CSV file in the folder (UTF-8; cells separated by commas, semicolons or tabs). Every row is a
    recording. The column ``path`` is the file's path below the folder, without ``..``; links are followed. The column
    ``label`` is a label, or several separated by ``;`` (if any row has several, mean average precision is measured). In
    place of ``label``, a column ``value`` may hold a number (mean absolute error is measured). A column ``source`` may
    name what must not be split: the original recording, the speaker, the place. One of the columns ``fold`` and
    ``split`` may be there, too. Without ``table``, every subfolder is a class, and every sound file in it a recording.

    ``table`` may also be a pattern that names tars of the format webdataset, or Parquet files of Hugging Face's
    ``datasets``: ``wds-audio-*.tar``, ``data/*.parquet`` (in quotes, if it begins with a star). They have the columns
    of a table: the JSON of a sample has them as fields (a ``.cls`` or ``.txt`` is a label alone), a Parquet file has
    them beside the column of sounds. ``label`` names the one with the label, where it is called otherwise. Several
    labels may be a list. If neither fold nor split is among them, the files' names tell them (``fold-1``, ``train``,
    ``valid``, ``test``, ...), unless all tell the same. Sounds are read where they lie, and nothing is extracted.

    ``fold`` is a number from 1 to ``folds``: each fold is tested once while all the others train; fold 0 always trains.
    ``split`` is train, validation or test, and needs ``folds: 1``: test is tested, and both others train. Without these
    columns, folds are made, with every source in one fold: stratified by label (if a clip has several, by its rarest
    label), or, for numbers, with equally many sources in each fold. The classes are the labels in alphabetical order.
    """

    source: ClassVar[str] = "audiobench"
    licence = "your own"
    classes: tuple[str, ...] = ()  # of a task, once its clips are listed
    target = ""  # known once the clips are listed, too
    folds = tuple(range(1, 6))

    class Config(Settings):
        path: str = Field(min_length=1, description="the folder; a relative one lies below --data")
        table: str | None = Field(
            None,
            description="CSV, or names of tars or Parquet files (wds-*.tar); without it every subfolder is a class",
        )
        label: Later[str] = Field("label", min_length=1, description="the column, or JSON's field, of the label")
        folds: int = Field(5, ge=1, le=1000, description="how many are tested: made, or numbered by the table")
        seed: int = Field(0, ge=0, description="of the folds, where the table has none")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.path, self.seed = Path(config.path).expanduser(), config.seed
        self.table, self.label = config.table, config.label
        self.folds = tuple(range(1, config.folds + 1))

    @property
    def official_folds(self) -> tuple[int, ...]:
        return self.folds

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        where = folder / self.table if self.table else folder
        rows = self.recordings(folder)
        if not rows:
            raise Mistake(
                "no recordings are listed",
                where=str(where),
                fix=told_unused(self.unused) + self._offer() or "one folder a class, or name a table",
            )
        require_alike(rows, where)
        self.classes = tuple(sorted({label for row in rows for label in row.labels}))
        self.target = _target_of(rows)
        rows = self._made(rows, where) if rows[0].fold is None else self._given(rows, where)
        files = {parent: sizes(parent) for parent in {(folder / row.path).parent for row in rows if not row.inside}}
        return require_files([self._clip(folder, row, files) for row in rows], folder)

    def recordings(self, folder: Path) -> list[Recording]:
        """The recordings in the folder, without folds if none are given; ``unused`` counts the files that are none."""
        ending = Path(self.table or "").suffix.lower()
        self.unused = {}
        if self.table is None:
            rows = list(_from_folders(folder))
            self.unused = count_unused(folder, {row.path for row in rows})
        elif ending == ".tar":
            rows, self.unused = in_tars(folder, files_named(folder, self.table), self.label)
        elif ending == ".parquet":
            rows = in_parquet(folder, files_named(folder, self.table), self.label)
        else:
            rows = list(_from_table(folder / self.table, folder, self.label))
        return rows

    def _offer(self) -> str:
        """How to read what was not read because no table names it; empty if there is nothing of that kind."""
        endings = [ending for ending in (".tar", ".parquet") if any(place.endswith(ending) for place in self.unused)]
        return f"; to read them, table: '*{endings[0]}'" if endings else ""

    def locate(self, data: Path | None) -> Path:
        if data is None and not self.path.is_absolute():
            raise Mistake(
                f"{self.path} lies below --data, and none is given", fix="add --data DIR, or give a full path"
            )
        folder = (data or Path()) / self.path
        if not folder.is_dir():
            raise Mistake(f"the folder {folder} does not exist", fix="give path: a folder of recordings")
        return folder

    def _given(self, rows: list["Recording"], where: Path) -> list["Recording"]:
        """The rows, if the table's folds are the folds that the suite asks for."""
        tested = {row.fold for row in rows if row.fold and row.split != "validation"}
        if tested != set(self.folds):
            from_zero = any(row.fold == 0 for row in rows) and not rows[0].split
            fix = f"folds: {len(tested)}" if tested == set(range(1, len(tested) + 1)) else "number them from 1 on"
            raise Mistake(
                f"{len(self.folds)} folds are asked for, 1 to {len(self.folds)}, and the table has "
                + (", ".join(map(str, sorted(tested))) or "none")
                + (", and 0, which only ever trains" if from_zero else ""),
                where=str(where),
                fix="number them from 1 on" + f", or {fix}, if fold 0 is not to be tested" * (fix[0] == "f")
                if from_zero
                else fix,
            )
        if len({row.fold for row in rows}) == 1:
            raise Mistake("every recording is in the only fold, so that none trains", where=str(where))
        return rows

    def _made(self, rows: list["Recording"], where: Path) -> list["Recording"]:
        """The rows with folds that are drawn by the seed."""
        if len(self.folds) < 2:
            raise Mistake(
                "one fold alone cannot be made: nothing would train", where=str(where), fix="folds: 2 or more"
            )
        if self.target == "number":
            return self._even(rows, where)
        of_label = defaultdict(set)
        for row in rows:
            for label in row.labels:
                of_label[label].add(row.source)
        fewest, sources = min(of_label.items(), key=lambda item: len(item[1]))
        if len(sources) < len(self.folds):
            raise Mistake(
                f"{len(self.folds)} folds cannot be made: {fewest!r} has {len(sources)} independent recordings",
                where=str(where),
                fix=f"folds: 2 to {len(sources)}" if len(sources) > 1 else "record more of it, or leave the class out",
            )
        labels = [min(row.labels, key=lambda label: (len(of_label[label]), label)) for row in rows]
        groups = [row.source for row in rows]
        if len(set(groups)) < len(groups):
            fold_N = stratified_in_groups(labels, groups, len(self.folds), self.seed)
        else:
            fold_N = stratified(labels, len(self.folds), self.seed)
        return [replace(row, fold=fold + 1) for row, fold in zip(rows, fold_N.tolist(), strict=True)]

    def _even(self, rows: list["Recording"], where: Path) -> list["Recording"]:
        """The rows with random folds of equally many sources."""
        sources = sorted({row.source for row in rows})
        if len(sources) < len(self.folds):
            raise Mistake(
                f"{len(self.folds)} folds cannot be made of {len(sources)} independent recordings",
                where=str(where),
                fix=f"folds: 2 to {len(sources)}" if len(sources) > 1 else "record more",
            )
        fold_of = dict(zip(sources, even(len(sources), len(self.folds), self.seed).tolist(), strict=True))
        return [replace(row, fold=fold_of[row.source] + 1) for row in rows]

    def _clip(self, folder: Path, row: "Recording", files: dict[Path, dict[str, int]]) -> Clip:
        assert row.fold is not None
        if row.inside:
            return Clip(row.path, self._label(row), row.fold, row.source, row.inside.path, row.size, row.inside)
        path = folder / row.path
        size = files[path.parent].get(path.name, -1)
        if size < 0:  # a hidden file, or a name that the disk spells otherwise
            path, size = size_of(folder, row.path)
        return Clip(row.path, self._label(row), row.fold, row.source, path, size)

    def _label(self, row: "Recording") -> int | tuple[int, ...] | float:
        if row.value is not None:
            return row.value
        indices = tuple(sorted(self.classes.index(label) for label in row.labels))
        return indices if self.target == "several-labels" else indices[0]


def _target_of(rows: Sequence["Recording"]) -> str:
    if rows[0].value is not None:
        return "number"
    return "several-labels" if any(len(row.labels) > 1 for row in rows) else "one-label"


def _from_folders(folder: Path) -> Iterator[Recording]:
    sound = endings()
    for of_class in sorted(folder.iterdir()):
        for name in sizes(of_class) if of_class.name[0] != "." else ():
            if Path(name).suffix.lower() in sound:
                path = f"{of_class.name}/{name}"
                yield Recording(path, (composed(of_class.name),), path)


def _from_table(table: Path, folder: Path, label: str) -> Iterator[Recording]:
    name, fix = "the table of the recordings is", "give table: a CSV in the folder"
    rows = read_table(table, ("path",), name, fix, either=(label, "value"))
    if "fold" in rows[0] and "split" in rows[0]:
        where = str(table)
        raise Mistake("the table has both a column fold and a column split", where=where, fix="keep one")
    require_distinct(rows, "path", folder)
    return (recording_of(row, row.filled("path"), label) for row in rows)
