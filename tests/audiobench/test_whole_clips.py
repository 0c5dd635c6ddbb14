"""``crop: whole``: clips of many lengths, each embedded in one piece, from the suite to the board and to vectors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import torch

import audiobench as door
from benchmark.jobs import embed
from benchmark.jobs.embedding import load_embeddings
from benchmark.jobs.packing import Pack, open_pack
from tests.audiobench.test_brought import export
from tests.conftest import Answer
from tests.registry.test_brought import Net

Call = Callable[..., Answer]
RATE = 8000
SUITE = """
schema_version: 1
name: lengths
frontend: {name: logmel, sample_rate: 8000, fmax: 4000, n_fft: 256, win_length: 256, hop_length: 160, n_mels: 16}
crop: whole
encoder: {name: cnn10, width: 2}
pretrain: {corpus: {name: folder, path: clips}, crop: 0.5, epochs: 1, batch_size: 4, optimizer: adamw}
entries:
  moco: {weights: {pretrain: {name: moco, queue_size: 8, norm_groups: 2}}}
  random: {weights: random}
  windows: {weights: random, crop: 0.5}
  net: {encoder: {name: exported, file: net.pt2, sample_rate: 8000}, frontend: null, weights: null}
tasks: {own: {name: folder, path: clips}}
protocols: {knn: {k: [1]}, freeze: {epochs: 1}}
"""
LENGTHS_S = (0.9, 0.05, 2.3, 0.9, 0.3, 0.9)  # CNN10 needs 0.3 s, and the net of the file 0.1 s


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of several lengths, and a suite that was run on them."""
    folder = tmp_path_factory.mktemp("lengths")
    generator = np.random.default_rng(0)
    for label in ("hum", "hiss"):
        (folder / "clips" / label).mkdir(parents=True)
        for i, seconds in enumerate(LENGTHS_S):
            wave = 0.2 * generator.standard_normal(round(seconds * RATE))
            soundfile.write(folder / "clips" / label / f"{i}.wav", wave, RATE)
    export(folder / "net.pt2", Net())
    (folder / "lengths.yaml").write_text(SUITE)
    door.run(folder / "lengths.yaml", data=folder, runs=folder / "runs", device="cpu")
    return folder


def stored(folder: Path, kind: str) -> list[tuple[Path, dict[str, Any]]]:
    return [(path.parent, json.loads(path.read_text())) for path in (folder / "runs" / kind).glob("*/job.json")]


def of_whole_clips(made: Path, weights: str) -> tuple[Path, Pack]:
    """The folder of the embeddings that an entry has of whole clips, and the clips."""
    for folder, job in stored(made, "embed"):
        if (job["config"]["window"], job["config"]["weights"]["kind"]) == ("whole", weights):
            return folder, open_pack(made / "runs" / "pack" / job["needs"]["pack"])
    raise AssertionError(weights)


@pytest.mark.parametrize(
    ("entry", "weights", "least"), [("random", "random", 2400), ("net", "own", 800), ("moco", "pretrain", 2400)]
)
def test_every_clip_is_embedded_once_and_as_it_is_alone(made: Path, entry: str, weights: str, least: int) -> None:
    folder, pack = of_whole_clips(made, weights)
    embeddings = load_embeddings(folder / "embeddings.safetensors")
    assert embeddings.clip_W.tolist() == list(range(2 * len(LENGTHS_S)))
    net = door.load(entry, suite=made / "lengths.yaml", runs=made / "runs")
    assert net.window_samples == "whole"
    lengths = pack.recordings.lengths(torch.arange(len(pack.ids))).tolist()
    assert sorted(lengths) == sorted(2 * [round(seconds * RATE) for seconds in LENGTHS_S])
    for clip, length in enumerate(lengths):
        wave_1T, _ = pack.recordings.windows(torch.tensor([clip]), length)
        padded_1T = torch.nn.functional.pad(wave_1T, (0, max(least - length, 0)))
        with torch.no_grad():
            alone_1D = net.encoder.embed(net.views(padded_1T))
            torch.testing.assert_close(embeddings.window_WD[clip : clip + 1], alone_1D, rtol=0, atol=1e-6)
            torch.testing.assert_close(net(wave_1T), alone_1D, rtol=0, atol=1e-6)
    record = json.loads((folder / "result.json").read_text())
    assert (record["windows"], record["padded"]) == (len(lengths), sum(length < least for length in lengths))
    assert record["summary"].endswith(f"padded with silence to {least / RATE:.3f} s, the shortest that the net embeds")


def test_vectors_are_those_of_the_suite(made: Path, audiobench: Call, tmp_path: Path) -> None:
    placed = ("--suite", made / "lengths.yaml", "--runs", made / "runs", "--device", "cpu")
    told = audiobench("embed", "net", made / "clips", "-o", tmp_path / "x.npy", *placed)
    assert told.status == 0, told.err
    folder, pack = of_whole_clips(made, "own")
    embeddings = load_embeddings(folder / "embeddings.safetensors").window_WD
    files = [file.relative_to(made / "clips").as_posix() for file in sorted((made / "clips").rglob("*.wav"))]
    expected = torch.stack([embeddings[pack.ids.to_pylist().index(file)] for file in files])
    torch.testing.assert_close(torch.from_numpy(np.load(tmp_path / "x.npy")), expected, rtol=0, atol=1e-6)


def test_the_board_says_who_embedded_whole_clips_and_how_many_were_padded(made: Path, audiobench: Call) -> None:
    board = audiobench("leaderboard", made / "lengths.yaml", "--runs", made / "runs", "--format", "md").out
    assert (
        "- Whole clips: each was embedded in one piece, and not in windows (moco, random, net). "
        "Too short for the net, and padded with silence: 2 clips of own (moco, random, net).\n"
    ) in board


@pytest.mark.parametrize("form", ["safetensors", "hf"])
def test_an_export_embeds_whole_recordings_too(made: Path, tmp_path: Path, form: Literal["safetensors", "hf"]) -> None:
    door.export("moco", tmp_path / "net", form, suite=made / "lengths.yaml", runs=made / "runs")
    again, net = door.load(tmp_path / "net"), door.load("moco", suite=made / "lengths.yaml", runs=made / "runs")
    wave_BT = 0.1 * torch.randn(2, 3 * RATE, generator=torch.Generator().manual_seed(0))
    assert again.window_samples == "whole"
    assert torch.equal(again(wave_BT), net(wave_BT))
    card = (tmp_path / "net" / "README.md").read_text()
    assert "A recording of any length is embedded whole, in one piece." in card
    assert "none: the whole recording" in card


def test_windows_and_pretraining_keep_the_keys_that_they_have_without_whole_clips(
    made: Path, audiobench: Call, tmp_path: Path
) -> None:
    (tmp_path / "lengths.yaml").write_text(
        SUITE.replace("crop: whole", "crop: 0.5").replace(" crop: 0.5, epochs", " epochs").replace("net.pt2", "absent")
    )
    plan = door.plan(tmp_path / "lengths.yaml", data=made, runs=made / "runs").set_index("title")
    assert plan.loc["pretrain moco on folder", "state"] == "done"
    assert plan.loc["embed own with random", "state"] == "done"  # by the entry windows
    assert plan.loc["embed own with moco", "state"] == "to do"
    assert {type(job["config"]["window"]) for _, job in stored(made, "embed")} == {int, str}


@pytest.mark.parametrize(
    ("old", "new", "what", "where"),
    [
        ("freeze: {", "freeze: {augment: true, ", "the protocol freeze trains on windows of one length", "5:1 (crop)"),
        ("knn: {", "finetune: {epochs: 1}, knn: {", "the protocol finetune trains on windows of", "5:1 (crop)"),
        (" crop: 0.5, epochs", " epochs", "a pretraining learns from windows of one length", "5:1 (crop)"),
        (" crop: 0.5, epochs", " crop: whole, epochs", "crop: Input should be a valid number", "7:"),
        (" crop: 0.5, epochs", " crop: 0.00001, epochs", "1e-05 s are less than a sample at 8000 Hz", "7:"),
        (" crop: 0.5, epochs", " crop: 0.1, epochs", "Cnn10 needs at least 16 frames", "9:"),
        ("crop: whole", "crop: hole", "crop: Input should be seconds, or the word whole, got 'hole'", "5:1 (crop)"),
        ("net.pt2", "one.pt2", "a clip of silence is 1.8 s long, and cannot be embedded in one piece", "5:1 (crop)"),
    ],
)
def test_what_cannot_work_on_whole_clips_is_told_before_any_work(
    made: Path, audiobench: Call, tmp_path: Path, old: str, new: str, what: str, where: str
) -> None:
    assert old in SUITE
    (tmp_path / "lengths.yaml").write_text(SUITE.replace(old, new))
    export(tmp_path / "net.pt2", Net())
    torch.export.save(torch.export.export(Net().eval(), (torch.zeros(2, RATE),)), tmp_path / "one.pt2")
    told = audiobench("run", tmp_path / "lengths.yaml", "--data", made, "--runs", tmp_path / "runs")
    assert (told.status, what in told.err, f"lengths.yaml:{where}" in told.err) == (2, True, True), told.err
    assert not (tmp_path / "runs").exists()


def test_an_entry_in_windows_may_train_beside_one_of_whole_clips(made: Path, tmp_path: Path) -> None:
    text = SUITE.replace("knn: {", "finetune: {epochs: 1}, knn: {").replace("net.pt2", "absent")
    for entry in ("moco: {", "random: {", "net: {"):
        text = text.replace(entry, f"{entry}protocols: [knn], ")
    (tmp_path / "lengths.yaml").write_text(text)
    titles = door.plan(tmp_path / "lengths.yaml", data=made, runs=tmp_path / "runs")["title"].tolist()
    assert [title for title in titles if "finetune" in title] == [
        f"finetune windows on own, fold {fold}" for fold in (1, 2, 3, 4, 5)
    ]


def test_a_clip_that_the_memory_does_not_hold_is_named(
    made: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from registry.encoders.exported import Exported

    frames = Exported.frames

    def of_little_memory(self: Exported, wave_BT: torch.Tensor) -> torch.Tensor:
        if wave_BT.shape[1] > 2 * RATE:
            raise torch.OutOfMemoryError("out of memory. Tried to allocate 9 GiB")
        return frames(self, wave_BT)

    monkeypatch.setattr(Exported, "frames", of_little_memory)
    monkeypatch.setattr(embed, "_LONG", 2.0)
    arguments = ("--data", made, "--runs", tmp_path / "runs", "--entry", "net", "--device", "cpu")
    told = audiobench("run", made / "lengths.yaml", *arguments)
    assert told.status == 1
    assert "embed own with net: clips have up to 2.3 s, each in one piece; if the memory does not" in told.err
    assert "2.wav is 2.3 s long, and cannot be embedded in one piece: out of memory" in told.err
    assert "crop: SECONDS" in told.err
    files = (made / "clips" / "hum" / "2.wav", made / "clips" / "hum" / "0.wav")
    placed = ("--suite", made / "lengths.yaml", "--runs", made / "runs", "--device", "cpu")
    told = audiobench("embed", "net", *files, "-o", tmp_path / "x.npy", *placed)
    assert (told.status, "2.wav: is 2.3 s long, and cannot be embedded in one piece" in told.err) == (1, True), told.err
    assert len(np.load(tmp_path / "x.npy")) == 1
