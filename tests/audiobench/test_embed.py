"""Vectors of sound files: equal to the embeddings of a suite, of any length and format, once."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import audiobench as door
from benchmark.jobs import vectors
from benchmark.jobs.embedding import load_embeddings
from tests.audiobench.test_brought import export
from tests.audiobench.test_run import Call
from tests.registry.test_brought import Net

SUITE = """
schema_version: 1
name: own
frontend: {name: logmel, sample_rate: 8000, fmax: 4000, n_fft: 256, win_length: 256, hop_length: 160, n_mels: 16}
crop: 0.5
encoder: {name: cnn10, width: 2}
pretrain: {corpus: {name: folder, path: clips}, epochs: 1, batch_size: 4, optimizer: adamw}
entries:
  moco: {weights: {pretrain: {name: moco, queue_size: 8, norm_groups: 2}}}
  random: {weights: random}
  net: {encoder: {name: exported, file: net.pt2, sample_rate: 8000}, frontend: null, weights: null}
tasks: {own: {name: folder, path: clips}}
protocols: {knn: {k: [1]}}
"""
LENGTHS_S = (0.3, 0.5, 1.0, 1.7, 1.0, 2.3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of several lengths, rates, formats and channels, and a suite that was run on them."""
    folder = tmp_path_factory.mktemp("own")
    generator = np.random.default_rng(0)
    for label in ("hum", "hiss"):
        (folder / "clips" / label).mkdir(parents=True)
        for i, seconds in enumerate(LENGTHS_S):
            rate, ending = ((8000, "wav"), (16000, "flac"), (11025, "ogg"))[i % 3]
            wave = 0.2 * generator.standard_normal((round(seconds * rate), 1 + i % 2))
            soundfile.write(folder / "clips" / label / f"{i}.{ending}", wave, rate)
    export(folder / "net.pt2", Net())
    (folder / "own.yaml").write_text(SUITE)
    door.run(folder / "own.yaml", data=folder, runs=folder / "runs", device="cpu")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, which is the current folder."""
    shutil.copytree(made, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"


def of_the_job(runs: Path, kind: str) -> dict[str, torch.Tensor]:
    """The mean over windows of the embeddings that a suite's job made, by clip."""
    for path in (runs / "embed").glob("*/job.json"):
        job = json.loads(path.read_text())
        if job["config"]["weights"]["kind"] == kind:
            embeddings = load_embeddings(path.parent / "embeddings.safetensors")
            ids = pd.read_parquet(runs / "pack" / job["needs"]["pack"] / "clips.parquet")["id"].tolist()
            return dict(zip(ids, embeddings.mean(len(ids)), strict=True))
    raise AssertionError(kind)


@pytest.mark.parametrize(("entry", "kind"), [("moco", "pretrain"), ("random", "random"), ("net", "own")])
def test_vectors_are_those_of_the_embed_job(folder: Path, audiobench: Call, entry: str, kind: str) -> None:
    answer = audiobench("embed", entry, "clips", "-o", "x.parquet", "--device", "cpu")
    assert answer.status == 0, answer.err
    table = pd.read_parquet("x.parquet")
    assert list(table.columns) == ["path", "seconds", "embedding"]
    expected = of_the_job(folder / "runs", kind)
    assert len(table) == len(expected) == 2 * len(LENGTHS_S)
    for path, seconds, embedding in table.itertuples(index=False):
        z_D = expected[Path(path).relative_to("clips").as_posix()]
        torch.testing.assert_close(torch.tensor(embedding), z_D, rtol=1e-5, atol=1e-6)
        assert seconds == pytest.approx(LENGTHS_S[int(Path(path).stem)], abs=1e-3)


def test_npy_has_its_paths_beside(folder: Path, audiobench: Call) -> None:
    assert audiobench("embed", "random", "clips/hum", "clips/hiss/0.wav", "-o", "out/x.npy").status == 0
    assert audiobench("embed", "random", "clips/hum", "clips/hiss/0.wav", "-o", "x.parquet").status == 0
    table = pd.read_parquet("x.parquet")
    np.testing.assert_array_equal(np.load("out/x.npy"), np.stack(table["embedding"].to_list()))
    with Path("out/x.paths.csv").open() as file:
        assert [row["path"] for row in csv.DictReader(file)] == table["path"].tolist()
    assert table["path"].iloc[-1] == str(Path("clips/hiss/0.wav"))
    assert sorted(path.name for path in Path("out").iterdir()) == ["x.npy", "x.paths.csv"]


def test_unreadable_files_are_named_and_the_rest_is_written(folder: Path, audiobench: Call) -> None:
    Path("clips/hum/broken.wav").write_bytes(b"RIFF")
    answer = audiobench("embed", "random", "clips/hum", "gone.wav", "-o", "x.parquet")
    assert answer.status == 1
    assert "2 of 8 files are left out" in answer.err
    assert "broken.wav: does not decode" in answer.err
    assert "gone.wav: is not there" in answer.err
    assert len(pd.read_parquet("x.parquet")) == len(LENGTHS_S)
    nothing = audiobench("embed", "random", "gone.wav", "-o", "y.parquet")
    assert (nothing.status, Path("y.parquet").exists()) == (1, False)


def test_a_second_run_does_only_what_is_missing(
    folder: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[str] = []
    real, after = vectors._embed, [4]

    def counting(net: Any, group: Any, device: Any) -> Iterator[Any]:
        for path, made in real(net, group, device):
            if len(embedded) == after[0]:
                raise KeyboardInterrupt
            embedded.append(path.as_posix())
            yield path, made

    monkeypatch.setattr(vectors, "_embed", counting)
    assert audiobench("embed", "random", "clips", "-o", "x.parquet").status == 130
    assert not Path("x.parquet").exists()
    (aside,) = Path().glob(".x.parquet.*")
    soundfile.write(embedded[0], 0.1 * np.ones(4000), 8000)  # a file that changes is embedded again
    before, after[0] = embedded[1:], 100
    embedded.clear()
    assert audiobench("embed", "moco", "clips/hum/0.wav", "-o", "x.npy").status == 0  # another model, another output
    assert aside.exists()
    embedded.clear()
    assert audiobench("embed", "random", "clips", "-o", "x.parquet").status == 0
    assert not set(embedded) & set(before)
    assert len(embedded) == 2 * len(LENGTHS_S) - len(before)
    assert not aside.exists()
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert audiobench("embed", "random", "clips", "-o", "whole.parquet").status == 0
    resumed, whole = pd.read_parquet("x.parquet"), pd.read_parquet("whole.parquet")
    assert resumed["path"].tolist() == whole["path"].tolist()
    np.testing.assert_allclose(
        np.stack(resumed["embedding"].to_list()), np.stack(whole["embedding"].to_list()), atol=1e-6
    )


def test_what_another_model_has_made_is_not_taken_up(
    folder: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(*arguments: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(vectors, "_write", stopping)
        assert audiobench("embed", "random", "clips", "-o", "x.parquet").status == 130
    assert audiobench("embed", "moco", "clips", "-o", "x.parquet").status == 0
    assert audiobench("embed", "moco", "clips", "-o", "y.parquet").status == 0
    pd.testing.assert_frame_equal(pd.read_parquet("x.parquet"), pd.read_parquet("y.parquet"))
    assert not list(Path().glob(".x.parquet*"))


def test_a_model_is_found_by_suite_name_and_folder(folder: Path) -> None:
    wave_BT = 0.1 * torch.randn(2, 9000, generator=torch.Generator().manual_seed(0))
    (pretrained,) = Path("runs/pretrain").iterdir()
    nets = [
        door.load("moco"),
        door.load("moco", suite="own"),
        door.load("moco", suite="own.yaml"),
        door.load("moco", suite="own.yaml", data="."),
        door.load(pretrained),
    ]
    for net in nets[1:]:
        assert torch.equal(net(wave_BT), nets[0](wave_BT))
    net = nets[0]
    assert (net.sample_rate, net.window_samples) == (8000, 4000)
    assert net(wave_BT).shape == (2, net.embedding_dim)
    assert net(wave_BT[:, :100]).shape == (2, net.embedding_dim)
    frames_BND = net.frames(wave_BT)
    assert frames_BND.shape[::2] == (2, net.embedding_dim)
    assert frames_BND.shape[1] > 1
    net(wave_BT).sum().backward()
    assert next(net.encoder.parameters()).grad is not None
    with pytest.raises(ValueError, match=r"\[B, T\]"):
        net(wave_BT[0])


def test_long_recordings_are_windows_of_evaluation(folder: Path) -> None:
    net = door.load("random", suite="own.yaml")
    wave_1T = 0.1 * torch.randn(1, 300_000, generator=torch.Generator().manual_seed(0))
    starts = [*range(0, 296_000, 2000), 296_000]
    with torch.no_grad():
        alone_WD = torch.cat([net(wave_1T[:, start : start + 4000]) for start in starts])
        torch.testing.assert_close(net(wave_1T), alone_WD.mean(0, keepdim=True), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("embed", "mocoo", "clips", "-o", "x.npy"), "did you mean moco"),
        (("embed", "mocoo", "clips", "-o", "x.npy", "--suite", "own"), "did you mean moco"),
        (("embed", "moco", "clips", "-o", "x.txt"), "x.parquet or x.npy"),
        (("embed", "moco", "runs/plans", "-o", "x.npy"), "no sound file"),
        (("embed", "moco", "clips", "-o", "x.npy", "--suite", "own.yaml", "--runs", "none"), "not pretrained here"),
        (("embed", "runs/pack/KEY", "clips", "-o", "x.npy"), "no folder of a pretraining"),
    ],
)
def test_mistakes_are_told_before_any_work(
    folder: Path, audiobench: Call, arguments: tuple[str, ...], told: str
) -> None:
    (pack,) = Path("runs/pack").iterdir()
    answer = audiobench(*(one.replace("KEY", pack.name) for one in arguments))
    assert (answer.status, told in answer.err) == (2, True), answer.err
    assert not list(Path().glob("*x.*"))


def test_an_entry_of_several_suites_needs_its_suite(folder: Path, audiobench: Call) -> None:
    Path("other.yaml").write_text(Path("own.yaml").read_text().replace("name: own", "name: other", 1))
    door.run("other.yaml", data=".", runs="runs", device="cpu")
    answer = audiobench("embed", "moco", "clips", "-o", "x.npy")
    assert answer.status == 2
    assert "several suites have an entry moco: other, own" in answer.err
    assert audiobench("embed", "moco", "clips", "-o", "x.npy", "--suite", "other").status == 0


def test_a_changed_weight_file_is_not_used_as_the_old_one(folder: Path, audiobench: Call) -> None:
    door.run("own.yaml", entries=["net"], data=".", runs="fresh", device="cpu")
    assert audiobench("embed", "net", "clips", "-o", "before.npy", "--runs", "fresh").status == 0
    net = Net()
    torch.nn.init.constant_(net.conv.weight, 0.0)
    net.conv.bias = torch.nn.Parameter(torch.full((6,), 0.5))
    export(folder / "net.pt2", net)
    answer = audiobench("embed", "net", "clips", "-o", "x.npy", "--runs", "fresh")
    assert (answer.status, "weights of net are not what they were" in answer.err) == (2, True), answer.err
    fresh = audiobench("embed", "net", "clips", "-o", "now.npy", "--suite", "own.yaml", "--data", ".")
    assert fresh.status == 0, fresh.err
    assert abs(np.load("now.npy") - np.load("before.npy")).min() > 0.1
