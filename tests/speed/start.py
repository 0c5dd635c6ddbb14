"""Commands that only look, and suites that are finished: what a user waits for before anything is computed.

What a command remembers, it remembers from the run that is not counted.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import soundfile as sf
import torch

from registry.lookup import KINDS
from tests.scale.finished import finished_suite
from tests.speed import Row, seconds_of

_AUDIOBENCH = [sys.executable, "-m", "audiobench"]
_ENTRIES = 30
_OWN = """
schema_version: 1
name: own
frontend: {name: logmel, n_fft: 512, win_length: 512, hop_length: 320, n_mels: 32}
crop: 0.5
entries:
  narrow: {encoder: {name: cnn10, width: 4}, weights: random}
  wide: {encoder: {name: cnn10, width: 8}, weights: random}
tasks: [{name: folder, path: recordings}]
protocols: {freeze: {epochs: 2}, knn: {k: [1]}}
"""


def rows() -> Iterator[Row]:
    """A row for each command."""
    for kind in KINDS:
        yield _row(f"list {kind.folder}", 0.5)
    yield _row("list", 0.5)
    yield _row("show methods moco", 1.0)
    with TemporaryDirectory() as folder:
        suite, runs = finished_suite(Path(folder) / "many", _ENTRIES, 1, 1)
        yield _row(f"run {suite} --runs {runs}", 1.0, f"run, {_ENTRIES} entries, finished")
        yield _row(f"leaderboard many --runs {runs}", 1.0, f"leaderboard, {_ENTRIES} entries")
        yield _row(f"plan {suite} --runs {runs}", 1.0, f"plan, {_ENTRIES} entries, planned before")
        yield _row(
            f"plan {suite} --runs {folder}/none",
            1.0,
            f"plan, {_ENTRIES} entries, planned anew, of a net that was tried before",
        )
        suite, data = _own_recordings(Path(folder))
        arguments = f"{suite} --data {data} --runs {folder}/own"
        subprocess.run([*_AUDIOBENCH, "run", *arguments.split()], check=True, capture_output=True)
        yield _row(f"run {arguments}", 1.0, "run, task folder, finished")
        yield _row(f"plan {arguments}", 1.0, "plan, task folder, planned before")


def _row(arguments: str, goal: float, work: str = "") -> Row:
    return seconds_of(work or arguments, [*_AUDIOBENCH, *arguments.split()], goal, times=3)


def _own_recordings(folder: Path) -> tuple[Path, Path]:
    """A suite of a user's own recordings, without folds, and the folder of data."""
    for label in ("dog", "rain"):
        place = folder / "recordings" / label
        place.mkdir(parents=True)
        for i in range(10):
            wave_T = 0.1 * torch.randn(16_000, generator=torch.Generator().manual_seed(i))
            sf.write(place / f"{i}.wav", wave_T.numpy(), 16_000)
    suite = folder / "own.yaml"
    suite.write_text(_OWN, encoding="utf-8")
    return suite, folder
