"""What pretraining uses of a corpus: by hand-made packs, and through whole runs on miniatures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch

from benchmark.jobs.corpus import DataSet, held_by, usable_clips
from benchmark.jobs.packing import Pack
from registry.audio import Recordings
from registry.errors import Mistake
from registry.tasks import Task
from tests.benchmark.data.test_audit import freesound
from tests.conftest import TINY, Answer
from tests.registry.test_tasks import task

Call = Callable[..., Answer]


def made(by: Task, folds: list[int], sources: str, hashes: str) -> DataSet:
    """A data set of clips whose sources and hashes are single letters."""
    clips = len(folds)
    recordings = Recordings(np.zeros(clips, np.int16), np.arange(clips + 1), 16000)
    labels = np.zeros(clips, np.int64)
    ids, of, contents = (pa.array(map(str, texts)) for texts in (range(clips), sources, hashes))
    return DataSet(
        "made", by, Pack(recordings, ids, labels, np.array(folds), of, lambda: contents, (), "", (), missing=0)
    )


ESC50, FSD50K, SPLIT = task("esc50"), task({"name": "fsd50k", "part": "dev"}), task("speech-commands")


def test_a_fixed_split_keeps_its_test_part_from_pretraining() -> None:
    used = usable_clips(made(SPLIT, [0, 1, 2, 0, 1], "abcde", "ABCDE"), [])
    assert (used.clips.tolist(), used.excluded) == ([0, 2, 3], {"tested": 2})
    for by_turns in (made(ESC50, [1, 2, 3], "abc", "ABC"), made(FSD50K, [0, 0, 2], "abc", "ABC")):
        used = usable_clips(by_turns, [])
        assert (used.clips.tolist(), used.excluded) == ([0, 1, 2], {})


def test_recordings_of_other_data_sets_are_left_out_by_id_and_by_content() -> None:
    corpus = made(FSD50K, [0] * 6, "abcdef", "ABCDEF")
    by_id = made(ESC50, [1, 2], "bx", "XD")
    used = usable_clips(corpus, [by_id])
    assert (used.clips.tolist(), used.excluded) == ([0, 2, 4, 5], {"in made": 2})
    speakers = made(SPLIT, [0, 1], "ab", "XD")  # their names mean nothing to Freesound
    assert usable_clips(corpus, [speakers]).clips.tolist() == [0, 1, 2, 4, 5]
    assert usable_clips(corpus, [by_id, speakers]).excluded == {"in made": 2}


def test_a_corpus_of_which_nothing_is_left_is_a_mistake() -> None:
    corpus = made(SPLIT, [0, 0, 1], "abc", "ABC")
    with pytest.raises(Mistake, match="no clip of the corpus made is left to pretrain on: 1 tested, 2 in made"):
        usable_clips(corpus, [made(ESC50, [1, 2], "xy", "AB")])


def test_only_the_clips_that_were_used_hold_others() -> None:
    corpus = made(FSD50K, [0] * 3, "abc", "ABC")
    tested = made(ESC50, [1] * 4, "abcz", "XYZC")
    assert held_by(corpus, [0, 2], tested).tolist() == [True, False, True, True]
    assert held_by(corpus, [1], tested).tolist() == [False, True, False, False]


def test_some_recordings_are_cut_as_among_all() -> None:
    samples = np.arange(1, 1001).astype(np.int16)
    whole = Recordings(samples, np.array([0, 100, 130, 400, 1000]), 16000)
    some = whole.subset(torch.tensor([1, 3, 0])).subset(torch.tensor([1, 0]))  # clips 3 and 1
    assert len(some) == 2
    assert np.shares_memory(some.samples, samples)
    ours, theirs = torch.tensor([0, 1, 0]), torch.tensor([3, 1, 3])
    for mine, all_of_them in zip(some.windows(ours, 40), whole.windows(theirs, 40), strict=True):
        assert torch.equal(mine, all_of_them)
    crops = [r.crops(c, 40, 2, torch.Generator().manual_seed(0)) for r, c in ((some, ours), (whole, theirs))]
    assert torch.equal(*crops)
    assert crops[0][0].min() * 32767 > 400  # of clip 3


SUITE = """
schema_version: 1
name: shared
frontend: {name: logmel, n_fft: 512, win_length: 512, hop_length: 320, n_mels: 32, normalise: dataset}
crop: 0.5
encoder: {name: cnn10, width: 2}
pretrain: {corpus: CORPUS, epochs: 1, batch_size: 2}
entries:
  npid: {weights: {pretrain: {name: npid, negatives: 0}}}
tasks: [TASK]
protocols:
  freeze: {epochs: 1}
"""
US8K = "{name: us8k, folds: [1, 2]}"


def records(runs: Path, kind: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(runs.glob(f"{kind}/*/result.json"))]


def run(audiobench: Call, folder: Path, corpus: str, tested: str) -> Path:
    suite, runs = folder / "shared.yaml", folder / "runs"
    suite.write_text(SUITE.replace("CORPUS", corpus).replace("TASK", tested))
    answer = audiobench("run", suite, "--data", folder, "--runs", runs)
    assert answer.status == 0, answer.err
    assert ("npid †" in answer.out) == any(r["clips_seen_in_pretraining"] for r in records(runs, "evaluate"))
    return runs


def test_excluded_recordings_are_neither_pretrained_on_nor_measured_nor_seen(audiobench: Call, tmp_path: Path) -> None:
    freesound(tmp_path / "a")
    runs = run(audiobench, tmp_path / "a", "esc50", US8K)
    (record,) = records(runs, "pretrain")
    assert (record["clips"], record["excluded"]) == (8, {})
    # Two clips of Freesound's 102, and one that sounds the same.
    assert [r["clips_seen_in_pretraining"] for r in records(runs, "evaluate")] == [3, 3]
    freesound(tmp_path / "b")
    runs = run(audiobench, tmp_path / "b", f"{{name: esc50, exclude: [{US8K}]}}", US8K)
    (record,) = records(runs, "pretrain")
    assert (record["clips"], record["excluded"]) == (6, {"in us8k": 2})
    assert [r["clips_seen_in_pretraining"] for r in records(runs, "evaluate")] == [0, 0]
    measured = [r["clips"] for r in records(runs, "measure")]
    assert sorted(measured) == [2, 2, 6]  # each fold of the task without the other; what is left of the corpus


def test_the_training_part_of_the_tested_split_is_not_called_seen(audiobench: Call, tmp_path: Path) -> None:
    rows = ["path,label,split"]
    for i in range(8):
        wave = np.random.default_rng(i if i < 7 else 0).uniform(-0.5, 0.5, 16000)  # the last one is the first again
        (tmp_path / "own").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "own" / f"{i}.wav", wave, 16000)
        rows.append(f"{i}.wav,{'ab'[i % 2]},{'test' if i > 4 else 'train'}")
    (tmp_path / "own" / "table.csv").write_text("\n".join(rows))
    task = "{name: folder, path: own, table: table.csv, folds: 1}"
    runs = run(audiobench, tmp_path, task, task)
    (record,) = records(runs, "pretrain")
    assert (record["clips"], record["excluded"]) == (5, {"tested": 3})
    (record,) = records(runs, "evaluate")
    assert record["clips_seen_in_pretraining"] == 1


def test_a_corpus_that_excludes_itself_is_told(audiobench: Call, tmp_path: Path) -> None:
    sounds = "corpus: {name: sounds, clips: 2}"
    assert sounds in TINY
    (tmp_path / "tiny.yaml").write_text(TINY.replace(sounds, sounds[:-1] + ", exclude: [{name: sounds, clips: 2}]}"))
    answer = audiobench(
        "run", tmp_path / "tiny.yaml", "--runs", tmp_path / "runs", "--entry", "moco", "--protocol", "knn"
    )
    assert answer.status == 1
    assert "no clip of the corpus sounds is left to pretrain on: 100 in sounds" in answer.err
