"""The recording that a clip was cut from, told from the clip's name alone."""

import csv
from pathlib import Path

import pytest

from tests.registry.test_tasks import task


@pytest.mark.real
@pytest.mark.parametrize("reference", ["esc50", "esc10", {"name": "us8k", "folds": [1, 2, 10]}, "speech-commands-test"])
def test_names_tell_the_sources_of_real_listings(data: Path, reference: str | dict[str, object]) -> None:
    listed = task(reference)
    clips = listed.clips(data)
    assert [listed.source_of(clip.id) for clip in clips] == [clip.source for clip in clips]


@pytest.mark.real
def test_names_tell_the_source_of_every_row_of_urbansound8k(metadata: Path) -> None:
    with (metadata / "UrbanSound8K.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8732
    assert [task("us8k").source_of(row["slice_file_name"]) for row in rows] == [row["fsID"] for row in rows]


def test_names_tell_the_sources_of_made_sounds() -> None:
    sounds = task({"name": "sounds", "clips": 12})
    clips = sounds.clips(None)
    assert [sounds.source_of(clip.id) for clip in clips] == [clip.source for clip in clips]
    assert len({clip.source for clip in clips}) == 300


@pytest.mark.parametrize(
    ("name", "clip", "source"),
    [
        ("esc50", "1-100032-A-0.wav", "100032"),
        ("esc10", "1-100032-A-0.ogg", "100032"),
        ("us8k", "100032-3-0-0.wav", "100032"),
        ("speech-commands", "bed/0a7c2a8d_nohash_1.wav", "0a7c2a8d"),
        ("speech-commands-test", "_unknown_/bed_0a7c2a8d_nohash_1.wav.wav", "0a7c2a8d"),
        ("speech-commands-test", "_silence_/0.wav.wav", "_silence_/0.wav.wav"),
        ("gtzan", "blues/blues.00012.au", "blues.00012"),
        ("dcase2013", "scenes_stereo/bus07.wav", "bus07.wav"),
        ("fsd50k", "64760.wav", "64760"),
        ("audioset", "balanced/Y--4gqARaEJE_30.000.wav", "--4gqARaEJE"),
        ("sounds", "3-clicks-7", "3-clicks-3"),
        ("fma", "000/000002.mp3", None),
        ("folder", "dog/1.wav", None),
        ("esc50", "100032-3-0-0.wav", None),
        ("us8k", "1-100032-A-0.wav", None),
        ("audioset", "short.wav", None),
        ("sounds", "dog", None),
    ],
)
def test_what_a_name_tells(name: str, clip: str, source: str | None) -> None:
    assert type(task({"name": name, **({"path": "mine"} if name == "folder" else {})})).source_of(clip) == source
