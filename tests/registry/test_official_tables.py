"""What tasks list and ship, against the official tables in full; made files stand for the recordings."""

import csv
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.registry._recordings import copies, counted, sound, write
from tests.registry.test_tasks import task

pytestmark = pytest.mark.real


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, skipinitialspace=True))


@pytest.fixture
def audioset(metadata: Path, tmp_path: Path) -> Path:
    """The tables of AudioSet, with one line above them in the place of Google's three, and some of the recordings."""
    folder = tmp_path / "AudioSet"
    folder.mkdir()
    for name in ("balanced_train_segments.csv", "eval_segments.csv", "class_labels_indices.csv"):
        (folder / name).symlink_to(metadata / f"audioset_{name}")
    sound(tmp_path / "one.wav")
    for part in ("balanced_train", "eval"):
        rows = rows_of(folder / f"{part}_segments.csv")
        names = [f"{row['YTID']}_{row['start_seconds']}" if i % 2 else f"Y{row['YTID']}" for i, row in enumerate(rows)]
        copies(tmp_path / "one.wav", [folder / part / f"{name}.wav" for name in names[::400]])
    return tmp_path


def test_audioset_lists_its_real_tables(audioset: Path) -> None:
    made = task("audioset")
    clips = made.clips(audioset)
    trained, tested = ([clip for clip in clips if clip.fold == fold] for fold in (0, 1))
    assert (len(trained), len(tested)) == (56, 51)
    assert len(clips) + made.missing == 22_160 + 20_371
    assert len(made.classes) == 527
    assert (made.classes[0], made.classes[1], made.classes[526]) == (
        "Speech",
        "Male speech, man speaking",
        "Field recording",
    )
    machine_ids = {row["display_name"]: row["mid"] for row in rows_of(audioset / "AudioSet/class_labels_indices.csv")}
    for part, own in (("balanced_train", trained), ("eval", tested)):
        rows = rows_of(audioset / "AudioSet" / f"{part}_segments.csv")[::400]
        told = [(clip.source, {machine_ids[name] for name in made.labels(clip)}) for clip in own]
        assert told == [(row["YTID"], set(row["positive_labels"].split(","))) for row in rows]


def test_audioset_holds_out_some_of_its_balanced_table_alone(audioset: Path, metadata: Path) -> None:
    rows = rows_of(metadata / "audioset_balanced_train_segments.csv")
    copies(audioset / "one.wav", [audioset / "AudioSet" / f"{row['YTID']}.wav" for row in rows[1:400]])
    made = task({"name": "audioset", "held_out": True})
    clips = made.clips(audioset)
    assert len(clips) + made.missing == 22_160
    assert 5 < sum(clip.fold for clip in clips) < 45  # a twentieth of 455


@pytest.fixture
def urban(metadata: Path, tmp_path: Path) -> Path:
    """UrbanSound8K's own table and empty files under all 8,732 names."""
    table = tmp_path / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv"
    table.parent.mkdir(parents=True)
    table.symlink_to(metadata / "UrbanSound8K.csv")
    for fold in range(1, 11):
        (tmp_path / "UrbanSound8K" / "audio" / f"fold{fold}").mkdir(parents=True)
    for row in rows_of(table):
        (tmp_path / "UrbanSound8K" / "audio" / f"fold{row['fold']}" / row["slice_file_name"]).touch()
    return tmp_path


def test_urbansound8k_has_its_counts_by_class_and_fold(urban: Path) -> None:
    made = task("us8k")
    clips = made.clips(urban)
    assert len({clip.id for clip in clips}) == 8732
    assert counted(clips, 10) == made.counts
    assert [made.labels(clip)[0] for clip in clips] == [
        row["class"] for row in rows_of(urban / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv")
    ]
    folds: dict[str, set[int]] = {}
    for clip in clips:
        folds.setdefault(clip.source, set()).add(clip.fold)
    assert len(folds) == 1297
    spanning = {source for source, own in folds.items() if len(own) > 1}
    assert spanning == {"106905", "132016", "176638", "180937", "77751"}


def test_urbansound8k_ships_the_beginnings_of_all_official_checksums(metadata: Path, urban: Path) -> None:
    lines = (metadata / "urbansound8k_sha256.tsv").read_text().splitlines()
    official = {Path(name).name: digest for name, digest, _ in (line.split("\t") for line in lines)}
    made = task("us8k")
    shipped = made.checksums()
    assert shipped == {name: digest[:16] for name, digest in official.items()}
    assert set(shipped) == {clip.id for clip in made.clips(urban)}
    assert Counter(map(len, shipped.values())) == {16: 8732}


def test_fsd50k_has_its_200_classes_in_the_published_order(metadata: Path, tmp_path: Path) -> None:
    """No vocabulary is shipped: classes are those of the ground truth, and their order is the alphabet's."""
    published = [row["display_name"] for row in rows_of(metadata / "fsd50k_class_labels_indices.csv")]
    assert len(published) == 200
    shuffled = random.Random(0).sample(published, 200)
    dev = [f'{i},"{shuffled[i]},{shuffled[i + 1]}",,{"val" if i % 3 else "train"}' for i in range(100)]
    evaluation = [f'{1000 + i},"{shuffled[i]},{shuffled[99]}",' for i in range(100, 200)]
    truth = tmp_path / "FSD50K" / "FSD50K.ground_truth"
    write(truth / "dev.csv", "\n".join(["fname,labels,mids,split", *dev]))
    write(truth / "eval.csv", "\n".join(["fname,labels,mids", *evaluation]))
    for part, first in (("dev", 0), ("eval", 1100)):
        for i in range(100):
            write(tmp_path / "FSD50K" / f"FSD50K.{part}_audio" / f"{first + i}.wav", "")
    made = task("fsd50k")
    clips = made.clips(tmp_path)
    assert list(made.classes) == published
    assert set(made.labels(clips[0])) == {shuffled[0], shuffled[1]}
