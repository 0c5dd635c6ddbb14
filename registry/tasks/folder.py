"""A user's own recordings."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from registry.decode import endings
from registry.errors import Mistake
from registry.settings import Settings
from registry.tasks import Clip, Task, require_files, told_unused
from registry.tasks._files import composed, count_unused, size_of, sizes
from registry.tasks._tables import Row, read_table, require_distinct

_PARTS = {"train": 0, "test": 1, "validation": 2}


class Folder(Task):
    """Your own recordings: a table of them, or a folder for each class.

    With ``table``, a CSV file in the folder (UTF-8; commas, semicolons or tabs between), every row is a recording:
    ``path`` (below the folder) and ``label``, or several separated by ``;`` (if any row has several, every clip may:
    mean average precision is measured), or in place of ``label`` a number as ``value`` (mean absolute error is
    measured); and if wanted ``source`` (what must not be split: the recording it was cut from, the speaker, the place)
    and either ``fold`` or ``split``. Without it every subfolder is a class, and every sound file in it a recording.

    ``fold`` numbers 1 to ``folds``: each is tested once while all the others train; fold 0 only ever trains. ``split``
    says train, validation or test, and needs ``folds: 1``: the test part is tested, and both others train. With
    neither, folds are made: stratified by label (of several, by the rarest), or of as many sources each where there are
    numbers, every source within one of them. The classes are the labels in alphabetical order.
    """

    source: ClassVar[str] = "audiobench"
    licence = "your own"
    classes: tuple[str, ...] = ()  # of a task, once its clips are listed
    target = ""  # likewise
    folds = tuple(range(1, 6))

    class Config(Settings):
        path: str = Field(min_length=1, description="the folder; a relative one lies below --data")
        table: str | None = Field(None, description="CSV in the folder; without one every subfolder is a class")
        folds: int = Field(5, ge=1, le=1000, description="how many are tested: made, or numbered by the table")
        seed: int = Field(0, ge=0, description="of the folds, where the table has none")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.path, self.table, self.seed = Path(config.path).expanduser(), config.table, config.seed
        self.folds = tuple(range(1, config.folds + 1))

    @property
    def official_folds(self) -> tuple[int, ...]:
        return self.folds

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        where = folder / self.table if self.table else folder
        rows = list(_from_table(where, folder) if self.table else _from_folders(folder))
        self.unused = {} if self.table else count_unused(folder, {row.path for row in rows})
        if not rows:
            raise Mistake(
                "no recordings are listed",
                where=str(where),
                fix=told_unused(self.unused) or "one folder a class, or name a table",
            )
        self.classes = tuple(sorted({label for row in rows for label in row.labels}))
        self.target = _target_of(rows)
        rows = self._made(rows, where) if rows[0].fold is None else self._given(rows, where)
        files = {parent: sizes(parent) for parent in {(folder / row.path).parent for row in rows}}
        return require_files([self._clip(folder, row, files) for row in rows], folder)

    def locate(self, data: Path | None) -> Path:
        if data is None and not self.path.is_absolute():
            raise Mistake(
                f"{self.path} lies below --data, and none is given", fix="add --data DIR, or give a full path"
            )
        folder = (data or Path()) / self.path
        if not folder.is_dir():
            raise Mistake(f"the folder {folder} does not exist", fix="give path: a folder of recordings")
        return folder

    def _given(self, rows: list["_Row"], where: Path) -> list["_Row"]:
        """The rows, if the table's folds are those that are asked for."""
        tested = {row.fold for row in rows if row.fold and row.part != "validation"}
        if tested != set(self.folds):
            from_zero = any(row.fold == 0 for row in rows) and not rows[0].part
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

    def _made(self, rows: list["_Row"], where: Path) -> list["_Row"]:
        """The rows with folds from the seed."""
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

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
            grouped = StratifiedGroupKFold(len(self.folds), shuffle=True, random_state=self.seed)
            parts = grouped.split(rows, labels, groups)
        else:
            parts = StratifiedKFold(len(self.folds), shuffle=True, random_state=self.seed).split(rows, labels)
        fold_of = {int(i): fold for fold, (_, held_out) in enumerate(parts, 1) for i in held_out}
        return [replace(row, fold=fold_of[i]) for i, row in enumerate(rows)]

    def _even(self, rows: list["_Row"], where: Path) -> list["_Row"]:
        """The rows with folds of as many sources each, at random."""
        from sklearn.model_selection import KFold

        sources = sorted({row.source for row in rows})
        if len(sources) < len(self.folds):
            raise Mistake(
                f"{len(self.folds)} folds cannot be made of {len(sources)} independent recordings",
                where=str(where),
                fix=f"folds: 2 to {len(sources)}" if len(sources) > 1 else "record more",
            )
        parts = KFold(len(self.folds), shuffle=True, random_state=self.seed).split(sources)
        fold_of = {sources[i]: fold for fold, (_, held_out) in enumerate(parts, 1) for i in held_out}
        return [replace(row, fold=fold_of[row.source]) for row in rows]

    def _clip(self, folder: Path, row: "_Row", files: dict[Path, dict[str, int]]) -> Clip:
        assert row.fold is not None
        path = folder / row.path
        size = files[path.parent].get(path.name, -1)
        if size < 0:  # hidden, or spelled otherwise
            path, size = size_of(folder, row.path)
        return Clip(row.path, self._label(row), row.fold, row.source, path, size)

    def _label(self, row: "_Row") -> int | tuple[int, ...] | float:
        if row.value is not None:
            return row.value
        indices = tuple(sorted(self.classes.index(label) for label in row.labels))
        return indices if self.target == "several-labels" else indices[0]


def _target_of(rows: Sequence["_Row"]) -> str:
    if rows[0].value is not None:
        return "number"
    return "several-labels" if any(len(row.labels) > 1 for row in rows) else "one-label"


@dataclass(frozen=True)
class _Row:
    """A recording: its path below the folder and what is known of it."""

    path: str
    labels: tuple[str, ...]
    source: str
    value: float | None = None
    fold: int | None = None
    part: str = ""


def _from_folders(folder: Path) -> Iterator[_Row]:
    sound = endings()
    for part in sorted(folder.iterdir()):
        for name in sizes(part) if part.name[0] != "." else ():
            if Path(name).suffix.lower() in sound:
                yield _Row(f"{part.name}/{name}", (composed(part.name),), f"{part.name}/{name}")


def _from_table(table: Path, folder: Path) -> Iterator[_Row]:
    name, fix = "the table of the recordings is", "give table: a CSV in the folder"
    rows = read_table(table, ("path",), name, fix, either=("label", "value"))
    if "fold" in rows[0] and "split" in rows[0]:
        where = str(table)
        raise Mistake("the table has both a column fold and a column split", where=where, fix="keep one")
    require_distinct(rows, "path", folder)
    return map(_row, rows)


def _row(row: Row) -> _Row:
    path = row.filled("path")
    split = row.one_of("split", _PARTS) if "split" in row else ""
    number = row.number("fold") if "fold" in row else _PARTS[split] if split else None
    value = row.real("value") if "value" in row else None
    return _Row(path, _labels(row) if value is None else (), row["source"] or path, value, number, split)


def _labels(row: Row) -> tuple[str, ...]:
    labels = (composed(one.strip()) for one in row.filled("label").split(";") if one.strip())
    distinct = tuple(dict.fromkeys(labels))
    if not distinct:
        raise Mistake("the label is empty", where=row.where)
    return distinct
