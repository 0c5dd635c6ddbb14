"""Commands in processes that begin at once: forked from one that has imported everything, and has no threads."""

import hashlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmark.signals import STOP_SIGNALS
from tests.audiobench.test_run import VARIES

SMALL = """
schema_version: 1
name: small
frontend: {name: logmel, sample_rate: 8000, n_fft: 256, win_length: 256, hop_length: 160, n_mels: 16, fmax: 4000}
crop: 0.5
encoder: {name: cnn6, width: 2, dropout: 0.0}
pretrain: {corpus: {name: folder, path: data, folds: 2}, epochs: 2, batch_size: 4, learning_rate: 0.003}
entries:
  moco: {weights: {pretrain: {name: moco, queue_size: 8, norm_groups: 1}}, protocols: [knn, freeze]}
  random: {frontend: {normalise: dataset}, weights: random, protocols: [finetune, knn]}
tasks: [{name: folder, path: data, folds: 2}]
protocols:
  knn: {k: [1]}
  freeze: {epochs: 2}
  finetune: {epochs: 1, batch_size: 4}
"""
RUN = ("run", "small.yaml", "--data", ".", "--runs", "runs")
BOARD = ("leaderboard", "small", "--runs", "runs", "--output", "leaderboards/small.json", "--format", "json")
REPORT = ("report", "small", "--data", ".", "--runs", "runs", "--output", "page.html")
EXPORT = ("export", "moco", "--suite", "small.yaml", "--data", ".", "--runs", "runs", "--to", "exported")
_MODULES = """
    audiobench.api audiobench.cli benchmark.export.forms benchmark.export.safetensors benchmark.jobs.embed
    benchmark.jobs.embedding benchmark.jobs.environment benchmark.jobs.evaluate benchmark.jobs.group benchmark.jobs.loop
    benchmark.jobs.measuring benchmark.jobs.packing benchmark.jobs.predictions benchmark.jobs.pretrain
    benchmark.ledger.executors.local benchmark.ledger.fill benchmark.ledger.fit benchmark.ledger.request
    leaderboard.card leaderboard.figures leaderboard.merge leaderboard.page leaderboard.power leaderboard.render
    leaderboard.report leaderboard.sources matplotlib.backends.backend_svg matplotlib.figure matplotlib.pyplot pandas
    pyarrow.parquet pytest registry.net registry.protocols.finetune registry.protocols.freeze registry.protocols.knn
    registry.tasks.folder rich.progress scipy.stats sklearn.model_selection soundfile soxr timm torch
    torch.utils.tensorboard typer
""".split()

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*_MODULES, __name__])


def write_small(folder: Path) -> None:
    """The suite, and its eight recordings."""
    (folder / "small.yaml").write_text(SMALL)
    time_T = np.arange(4000) / 8000
    for pitch in range(300, 1100, 100):
        path = folder / "data" / ("low" if pitch < 700 else "high") / f"{pitch}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * pitch * time_T), 8000, subtype="PCM_16")


def made_files(folder: Path) -> dict[str, Any]:
    """What commands made in a folder, by path, without what differs from run to run: times, costs, caches and trackers.

    Of pages and tables, which have costs in them, it is the end.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        cache = name == "runs/leaderboards/answers.json"
        if hidden or cache or path.is_dir() or name.startswith(("data/", "runs/digests/", "runs/trackers/", "told")):
            continue
        if path.name == "result.json":
            record = json.loads(path.read_text())
            found[name] = {field: record[field] for field in record.keys() - VARIES}
        elif path.name == "audiobench.json":
            stated = json.loads(path.read_text())
            found[name] = {field: stated[field] for field in stated.keys() - {"pretraining", "sha256"}}
        elif path.parent.name == "plans":
            found[name] = json.loads(path.read_text())["plan"]
        elif path.name == "small.json":
            found[name] = [cell["mean"] for cell in json.loads(path.read_text())["cells"]]
        else:
            content = path.read_bytes()
            found[name] = content[-8:] if path.suffix in (".html", ".md") else hashlib.sha256(content).hexdigest()
    return found


def started(
    folder: Path, *commands: Sequence[str], told: str = "told", setup: Callable[[], None] | None = None
) -> BaseProcess:
    """Begins to do commands of ``audiobench`` in a folder, one after the other until one fails.

    Args:
        folder: to work in.
        commands: their arguments.
        told: name of the file that gets what they print.
        setup: is called in the process before; a function of a module.
    """
    process = _context.Process(target=_work, args=(folder, commands, told, setup))
    process.start()
    return process


def _work(folder: Path, commands: Sequence[Sequence[str]], told: str, setup: Callable[[], None] | None) -> None:
    from audiobench.cli import main
    from benchmark.jobs import loop

    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.chdir(folder)
    with open(told, "w") as file:  # noqa: PTH123
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    loop._CHECKPOINT_SECONDS = 0.0
    if setup:
        setup()
    for command in commands:
        sys.argv = ["audiobench", *command]
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
