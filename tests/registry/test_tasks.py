"""Tasks: counts and folds against the facts, on the real recordings; faults on made ones."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from registry.errors import Mistake
from registry.lookup import TASKS
from registry.tasks import Clip, Task, listing_hash


def task(reference: str | dict[str, object]) -> Task:
    choice = TASKS.choose(reference)
    made: Task = TASKS.find(choice.name)(choice.settings)
    return made


@pytest.mark.real
def test_esc50_has_the_published_counts(data: Path) -> None:
    clips = task("esc50").clips(data)
    assert len(clips) == 2000
    assert Counter(c.fold for c in clips) == dict.fromkeys(range(1, 6), 400)
    assert set(Counter((c.fold, c.label) for c in clips).values()) == {8}
    folds: dict[str, set[int]] = {}
    for clip in clips:
        folds.setdefault(clip.source, set()).add(clip.fold)
    assert {s for s, f in folds.items() if len(f) > 1} == {"131943", "134049", "209698", "234879"}


@pytest.mark.real
def test_class_names_are_those_of_the_metadata(data: Path) -> None:
    with (data / "ESC-50" / "meta" / "esc50.csv").open() as file:
        names = {int(row["target"]): row["category"] for row in csv.DictReader(file)}
    assert task("esc50").classes == tuple(names[i] for i in range(50))


@pytest.mark.real
def test_esc10_has_the_published_counts(data: Path) -> None:
    clips = task("esc10").clips(data)
    assert set(Counter((c.fold, c.label) for c in clips).values()) == {8}
    assert len(clips) == 400
    assert set(task("esc10").classes) == {
        *("dog", "rooster", "rain", "sea_waves", "crackling_fire"),
        *("crying_baby", "sneezing", "clock_tick", "helicopter", "chainsaw"),
    }


@pytest.mark.real
def test_urbansound8k_has_the_published_counts_in_the_folds_that_are_there(data: Path) -> None:
    clips = task({"name": "us8k", "folds": [1, 2, 10]}).clips(data)
    assert Counter(c.fold for c in clips) == {1: 873, 2: 888, 10: 837}
    by_class = {
        "car_horn": (36, 42, 33),
        "engine_idling": (96, 100, 93),
        "gun_shot": (35, 35, 32),
        "jackhammer": (120, 120, 96),
        "siren": (86, 91, 83),
    }
    for label, name in enumerate(task("us8k").classes):
        found = Counter(c.fold for c in clips if c.label == label)
        assert tuple(found[fold] for fold in (1, 2, 10)) == by_class.get(name, (100, 100, 100))
    with (data / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv").open() as file:
        names = {int(row["classID"]): row["class"] for row in csv.DictReader(file)}
    assert task("us8k").classes == tuple(names[i] for i in range(10))


@pytest.mark.real
def test_missing_folds_are_named_with_those_that_are_there(data: Path) -> None:
    with pytest.raises(Mistake, match="UrbanSound8K lacks the folds 3, 4, 5, 6, 7, 8, 9") as caught:
        task("us8k").clips(data)
    assert "{name: us8k, folds: [1, 2, 10]}" in caught.value.fix


@pytest.mark.real
def test_half_a_data_set_is_named_as_such(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "ESC-50" / "meta", tmp_path / "ESC-50" / "meta")
    (tmp_path / "ESC-50" / "audio").mkdir()
    with pytest.raises(Mistake, match="2000 of 2000 files named by the metadata are missing: 1-100032"):
        task("esc50").clips(tmp_path)


def test_a_missing_data_folder_or_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="no data folder is given"):
        task("esc50").clips(None)
    with pytest.raises(Mistake, match="does not exist"):
        task("esc50").clips(tmp_path / "nowhere")
    with pytest.raises(Mistake, match="looked for ESC-50, ESC-50-master"):
        task("esc50").clips(tmp_path)
    (tmp_path / "ESC-50").mkdir()
    with pytest.raises(Mistake, match="metadata of ESC-50 is missing"):
        task("esc50").clips(tmp_path)


def test_sounds_are_the_same_for_the_same_seed_and_differ_otherwise() -> None:
    sounds, other = task("sounds"), task({"name": "sounds", "seed": 1})
    clips = sounds.clips(None)
    assert len(clips) == 400
    assert set(Counter((c.fold, c.label) for c in clips).values()) == {8}
    assert all(len({c.fold for c in clips if c.source == s}) == 1 for s in {c.source for c in clips})
    for clip in clips[::37]:
        wave, rate = sounds.read(clip)
        assert (len(wave), rate, wave.dtype.name) == (24000, 16000, "float32")
        assert 0.05 < np.abs(wave).max() <= 1
        assert np.array_equal(wave, sounds.read(clip)[0])
        assert not np.array_equal(wave, other.read(clip)[0])
    assert listing_hash(clips) != listing_hash(other.clips(None))


def test_a_listing_changes_with_names_sizes_labels_folds_and_sources() -> None:
    clip = Clip("a.wav", 0, 1, "s", Path("a.wav"), 10)
    variants = [
        clip,
        Clip("b.wav", 0, 1, "s", clip.path, 10),
        Clip("a.wav", 1, 1, "s", clip.path, 10),
        Clip("a.wav", 0, 2, "s", clip.path, 10),
        Clip("a.wav", 0, 1, "t", clip.path, 10),
        Clip("a.wav", 0, 1, "s", clip.path, 11),
    ]
    assert len({listing_hash([v]) for v in variants}) == len(variants)
    assert listing_hash([clip]) == listing_hash([Clip("a.wav", 0, 1, "s", Path("elsewhere/a.wav"), 10)])


def test_a_listing_with_contents_changes_with_them_and_not_with_sizes_and_leaves_made_sounds_alone() -> None:
    path = Path("a.wav")
    clip, longer = Clip("a.wav", 0, 1, "s", path, 10), Clip("a.wav", 0, 1, "s", path, 11)
    assert listing_hash([clip], {path: "x"}) == listing_hash([longer], {path: "x"})
    assert len({listing_hash([clip]), listing_hash([clip], {path: "x"}), listing_hash([clip], {path: "y"})}) == 3
    made = task("sounds").clips(None)
    assert listing_hash(made, {path: "x"}) == listing_hash(made)
    # What records of the first versions were made from.
    assert listing_hash(made) == "90dae9b7b7692948e5b7a686cd632794206c9cbb1a65c58ad19272417d89e5f7"


def test_fsd50k_has_several_labels_and_one_split_and_its_development_part_is_a_corpus(tmp_path: Path) -> None:
    folder = tmp_path / "FSD50K"
    truth = folder / "FSD50K.ground_truth"
    truth.mkdir(parents=True)
    (truth / "dev.csv").write_text('fname,labels,mids,split\n64760,"Dog,Bark",/m/1,train\n16399,Rain,/m/2,val\n')
    (truth / "eval.csv").write_text('fname,labels,mids\n37199,"Rain,Bark",/m/1\n')
    for part, name in (("dev", "64760"), ("dev", "16399"), ("eval", "37199")):
        (folder / f"FSD50K.{part}_audio").mkdir(exist_ok=True)
        (folder / f"FSD50K.{part}_audio" / f"{name}.wav").write_bytes(b"RIFF")
    whole, corpus = task("fsd50k"), task({"name": "fsd50k", "part": "dev"})
    clips = whole.clips(tmp_path)
    assert whole.classes == ("Bark", "Dog", "Rain")
    assert [(c.id, c.label, c.fold, c.source, c.size) for c in clips] == [
        ("64760.wav", (0, 1), 0, "64760", 4),
        ("16399.wav", (2,), 2, "16399", 4),
        ("37199.wav", (0, 2), 1, "37199", 4),
    ]
    assert whole.labels(clips[0]) == ("Bark", "Dog")
    assert all(clip.source == whole.source_of(clip.id) for clip in clips)
    assert (whole.folds, corpus.folds) == ((1,), ())
    (folder / "FSD50K.eval_audio" / "37199.wav").unlink()
    assert corpus.clips(tmp_path) == clips[:2]
    with pytest.raises(Mistake, match=r"1 of 3 files .* missing: 37199\.wav"):
        whole.clips(tmp_path)
    (truth / "eval.csv").unlink()
    with pytest.raises(Mistake, match="ground truth of FSD50K is missing"):
        whole.clips(tmp_path)
