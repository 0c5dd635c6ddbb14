"""What the tests share: where real data are, a tiny suite, and the command line called in-process."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads stall each other on two cores
os.environ.setdefault("OMP_NUM_THREADS", "1")  # nets as small as the tests' take twice as long in two threads

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import threadpoolctl

from registry import lookup
from registry.weights.own import brought

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHARED = Path(__file__).parent.parent.parent / "shared"
DATA = Path(os.environ.pop("AUDIOBENCH_DATA", SHARED / "data"))  # for those tests that ask: others need there be none
for _name in ("AUDIOBENCH_RUNS", "COLUMNS"):
    os.environ.pop(_name, None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background; tests send it to themselves
    signal.signal(signal.SIGINT, signal.default_int_handler)

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]

TINY = """
schema_version: 1
name: tiny
title: Tiny
control: random
frontend: {name: logmel, n_fft: 512, win_length: 512, hop_length: 320, n_mels: 32}
augment: [{name: frequency-shift, bins: 2}]
crop: 0.5
encoder: {name: cnn10, width: 4, dropout: 0.1}
pretrain: {corpus: {name: sounds, clips: 2}, epochs: 2, batch_size: 16, learning_rate: 0.003, optimizer: adamw}
entries:
  moco: {weights: {pretrain: {name: moco, queue_size: 32, norm_groups: 2}}, protocols: [freeze, knn]}
  npid: {weights: {pretrain: {name: npid, negatives: 16}}, protocols: [freeze, knn]}
  random: {weights: random}
tasks: [{name: sounds, clips: 2}]
protocols:
  finetune: {epochs: 1, batch_size: 32}
  freeze: {epochs: 3}
  knn: {k: [1, 3]}
"""


@dataclass
class Answer:
    """What a command came back with."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True, scope="session")
def _few_blas_threads() -> Iterator[None]:
    """scikit-learn's BLAS threads stall beside torch's."""
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(autouse=True)
def _no_plugins_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test loads as a plugin is gone with it."""
    monkeypatch.setattr(lookup, "_plugins", dict(lookup._plugins))


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Chromium, if there is one; it serves all tests of a process, which can have one alone."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium here")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _nothing_known_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test found to fit, another may have broken."""
    monkeypatch.setattr("benchmark.ledger.request.PLACE", None)


@pytest.fixture
def audiobench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Calls the command line in this process."""
    from audiobench.cli import main

    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["audiobench", *map(str, arguments)])
        monkeypatch.setattr("audiobench.cli._are_threads_left", lambda: False)  # else the tests' own process would end
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        return Answer(status, *capsys.readouterr())

    return call


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A suite that runs in seconds."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real recordings."""
    if not (DATA / "ESC-50").is_dir():
        pytest.skip(f"no real recordings in {DATA}")
    return DATA


@pytest.fixture(scope="session")
def metadata() -> Path:
    """The folder of official tables, in full, without their recordings."""
    folder = Path(os.environ.get("AUDIOBENCH_METADATA", SHARED / "reference" / "metadata"))
    if not (folder / "UrbanSound8K.csv").is_file():
        pytest.skip(f"no official metadata in {folder}")
    return folder


@pytest.fixture(scope="session")
def lite0_weights() -> Path:
    """A real ImageNet checkpoint, of tf_efficientnet_lite0."""
    path = Path(os.environ.get("AUDIOBENCH_WEIGHTS", SHARED / "weights")) / "tf_efficientnet_lite0.imagenet.safetensors"
    if not path.is_file():
        pytest.skip(f"no weights at {path}")
    return path


def encoders_made_here() -> list[str]:
    """The names of the encoders whose weights a suite draws or trains: others bring a model of somebody else's."""
    return [name for name in lookup.ENCODERS.names() if not brought(lookup.ENCODERS.find(name))]
