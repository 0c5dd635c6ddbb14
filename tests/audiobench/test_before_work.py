"""What components object to where a suite puts them: told by ``plan``, with its place, before anything is packed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY, Answer

Call = Callable[..., Answer]
MOCO = "{name: moco, queue_size: 32, norm_groups: 2}"


def ask(audiobench: Call, suite: Path, text: str) -> str:
    """What ``plan`` answers to a suite that cannot work; ``run`` says the same."""
    suite.write_text(text)
    runs = suite.parent / "runs"
    answer = audiobench("plan", suite, "--runs", runs)
    assert answer.status == 2, answer.out
    assert audiobench("run", suite, "--runs", runs).err == answer.err
    assert not runs.exists()
    return answer.err


@pytest.mark.parametrize(
    ("method", "budget", "what", "where"),
    [
        ("{name: moco, queue_size: 30}", "", "queue_size 30 is no multiple of the batch size 16", "queue_size: 30"),
        (MOCO, "batch_size: 24", "queue_size 32 is no multiple of the batch size 24", "queue_size: 32"),
        ("{name: simclr, memory: 8}", "", "a memory of 8 holds less than a batch of 16", "memory: 8"),
        ("simclr", "batch_size: 1", "SimClr learns from batches of 2 clips or more, not of 1", "batch_size: 1"),
        ("byol", "batch_size: 1", "Byol learns from batches of 2", "batch_size: 1"),
        ("{name: cpc, negatives: across}", "batch_size: 1", "a batch of one has none", "negatives: across"),
        ("{name: cld, clusters: 17}", "", "17 clusters of a batch of 16", "clusters: 17"),
        (
            "{name: cld, clusters: 8, base: {name: moco, queue_size: 9}}",
            "",
            "queue_size 9 is no multiple",
            "queue_size: 9",
        ),
        (
            "{name: deepcluster, clusters: 101}",
            "",
            "101 clusters are more than the corpus has clips, 100",
            "clusters: 101",
        ),
        (
            "{name: deepcluster-v2, clusters: 101}",
            "",
            "101 clusters are more than the corpus has clips, 100",
            "clusters: 101",
        ),
        (MOCO, "batch_size: 128", "the corpus has 100 clips, fewer than a batch of 128", "batch_size: 128"),
        ("cpc", "chunk: 4", "Cpc trains on frames, and gradients are cached for embeddings alone", "chunk: 4"),
        ("colorization", "chunk: 4", "Colorization trains on frames", "chunk: 4"),
        ("supervised", "corpus: {name: fsd50k, part: dev}, frontend: 3", "unknown key 'frontend'", "frontend: 3"),
        (
            "{name: metric, labels: true}",
            "corpus: fsd50k",
            "several labels a clip, and the method learns from one",
            "corpus: fsd50k",
        ),
        (
            "{name: clar, labelled: 0.5}",
            "corpus: fsd50k",
            "several labels a clip, and the method learns from one",
            "corpus: fsd50k",
        ),
        ("{name: cpc, steps: 12}", "", "frames, and 12 steps ahead need at least 13", "weights: {"),
        ("jigsaw", "", "a tile has a length of", "weights: {"),
        ("{name: colorization, bands: 17}", "", "needs one channel of at least 34 bins", "weights: {"),
        ("{name: multiformat, augment: {logmel: [gain]}}", "", "augment names no branch: 'logmel'", "weights: {"),
        ("simclr", "augment: [{name: crop, samples: 9000}]", "crop of 9000 samples from windows of 8000", "weights: {"),
    ],
)
def test_a_method_judges_its_batch_corpus_and_front_end(
    method: str, budget: str, what: str, where: str, tiny: Path, audiobench: Call
) -> None:
    text = TINY.replace(MOCO, f"{method}, {budget}" if budget else method)
    told = ask(audiobench, tiny, text)
    assert what in told
    (line,) = [line for line in text.splitlines() if line.startswith("  moco:")]
    assert f"tiny.yaml:12:{line.index(where) + 1} (entries.moco.weights" in told


@pytest.mark.parametrize("method", ["rotation", "{name: jigsaw, tiles: grid}", "triplet"])
def test_a_method_of_spectrograms_refuses_waveforms(method: str, tiny: Path, audiobench: Call) -> None:
    net = "frontend: waveform, encoder: {name: conv320, width: 2}, augment: []"
    raw = f"moco: {{{net}, weights: {{pretrain: {method}}}"
    told = ask(audiobench, tiny, TINY.replace(f"moco: {{weights: {{pretrain: {MOCO}}}", raw))
    assert "and the front end gives a waveform" in told
    assert "tiny.yaml:12:" in told


@pytest.mark.parametrize(
    ("old", "new", "what", "where"),
    [
        ("k: [1, 3]", "k: [81, 90]", "every k of [81, 90] is larger than the bank of 80 clips", "19:9"),
        ("k: [1, 3]", "k: [0]", "Input should be greater than or equal to 1, got 0", "19:13"),
        ("k: [1, 3]", "inputs: [logmel]", "the embedding has no part 'logmel'", "19:3"),
        ("crop: 0.5", "crop: 0.00001", "1e-05 s are less than a sample at 16000 Hz", "8:1"),
        ("crop: 0.5", "crop: 0.02", "Cnn10 needs at least 16 frames", "8:1"),
        ("crop: 0.5", "crop: 1e6", "less than or equal to 3600", "8:1"),
        ("crop: 0.5", "crop: 'inf'", "should be a finite number", "8:1"),
        ("random: {w", "random: {frontend: waveform, augment: [], w", "Cnn10 takes a spectrogram", "9:11"),
        ("random: {w", "random: {augment: [{name: crop, samples: 8001}], w", "crop of 8001 samples", "8:1"),
        ("clips: 2}]", "clips: 1000000}]", "less than or equal to 10000", "15:"),
        ("name: tiny", "name: 2024", 'put it in quotes: "2024"', "3:1"),
        ("protocols: [freeze, knn]}\n  npid", "protocols: 3}\n  npid", "should be a valid list", "12:"),
        (
            "pretrain: {corpus: {name: sounds, clips: 2}",
            "pretrain: {corpus: [1]",
            "corpus names a task, got [1]",
            "10:",
        ),
    ],
)
def test_windows_protocols_and_values_are_judged(
    old: str, new: str, what: str, where: str, tiny: Path, audiobench: Call
) -> None:
    assert old in TINY
    told = ask(audiobench, tiny, TINY.replace(old, new))
    assert what in told
    assert f"tiny.yaml:{where}" in told


def test_a_wrong_budget_is_told_beside_an_unknown_method(tiny: Path, audiobench: Call) -> None:
    text = TINY.replace(MOCO, "mooc, epochs: 0, bach_size: 3")
    told = ask(audiobench, tiny, text)
    assert "no method is called 'mooc'" in told
    assert "epochs: Input should be greater than or equal to 1, got 0" in told
    assert "unknown key 'bach_size'" in told
    assert "did you mean batch_size?" in told


def test_all_mistakes_of_several_components_are_told_at_once(tiny: Path, audiobench: Call) -> None:
    text = TINY.replace(MOCO, "{name: moco, queue_size: 30}").replace(
        "negatives: 16}", "negatives: 16}, batch_size: 101"
    )
    told = ask(audiobench, tiny, text.replace("k: [1, 3]", "k: [200]"))
    assert "queue_size 30" in told
    assert "fewer than a batch of 101" in told
    assert "larger than the bank of 80 clips" in told


def test_a_batch_norm_that_is_left_one_value_is_told(tiny: Path, audiobench: Call) -> None:
    text = TINY.replace(MOCO, "supervised, batch_size: 1").replace("crop: 0.5", "crop: 0.31")
    told = ask(
        audiobench, tiny, text.replace("encoder: {name: cnn10, width: 4, dropout: 0.1}", "encoder: efficientnet-b0")
    )
    assert "a batch norm has one value a channel" in told


def test_what_was_opened_is_said(tiny: Path, audiobench: Call) -> None:
    import torch

    from benchmark.jobs.model import build_encoder, build_views
    from registry.lookup import ENCODERS, FRONTENDS

    fed = {"name": "logmel", "n_fft": 512, "win_length": 512, "hop_length": 320, "n_mels": 32}
    frontend = build_views(FRONTENDS.choose(fed)).frontend
    net = build_encoder(ENCODERS.choose({"name": "cnn10", "width": 4, "dropout": 0.1}), frontend)
    torch.save({"model": {f"module.{k}": v for k, v in net.state_dict().items()}}, tiny.parent / "net.pth")
    tiny.write_text(TINY.replace("weights: random", "weights: {checkpoint: net.pth}"))
    answer = audiobench("plan", tiny, "--runs", tiny.parent / "runs")
    assert answer.status == 0
    assert "net.pth: opened the container 'model', 'module.' before every name" in answer.err
