"""FSD50K: sounds of 200 classes, several labels a clip."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from registry.settings import Settings
from registry.tasks import Archive, Clip, Task, require_files
from registry.tasks._files import sizes
from registry.tasks._tables import TableRow, read_table, require_distinct

_FILES = "https://zenodo.org/records/4060432/files/FSD50K."
_PIECE = 3 * 2**30  # bytes of every piece of a split archive, except the last
_FOLDS = {"train": 0, "val": 2}
_TRUTH = Archive(
    _FILES + "ground_truth.zip",
    "md5:ca27382c195e37d2269c4c866dd73485",
    size=334_701,
    folder="FSD50K/FSD50K.ground_truth",
)
_DEVELOPMENT = Archive(
    _FILES + "dev_audio.zip",
    "md5:c480d119b8f7a7e32fdb58f3ea4d6c5a",
    size=2_306_663_327,
    folder="FSD50K/FSD50K.dev_audio",
    pieces=(
        Archive(_FILES + "dev_audio.z01", "md5:faa7cf4cc076fc34a44a479a5ed862a3", _PIECE),
        Archive(_FILES + "dev_audio.z02", "md5:8f9b66153e68571164fb1315d00bc7bc", _PIECE),
        Archive(_FILES + "dev_audio.z03", "md5:1196ef47d267a993d30fa98af54b7159", _PIECE),
        Archive(_FILES + "dev_audio.z04", "md5:d088ac4e11ba53daf9f7574c11cccac9", _PIECE),
        Archive(_FILES + "dev_audio.z05", "md5:81356521aa159accd3c35de22da28c7f", _PIECE),
    ),
)
_EVALUATION = Archive(
    _FILES + "eval_audio.zip",
    "md5:6fa47636c3a3ad5c7dfeba99f2637982",
    size=3_037_675_767,
    folder="FSD50K/FSD50K.eval_audio",
    pieces=(Archive(_FILES + "eval_audio.z01", "md5:3090670eaeecc013ca1ff84fe4442aeb", _PIECE),),
)


class Fsd50k(Task):
    """51,197 recordings of 0.3 to 30 s in 200 classes, several a clip, 44.1 kHz mono, in one official split.

    Only fold 1, the evaluation set, is tested; both splits of the development set train, ``train`` (fold 0) and ``val``
    (fold 2). ``part: dev`` leaves the evaluation set out, so that nothing is tested: a corpus of 40,966 clips. Names of
    clips are Freesound ids. Lin 2022 pretrains on FSD50K and does not say on which set.
    """

    source: ClassVar[str] = "Fonseca et al. 2020; Zenodo 4060432"
    url = "https://zenodo.org/records/4060432"
    licence = "CC BY as a whole; each clip its own: CC0, CC BY, CC BY-NC or Sampling+"
    folders = ("FSD50K",)
    freesound = True
    classes: tuple[str, ...] = ()  # of a task, once its clips are listed
    folds: tuple[int, ...] = (1,)
    target = "several-labels"
    counts = {0: (36_796,), 1: (10_231,), 2: (4_170,)}  # 0 and 2 from memory; their sum, 40,966, is stated
    archives: tuple[Archive, ...] = (_TRUTH, _DEVELOPMENT, _EVALUATION)

    class Config(Settings):
        part: Literal["all", "dev"] = Field("all", description="dev: the development part alone, as a corpus")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.sets = ("dev",) if config.part == "dev" else ("dev", "eval")
        if config.part == "dev":
            self.folds, self.archives = (), type(self).archives[:2]

    def clips(self, data: Path | None) -> list[Clip]:
        folder = self.locate(data)
        rows = [(of_set, row) for of_set in self.sets for row in _table(folder, of_set)]
        labels = [[label.strip() for label in row.filled("labels").split(",")] for _, row in rows]
        self.classes = tuple(sorted({label for of_clip in labels for label in of_clip}))
        number = {label: i for i, label in enumerate(self.classes)}
        there = {of_set: sizes(folder / f"FSD50K.{of_set}_audio") for of_set in self.sets}
        clips = []
        for (of_set, row), of_clip in zip(rows, labels, strict=True):
            name = f"{row['fname']}.wav"
            label = tuple(sorted(number[label] for label in of_clip))
            fold = 1 if of_set == "eval" else _FOLDS[row.one_of("split", _FOLDS)]
            path = folder / f"FSD50K.{of_set}_audio" / name
            clips.append(Clip(name, label, fold, row["fname"], path, there[of_set].get(name, -1)))
        return require_files(clips, folder)

    @classmethod
    def source_of(cls, clip_id: str) -> str:
        return Path(clip_id).stem


def _table(folder: Path, of_set: str) -> list[TableRow]:
    columns = ("fname", "labels") if of_set == "eval" else ("fname", "labels", "split")
    path = folder / "FSD50K.ground_truth" / f"{of_set}.csv"
    rows = read_table(path, columns, "the ground truth of FSD50K is", "extract ground_truth.zip")
    require_distinct(rows, "fname", folder / f"FSD50K.{of_set}_audio")
    return rows
