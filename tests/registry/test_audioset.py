"""AudioSet on a miniature of its tables and of what people have of its recordings."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from registry.errors import Mistake
from registry.lookup import TASKS
from registry.tasks import Task, told_unused

_HEAD = "# Segments csv created Sun Mar  5 10:54:31 2017\n# num_ytids=5, num_segs=5, num_unique_labels=2\n"
_COLUMNS = "# YTID, start_seconds, end_seconds, positive_labels\n"
_CLASSES = 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/t/dd00003,"Male speech, man speaking"\n2,/m/04rlf,"Music"\n'


def task(part: str = "balanced", **settings: object) -> Task:
    choice = TASKS.choose({"name": "audioset", "part": part, **settings})
    made: Task = TASKS.find("audioset")(choice.settings)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "AudioSet"
    (root / "balanced").mkdir(parents=True)
    (root / "class_labels_indices.csv").write_text(_CLASSES)
    tables: dict[str, list[tuple[str, float, str]]] = {
        "balanced_train": [
            ("--4gqARaEJE", 0, '"/m/09x0r,/t/dd00003"'),
            ("Y0123456789", 30, '"/m/04rlf"'),
            ("-gone-gone-", 70, '"/m/04rlf"'),
        ],
        "unbalanced_train": [("abcdefghijk", 120, '"/m/04rlf,/m/09x0r"'), ("lost_lost_l", 0, '"/m/09x0r"')],
        "eval": [("evaluation1", 9.5, '"/m/04rlf"'), ("evaluation2", 40, '"/m/09x0r"')],
    }
    for name, rows in tables.items():
        lines = [f"{video}, {start:.3f}, {start + 10:.3f}, {labels}\n" for video, start, labels in rows]
        (root / f"{name}_segments.csv").write_text(_HEAD + _COLUMNS + "".join(lines))
    files = (
        "balanced/Y--4gqARaEJE.wav",  # PANNs' Y
        "balanced/Y0123456789_30.flac",  # a name that begins with a Y of its own; seconds
        "abcdefghijk_120000.wav",  # milliseconds
        "evaluation1_9.500.wav",
        "evaluation2_80.wav",  # another ten seconds of that video
        "notes.txt",
    )
    for file in files:
        (root / file).write_bytes(b"") if file.endswith("txt") else soundfile.write(root / file, np.zeros(160), 16000)
    return root


def test_clips_are_found_by_video_and_offset_and_what_lacks_is_counted(folder: Path) -> None:
    made = task()
    clips = made.clips(folder.parent)
    assert [(clip.id, clip.label, clip.fold, clip.source) for clip in clips] == [
        ("balanced/Y--4gqARaEJE.wav", (0, 1), 0, "--4gqARaEJE"),
        ("balanced/Y0123456789_30.flac", (2,), 0, "Y0123456789"),
        ("evaluation1_9.500.wav", (2,), 1, "evaluation1"),
    ]
    assert made.labels(clips[0]) == ("Speech", "Male speech, man speaking")
    assert all(clip.source == made.source_of(clip.id) for clip in clips)
    assert made.missing == 2
    assert told_unused(made.unused) == "3 files are not used: 2 *.wav, 1 *.txt"
    assert made.read(clips[0])[1] == 16000


def test_tables_may_have_one_line_of_names_in_the_place_of_googles_three(folder: Path) -> None:
    listed = task("all").clips(folder.parent)
    for table in folder.glob("*_segments.csv"):
        text = table.read_text().removeprefix(_HEAD + _COLUMNS)
        table.write_text("YTID,start_seconds,end_seconds,positive_labels\n" + text)
    assert task("all").clips(folder.parent) == listed


def test_parts(folder: Path) -> None:
    assert [clip.id for clip in task("unbalanced").clips(folder.parent)] == [
        "abcdefghijk_120000.wav",
        "evaluation1_9.500.wav",
    ]
    every = task("all")
    assert len(every.clips(folder.parent)) == 4
    assert every.missing == 3


def test_missing_tables_and_recordings_are_mistakes(folder: Path) -> None:
    (folder / "evaluation1_9.500.wav").unlink()
    with pytest.raises(Mistake, match="none that is tested, is there"):
        task().clips(folder.parent)
    (folder / "eval_segments.csv").unlink()
    with pytest.raises(Mistake, match="a table of AudioSet is missing"):
        task().clips(folder.parent)


def test_a_twentieth_of_what_trains_may_be_held_out(folder: Path) -> None:
    names = [f"video{i:06}" for i in range(2000)]
    rows = [f'{name}, 0.000, 10.000, "/m/09x0r"\n' for name in names]
    (folder / "balanced_train_segments.csv").write_text(_HEAD + _COLUMNS + "".join(rows))
    for name in names:
        (folder / f"{name}.wav").touch()
    clips = task(held_out=True).clips(folder.parent)
    assert len(clips) == 2000  # nothing of the evaluation part
    held_out = {clip.source for clip in clips if clip.fold == 1}
    assert 70 < len(held_out) < 130
    (folder / "video000000.wav").unlink()
    left = {clip.source for clip in task(held_out=True).clips(folder.parent) if clip.fold == 1}
    assert left == held_out - {"video000000"}
