"""A user's own recordings, in a folder for each class or with a table."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.errors import Mistake
from registry.tasks import listing_hash
from tests.conftest import Answer
from tests.registry._recordings import counted, sound, write
from tests.registry.test_tasks import task


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder for each of two classes, six recordings each by three speakers, and other files beside them."""
    for label, hz in (("high", 3000), ("low", 300)):
        for i in range(6):
            sound(tmp_path / "birds" / label / f"{i}.wav", seconds=0.6, hz=hz + 10 * i)
    write(tmp_path / "birds" / "high" / "notes.txt", "recorded in May")
    write(tmp_path / "birds" / ".cache" / "0.wav", "")
    return tmp_path


def table(own: Path, header: str, row: Callable[[str, int], str]) -> None:
    rows = [f"{label}/{i}.wav,{row(label, i)}" for i in range(6) for label in ("low", "high")]
    write(own / "birds" / "birds.csv", "\ufeff" + "\n".join([f"path,{header}", *rows]))


def birds(**settings: object) -> dict[str, object]:
    return {"name": "folder", "path": "birds", **settings}


def test_a_folder_for_each_class_gets_stratified_folds(own: Path) -> None:
    made = task(birds(folds=3))
    clips = made.clips(own)
    assert made.classes == ("high", "low")
    assert [clip.id for clip in clips] == [f"{label}/{i}.wav" for label in ("high", "low") for i in range(6)]
    assert counted(clips, 2) == dict.fromkeys(made.folds, (2, 2))
    assert listing_hash(clips) == listing_hash(task(birds(folds=3)).clips(own))
    assert listing_hash(clips) != listing_hash(task(birds(folds=3, seed=1)).clips(own))
    absolute = task({"name": "folder", "path": str(own / "birds"), "folds": 3}).clips(None)
    assert listing_hash(absolute) == listing_hash(clips)
    assert made.read(clips[0])[1] == 16000


def test_a_table_keeps_sources_together(own: Path) -> None:
    table(own, "label,source", lambda label, i: f"{label},speaker {i % 3}")
    clips = task(birds(table="birds.csv", folds=3)).clips(own)
    assert counted(clips, 2) == dict.fromkeys((1, 2, 3), (2, 2))
    assert len({(clip.source, clip.fold) for clip in clips}) == 3
    assert [clip.id for clip in clips[:2]] == ["low/0.wav", "high/0.wav"]


def test_a_table_may_number_its_folds_or_name_its_parts(own: Path) -> None:
    table(own, "label,fold", lambda label, i: f"{label},{i % 3}")
    clips = task(birds(table="birds.csv", folds=2)).clips(own)
    assert counted(clips, 2) == dict.fromkeys((0, 1, 2), (2, 2))
    with pytest.raises(Mistake, match=r"5 folds are asked for, 1 to 5, and the table has 1, 2, and 0") as caught:
        task(birds(table="birds.csv")).clips(own)
    assert caught.value.fix == "number them from 1 on, or folds: 2, if fold 0 is not to be tested"
    table(own, "label,split", lambda label, i: f"{label},{('train', 'validation', 'test')[i % 3]}")
    made = task(birds(table="birds.csv", folds=1))
    assert [clip.fold for clip in made.clips(own)] == [fold for i in range(6) for fold in [(0, 2, 1)[i % 3]] * 2]
    assert made.folds == (1,)


def test_recordings_may_have_several_labels(own: Path) -> None:
    table(
        own, "label,source", lambda label, i: f"{label}; loud ;{label},{label} {i}" if i < 3 else f"{label},{label} {i}"
    )
    made = task(birds(table="birds.csv", folds=3))
    clips = made.clips(own)
    assert made.target == "several-labels"
    assert made.classes == ("high", "loud", "low")
    assert [clip.label for clip in clips[:2]] == [(1, 2), (0, 1)]
    assert made.labels(clips[-1]) == ("high",)
    for fold in made.folds:
        assert sorted({name for clip in clips if clip.fold == fold for name in made.labels(clip)}) == [
            "high",
            "loud",
            "low",
        ]
    one = task(birds(folds=3))
    one.clips(own)
    assert one.target == "one-label"


def test_recordings_may_have_a_number_instead_of_a_label(own: Path) -> None:
    table(own, "value,source", lambda label, i: f"{i - 2.5e1},{label} {i // 2}")
    made = task(birds(table="birds.csv", folds=3))
    assert made.target == ""
    clips = made.clips(own)
    assert (made.target, made.classes) == ("number", ())
    assert [clip.label for clip in clips[:4]] == [-25.0, -25.0, -24.0, -24.0]
    assert made.labels(clips[0]) == ()
    places = {(clip.fold, clip.source) for clip in clips}
    assert len(places) == 6  # a source, a fold
    assert Counter(fold for fold, _ in places) == {1: 2, 2: 2, 3: 2}
    assert listing_hash(clips) == listing_hash(task(birds(table="birds.csv", folds=3)).clips(own))
    assert listing_hash(clips) != listing_hash(task(birds(table="birds.csv", folds=3, seed=1)).clips(own))
    table(own, "value,split", lambda label, i: f"{i},{('train', 'validation', 'test')[i % 3]}")
    clips = task(birds(table="birds.csv", folds=1)).clips(own)
    assert [clip.fold for clip in clips] == [fold for i in range(6) for fold in [(0, 2, 1)[i % 3]] * 2]


def test_every_reader_of_a_task_takes_numbers(own: Path, audiobench: Callable[..., Answer]) -> None:
    table(own, "value,source,fold", lambda label, i: f"{i},speaker {i % 3},{i % 2 + 1}")
    named = "{name: folder, path: birds, table: birds.csv, folds: 2}"
    verified = audiobench("data", "verify", named, "--data", own)
    assert verified.status == 0, verified.err
    assert "12" in verified.out
    assert "no labels" not in verified.out
    audited = audiobench("data", "audit", named, "--data", own)
    assert "  speaker 0: fold 1; fold 2\n" in audited.out
    table(own, "value", lambda label, i: "7")
    verified = audiobench("data", "verify", named, "--data", own)
    assert "every clip has the number 7: there is nothing to predict" in verified.out


@pytest.mark.parametrize(
    ("header", "row", "settings", "says"),
    [
        ("value", "", {}, "the value '' is no finite number"),
        ("value", "loud", {}, "the value 'loud' is no finite number"),
        ("value", "nan", {}, "the value 'nan' is no finite number"),
        ("value", "-inf", {}, "the value '-inf' is no finite number"),
        ("value", "1_000", {}, "the value '1_000' is no finite number"),
        ("value,label", "1,low", {}, "the table has the columns label and value"),
        ("value", "1", {"folds": 13}, "13 folds cannot be made of 12 independent recordings"),
        ("value,source", "1,here", {}, "5 folds cannot be made of 1 independent recordings"),
        ("genre", "low", {}, "the table needs the columns path and label or value"),
        ("label", "", {}, "the label is empty"),
        ("label,fold", "low,one", {}, "the fold 'one' is no whole number"),
        ("label,fold", "low,1", {"folds": 1}, "every recording is in the only fold"),
        ("label,split", "low,dev", {}, "the split 'dev' is none of train, test, validation"),
        ("label,split", "low,train", {"folds": 1}, "1 folds are asked for, 1 to 1, and the table has none"),
        ("label,fold,split", "low,1,test", {}, "both a column fold and a column split"),
        ("label,source", "low,here", {}, "5 folds cannot be made: 'low' has 1 independent recordings"),
        ("label", "low", {"folds": 13}, "13 folds cannot be made: 'low' has 12 independent recordings"),
        ("label", "low", {"folds": 1}, "one fold alone cannot be made"),
    ],
)
def test_mistakes_in_a_table_are_named(
    own: Path, header: str, row: str, settings: dict[str, object], says: str
) -> None:
    table(own, header, lambda label, i: row)
    with pytest.raises(Mistake, match=says) as caught:
        task(birds(table="birds.csv", **settings)).clips(own)
    assert "birds.csv" in caught.value.where
    if "is no finite number" in says:
        assert caught.value.where.endswith("birds.csv:2")


def test_what_a_table_or_folder_lacks_is_named(own: Path) -> None:
    write(own / "birds" / "birds.csv", "path,label\nlow/0.wav,a\nlow/9.wav,a\n")
    with pytest.raises(Mistake, match=r"1 of 2 files .* missing: low/9\.wav"):
        task(birds(table="birds.csv", folds=2)).clips(own)
    write(own / "birds" / "birds.csv", "path,label\nlow/0.wav,a\nlow/0.wav,b\n")
    with pytest.raises(Mistake, match=r"low/0\.wav stands in the table twice") as caught:
        task(birds(table="birds.csv", folds=2)).clips(own)
    assert caught.value.where.endswith("birds.csv:3")
    with pytest.raises(Mistake, match="the table of the recordings is missing"):
        task(birds(table="fish.csv")).clips(own)
    with pytest.raises(Mistake, match="fish does not exist"):
        task({"name": "folder", "path": "fish"}).clips(own)
    with pytest.raises(Mistake, match="birds lies below --data, and none is given"):
        task(birds()).clips(None)
    (own / "fish").mkdir()
    with pytest.raises(Mistake, match="no recordings are listed"):
        task({"name": "folder", "path": "fish"}).clips(own)


def test_own_recordings_go_through_a_run(own: Path, tiny: Path, audiobench: Callable[..., Answer]) -> None:
    """Classes that are known once the data are read, and a single test part."""
    table(own, "label,split", lambda label, i: f"{label},{('train', 'validation', 'test')[i % 3]}")
    named = "{name: folder, path: birds, table: birds.csv, folds: 1}"
    tiny.write_text(tiny.read_text().replace("tasks: [{name: sounds, clips: 2}]", f"tasks: [{named}]"))
    ran = audiobench("run", tiny, "--runs", own / "runs", "--data", own, "--entry", "random", "--protocol", "knn")
    assert ran.status == 0, ran.err
    shown = audiobench("leaderboard", "--runs", own / "runs")
    assert "folder" in shown.out
