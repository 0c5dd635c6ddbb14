"""What leaves the benchmark: the command, the model card with the leaderboard's figures, and its snippet.

Exported folders stand wherever an entry does, on a machine with no records.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

import audiobench as door
from benchmark.export import FormName
from benchmark.jobs import pretrain
from registry.errors import Mistake
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]
Finished = tuple[Path, Path]
FORMS: tuple[FormName, ...] = ("safetensors", "hf")


@pytest.fixture(scope="module")
def folders(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The entry moco in every form, in a folder without records."""
    suite, runs = finished
    place = tmp_path_factory.mktemp("exports")
    for form in FORMS:
        assert door.export("moco", place / form, form, suite=suite, runs=runs) == place / form
    return place


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for i, seconds in enumerate((0.3, 1.9, 0.5)):
        wave = 0.2 * np.random.default_rng(i).standard_normal(round(seconds * 22_050))
        soundfile.write(folder / f"{i}.wav", wave, 22_050)
    return folder


def card_of(folder: Path) -> tuple[dict[str, Any], str]:
    """The metadata and the text of a model card."""
    _, metadata, text = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(metadata), text


@pytest.mark.parametrize("form", ["safetensors", pytest.param("hf", marks=pytest.mark.slow)])
def test_the_snippet_of_the_card_embeds_as_the_entry_does(folders: Path, finished: Finished, form: FormName) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", card_of(folders / form)[1], re.DOTALL)
    if form == "hf":
        pytest.importorskip("transformers", reason="transformers is not installed")
    net = door.load("moco", suite=finished[0], runs=finished[1])
    wave_BT = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 20_000)).astype(np.float32)
    np.save(folders / "wave.npy", wave_BT)
    code = f"import numpy\nwave = numpy.load('../wave.npy')\n{snippet}\nnumpy.save('../z.npy', z.detach().numpy())"
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folders / "hub")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folders / form, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    z_BD = net(torch.from_numpy(wave_BT)).detach().numpy()
    atol = {"safetensors": 0.0, "hf": 1e-5}[form]  # transformers does not lay images out channels last
    np.testing.assert_allclose(np.load(folders / "z.npy"), z_BD, rtol=0, atol=atol)


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_stands_where_an_entry_does(
    folders: Path,
    finished: Finished,
    recordings: Path,
    form: FormName,
    audiobench: Call,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    suite, runs = finished
    entry = audiobench("embed", "moco", recordings, "-o", "entry.npy", "--suite", suite, "--runs", runs)
    assert entry.status == 0, entry.err
    answer = audiobench("embed", folders / form, recordings, "-o", "folder.npy")
    assert answer.status == 0, answer.err
    z_ND = np.load("entry.npy")
    np.testing.assert_array_equal(np.load("folder.npy"), z_ND)
    files = sorted(recordings.iterdir())
    np.testing.assert_array_equal(door.Embedder(folders / form, device="cpu").fit(files).transform(files), z_ND)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(f"{name}.{end}" for name in ("entry", "folder") for end in ("npy", "paths.csv")),
        "recordings",
    ]


def test_an_export_is_a_checkpoint_of_a_suite(folders: Path, finished: Finished, tmp_path: Path) -> None:
    weights = folders / "hf" / "model.safetensors"
    entries = f"entries:\n  copy: {{weights: {{checkpoint: {weights}}}, protocols: [knn]}}\n"
    suite = tmp_path / "copy.yaml"
    there = TINY[TINY.index("entries") : TINY.index("tasks")]
    suite.write_text(TINY.replace("control: random\n", "").replace(there, entries))
    door.run(suite, runs=tmp_path / "runs", device="cpu")
    wave_BT = 0.1 * torch.randn(2, 9000, generator=torch.Generator().manual_seed(0))
    original = door.load("moco", suite=finished[0], runs=finished[1])
    assert torch.equal(door.load("copy", runs=tmp_path / "runs")(wave_BT), original(wave_BT))
    boards = door.leaderboard(finished[0], runs=finished[1]), door.leaderboard(runs=tmp_path / "runs")
    moco, copied = (
        board[(board["protocol"] == "knn") & (board["entry"] == name)]
        for board, name in zip(boards, ("moco", "copy"), strict=True)
    )
    assert copied["figure"].tolist() == moco["figure"].tolist()
    door.export("copy", tmp_path / "copied", runs=tmp_path / "runs")
    text = card_of(tmp_path / "copied")[1]
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert f"(SHA-256 {digest}, file model.safetensors)" in text
    assert "What they were trained on is not audited." in text


def test_the_card_has_the_figures_of_the_leaderboard(folders: Path, finished: Finished, audiobench: Call) -> None:
    metadata, text = card_of(folders / "safetensors")
    board = door.leaderboard(finished[0], runs=finished[1])
    rows = board[(board["entry"] == "moco") & board["figure"].notna()]
    assert len(rows) == 2
    (index,) = metadata["model-index"]
    for result, (_, row) in zip(index["results"], rows.iterrows(), strict=True):
        assert result["dataset"] == {"type": "sounds", "name": "sounds"}
        assert result["task"]["name"] == f"{row['protocol']} on sounds"
        values = [metric["value"] for metric in result["metrics"]]
        assert values == pytest.approx([row["figure"], row["low"], row["high"]], abs=1e-6)
        shown = f"| accuracy | {row['figure']:.3f} [{row['low']:.3f}, {row['high']:.3f}] | {row['selection']} |"
        assert f"| sounds | {row['protocol']} {shown}" in text
    whole = audiobench("leaderboard", finished[0], "--runs", finished[1]).out
    for line in ("Transductive: the pretraining corpus holds recordings of the test folds", "100 clips of sounds"):
        assert line in text
        assert line in whole
    for difference in re.findall(r"[+-]0\.\d{3} \[[^]]*\]", text):
        assert difference in whole


def test_the_card_says_what_the_model_is_and_where_it_comes_from(folders: Path, finished: Finished) -> None:
    _, text = card_of(folders / "safetensors")
    (trained,) = (one.record for one in door.records(finished[1], "pretrain") if "moco" in one.job.title)
    assert isinstance(trained, pretrain.Record)
    for told in (
        "weights | pretrained by moco on sounds |",
        "encoder | `{name: cnn10, width: 4, dropout: 0.1, fc1: false}`; Kong et al. 2020",
        "front end | `{name: logmel, sample_rate: 16000,",
        "window | 8,000 samples, 0.5 s |",
        "embedding | 32 numbers |",
        "corpus | `{name: sounds, clips: 2, seed: 0}` |",
        "clips | 100 used |",
        "method | `{name: moco, queue_size: 32,",
        "schedule | `{epochs: 2, batch_size: 16, optimizer: adamw",
        "seed | 0 |",
        f"loss | {trained.loss:.4g}",
        "none needed: the sounds are made",
        "method, moco: He et al. 2020",
        f"torch {torch.__version__.split('+')[0]}",
    ):
        assert told in text, told
    parameters = sum(p.numel() for p in door.load(folders / "safetensors").parameters())
    assert f"parameters | {parameters:,} |" in text


def test_the_hub_reads_the_metadata(folders: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    for form, library in (("safetensors", "audiobench"), ("hf", "transformers")):
        card = hub.ModelCard.load(folders / form / "README.md")
        assert card.data.library_name == library
        assert card.data.model_name == "moco"
        name, results = hub.repocard_data.model_index_to_eval_results(
            hub.metadata_load(folders / form / "README.md")["model-index"]
        )
        assert name == "moco"
        assert [result.metric_type for result in results] == ["accuracy", "accuracy_low", "accuracy_high"] * 2
        assert all(0 <= result.metric_value <= 1 for result in results)


def test_a_card_without_figures_says_why(tmp_path: Path, finished: Finished, folders: Path) -> None:
    suite = tmp_path / "tiny.yaml"
    suite.write_text(TINY)
    door.export("random", tmp_path / "new", suite=suite, runs=tmp_path / "none", data=tmp_path)
    metadata, text = card_of(tmp_path / "new")
    assert "No evaluation of this entry of the suite tiny is finished." in text
    assert "model-index" not in metadata
    assert "weights | Random weights, as the encoder draws them; each seed gives others" in text
    assert "(seed 0)" in text
    assert "These weights have learned nothing." in text
    door.export(folders / "hf", tmp_path / "again")
    metadata, text = card_of(tmp_path / "again")
    assert "exported from a folder, which holds no records" in text
    assert "weights | pretrained by moco on sounds |" in text
    assert "model-index" not in metadata
    (pretrained, *_) = (finished[1] / "pretrain").iterdir()
    door.export(pretrained, tmp_path / "pretraining", runs=tmp_path / "none")
    assert "corpus | `{name: sounds, clips: 2, seed: 0}` |" in card_of(tmp_path / "pretraining")[1]
    wave_BT = torch.zeros(1, 9000).uniform_(-0.5, 0.5)
    nets = [door.load(pretrained), door.load(tmp_path / "pretraining")]
    assert torch.equal(nets[0](wave_BT), nets[1](wave_BT))


def test_the_card_says_what_its_figures_are_not_of(finished: Finished, tmp_path: Path) -> None:
    suite, runs = finished
    door.export("random", tmp_path / "random", suite=suite, runs=runs)
    metadata, text = card_of(tmp_path / "random")
    assert len(metadata["model-index"][0]["results"]) == 3
    assert "- finetune trains the encoder further in each fold. The weights here are those from before." in text
    assert "freeze trains" not in text
    assert "Transductive" not in text


@pytest.mark.slow
def test_the_card_of_a_committed_board_has_its_figures(tmp_path: Path) -> None:
    """Of three seeds, of which the first one's weights leave."""
    folder = Path(__file__).parents[2] / "leaderboard"
    door.export("random", tmp_path / "random", suite="esc10", scale="cpu", runs=folder / "records")
    text = card_of(tmp_path / "random")[1]
    assert "Figures are means over 3 seeds. The weights here are those of seed 0." in text
    board = (folder / "esc10.cpu.md").read_text()
    figures = re.findall(r"\| esc10 \| (\w+) \| accuracy \| (0\.\d{3}) \[", text)
    assert [protocol for protocol, _ in figures] == ["freeze", "knn"]
    row = next(line for line in board.splitlines() if line.startswith("| random "))
    assert [figure for _, figure in figures] == re.findall(r"(0\.\d{3}) ± ", row)
    assert "CC BY 3.0" in text


def test_an_entry_of_a_named_suite_comes_before_a_folder_of_its_name(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, runs = finished
    monkeypatch.chdir(tmp_path)
    door.export("npid", "moco", suite=suite, runs=runs)
    wave_BT = torch.zeros(1, 9000).uniform_(-0.5, 0.5)
    npid, moco = (door.load(entry, suite=suite, runs=runs)(wave_BT) for entry in ("npid", "moco"))
    assert torch.equal(door.load("moco", runs=runs)(wave_BT), npid)
    assert not torch.equal(moco, npid)


def test_the_command_lists_what_it_wrote(finished: Finished, audiobench: Call, tmp_path: Path) -> None:
    suite, runs = finished
    answer = audiobench("export", "npid", "--suite", suite, "--runs", runs, "--to", tmp_path / "a" / "npid")
    assert answer.status == 0, answer.err
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "a" / "npid").iterdir()}
    assert set(sizes) == {"README.md", "audiobench.json", "encoder.safetensors"}
    for name, size in sizes.items():
        assert f"{name}  {size:,} bytes" in answer.out
    described = json.loads((tmp_path / "a" / "npid" / "audiobench.json").read_text())
    assert described["pretraining"]["method"]["name"] == "npid"
    assert (described["sample_rate"], described["window_samples"], described["embedding_dim"]) == (16_000, 8000, 32)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("mocoo", "--to", "x"), "did you mean moco"),
        (("moco", "--to", "."), "this is the working folder"),
        (("moco", "--to", "full"), "there is something in this place already"),
        (("moco", "--to", "x", "--format", "tf"), "safetensors"),
        (("moco",), "--to"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    finished: Finished,
    audiobench: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    answer = audiobench("export", *arguments, "--runs", finished[1])
    assert (answer.status, told in answer.err) == (2, True), answer.err
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine.txt"]
    with pytest.raises(Mistake, match="no suite that was run here has an entry"):
        door.load(tmp_path / "full", runs=finished[1])


DATASET = """
schema_version: 1
name: measured
frontend: {name: logmel, n_fft: 512, win_length: 512, hop_length: 320, n_mels: 32, normalise: dataset}
crop: 0.5
encoder: {name: cnn10, width: 2}
pretrain: {corpus: {name: sounds, clips: 2}, epochs: 1, batch_size: 16, optimizer: adamw}
entries: {moco: {weights: {pretrain: {name: moco, queue_size: 32, norm_groups: 2}}}}
tasks: [{name: sounds, clips: 2}]
protocols: {knn: {k: [1]}}
"""


@pytest.mark.slow
def test_statistics_of_the_corpus_leave_with_the_weights(tmp_path: Path) -> None:
    (tmp_path / "measured.yaml").write_text(DATASET)
    runs = tmp_path / "runs"
    door.run(tmp_path / "measured.yaml", runs=runs, device="cpu")
    with pytest.raises(Mistake, match="a front end for every fold"):
        door.export("moco", tmp_path / "out", runs=runs)
    assert not (tmp_path / "out").exists()
    (pretrained,) = (runs / "pretrain").iterdir()
    door.export(pretrained, tmp_path / "out")
    statistics = json.loads((tmp_path / "out" / "audiobench.json").read_text())["statistics"]
    jobs = {path.parent: json.loads(path.read_text()) for path in (runs / "measure").glob("*/job.json")}
    (of_corpus,) = (folder for folder, job in jobs.items() if job["config"]["held_out"] is None)
    assert statistics == json.loads((of_corpus / "result.json").read_text())["statistics"]
    wave_BT = torch.zeros(2, 20_000).uniform_(-0.5, 0.5)
    assert torch.equal(door.load(tmp_path / "out")(wave_BT), door.load(pretrained)(wave_BT))
