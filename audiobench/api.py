"""What the command line does, as Python functions: run suites, read leaderboards and records, use and export models."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pandas import DataFrame

    from benchmark.export import FormName
    from benchmark.ledger.entry import Model
    from benchmark.ledger.finished import Finished
    from benchmark.suite.rules import Rule
    from leaderboard.board import Board
    from registry.net import Net

Place = str | PathLike[str]


def plan(
    suite: Place,
    *,
    scale: str | None = None,
    seeds: Sequence[int] = (),
    data: Place | None = None,
    runs: Place = "runs",
    plugins: Sequence[Place] = (),
) -> "DataFrame":
    """The jobs of a suite, in an order in which they can run, and which of them are done already.

    Args:
        suite: path of a suite file, or name of a shipped suite.
        scale: one of the suite's scales, such as ``cpu``.
        seeds: instead of the suite's.
        data: the folder of data sets.
        runs: the folder of records.
        plugins: Python files with components, besides the suite's own.

    Returns:
        A row a job: ``state`` (done, damaged, blocked, to do), ``kind``, ``key``, ``title``, and why it is ``blocked``.

    Raises:
        Mistake, Mistakes: what is wrong with the suite, and what to do.
    """
    from pandas import DataFrame

    from benchmark.ledger.request import Request
    from benchmark.store.store import Store
    from benchmark.suite.document import suite_path

    store = Store(Path(runs))
    request = Request(suite_path(fspath(suite)), scale, _path(data), tuple(seeds), tuple(map(Path, plugins)))
    jobs = request.plan(store).jobs.values()
    rows = [(store.state(job), job.kind, job.key, job.title, job.blocked) for job in jobs]
    return DataFrame(rows, columns=["state", "kind", "key", "title", "blocked"])


def run(
    suite: Place,
    *,
    scale: str | None = None,
    entries: Sequence[str] = (),
    tasks: Sequence[str] = (),
    protocols: Sequence[str] = (),
    seeds: Sequence[int] = (),
    data: Place | None = None,
    runs: Place = "runs",
    device: str = "auto",
    devices: int = 1,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    plugins: Sequence[Place] = (),
    skip_bad: bool = False,
    executor: str = "local",
    at_once: int | None = None,
    address: str | None = None,
    slurm: Mapping[str, str] | None = None,
    track: Sequence[str] | None = None,
) -> "Board":
    """Pretrains and evaluates what a suite asks for; a finished job is not done again. Progress is on standard error.

    Args:
        suite: path of a suite file, or name of a shipped suite.
        scale: one of the suite's scales, such as ``cpu``.
        entries: only these; all by default.
        tasks: only these; all by default.
        protocols: only these; all by default.
        seeds: instead of the suite's.
        data: the folder of data sets.
        runs: the folder of records and checkpoints.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...
        devices: how many do each pretraining together; a GPU each, or on a CPU a process each.
        precision: ``auto`` is ``bf16`` on a GPU and ``fp32`` on a CPU.
        plugins: Python files with components, besides the suite's own.
        skip_bad: leave unusable recordings out, and record which.
        executor: who does the jobs: ``local`` (this process), ``ray`` or ``slurm``.
        at_once: how many jobs Ray or Slurm may have at once.
        address: of a Ray cluster; by default a Ray of this machine.
        slurm: parameters of ``sbatch``, as in ``{"partition": "cpu", "pretrain.gres": "gpu:1"}``.
        track: where scalars of running jobs go: ``tensorboard``, ``mlflow``, ``wandb``; None for TensorBoard, if it is
            installed; empty for none.

    Returns:
        The leaderboard, as ``leaderboard`` gives it.

    Raises:
        Mistake, Mistakes: what is wrong with the request, before any work; or, after all work, which jobs failed: the
            others are kept.
    """
    from benchmark.ledger.executors import Options
    from benchmark.ledger.fill import fill
    from benchmark.ledger.plan import choose_rows
    from benchmark.ledger.request import Request
    from benchmark.ledger.work import Work
    from benchmark.store.store import Store
    from benchmark.suite.document import suite_path
    from benchmark.trackers import chosen
    from leaderboard.board import Board
    from leaderboard.merge import separate
    from leaderboard.table import make_table
    from registry.errors import Mistake

    trackers, store = None if track is None else chosen(track), Store(Path(runs))
    request = Request(suite_path(fspath(suite)), scale, _path(data), tuple(seeds), tuple(map(Path, plugins)))
    made = request.plan(store)
    rows = choose_rows(made, entries, tasks, protocols)
    request.keep(made, store)
    options = Options(executor, at_once, address, slurm or {})
    work = Work(request, made, store, device, precision, skip_bad, devices=devices, track=trackers)
    ending = fill(work, rows, options)
    if ending.failed:
        raise Mistake(str(ending))
    return Board([make_table(separate(made, store), store)])


def leaderboard(
    suite: Place | None = None,
    *,
    scale: str | None = None,
    runs: Place | Sequence[Place] = "runs",
    selection: "Rule | None" = None,
    plugins: Sequence[Place] = (),
) -> "Board":
    """The leaderboard of a suite that was run, from its records.

    Args:
        suite: name of a suite, for the one of this name that was run last, or path of a suite file; None for all.
        scale: one of the suite's scales; None for all.
        runs: the folder of records, or several, which are merged.
        selection: the rule that picks the epoch, instead of the suite's.
        plugins: Python files with components.

    Returns:
        A data frame with a row a cell. A notebook shows it as the tables with their notes.

    Raises:
        Mistake, Mistakes: if no such suite was run, or folders contradict each other.
    """
    from leaderboard.board import Board
    from leaderboard.sources import read_plans
    from leaderboard.table import make_table
    from registry.lookup import load_plugin

    for path in plugins:
        load_plugin(Path(path))
    folders = [Path(runs)] if isinstance(runs, str | PathLike) else [Path(folder) for folder in runs]
    plans = read_plans(folders, fspath(suite) if suite else None, scale, _tell)
    return Board([make_table(found, stores, selection) for found, stores in plans])


def records(runs: Place = "runs", kind: str | None = None) -> "Iterator[Finished]":
    """Every finished job in a folder of records, with its typed record.

    Args:
        runs: the folder of records.
        kind: ``pack``, ``measure``, ``pretrain``, ``embed`` or ``evaluate``; None for all.

    Yields:
        ``job`` (kind, key, title, settings, needs) and ``record`` (figures or sizes, seconds, memory, environment).
        Damaged records are named on standard error, and left out.

    Raises:
        Mistake: if there is no such folder or kind.
    """
    from benchmark.jobs import KINDS
    from benchmark.ledger.finished import finished
    from benchmark.store.store import Store
    from registry.errors import Mistake
    from registry.lookup import nearest

    if not Path(runs).is_dir():
        raise Mistake(
            "there is no folder of records", where=str(runs), fix="audiobench run SUITE, or name another folder"
        )
    if kind is not None and kind not in KINDS:
        raise Mistake(f"no kind of job is called {kind!r}", fix=nearest(kind, list(KINDS)))
    return finished(Store(Path(runs)), kind, _tell)


def load(
    entry: Place,
    *,
    suite: Place | None = None,
    scale: str | None = None,
    data: Place | None = None,
    runs: Place = "runs",
    plugins: Sequence[Place] = (),
) -> "Net":
    """The model of an entry, of an export, or of a finished pretraining, as one torch module on the CPU, in eval mode.

    >>> net = audiobench.load("moco", suite="esc10", scale="cpu")
    >>> z_BD = net(wave_BT)  # [B, T] float32 in [-1, 1] at net.sample_rate

    Args:
        entry: of a suite, pretrained or brought; or the folder of an export (``safetensors``, ``hf``), or of a finished
            pretraining, ``RUNS/pretrain/KEY``.
        suite: path or name of the suite; None for the only suite that was run and has such an entry.
        scale: one of the suite's scales.
        data: the folder of data sets, for a suite as it is now; None for the suite as it was run last.
        runs: the folder of records.
        plugins: Python files with components, besides the suite's own.

    Returns:
        Of the first of the suite's seeds. It has ``sample_rate`` (Hz), ``embedding_dim``, ``window_samples`` (a number,
        or ``whole``), and ``frames(wave_BT)``, the encoder's frames ``[B, N, D]``.

    Raises:
        Mistake: if there is no such model, or it is not pretrained here.
    """
    return _model(entry, suite, scale, data, runs, plugins).net


def export(
    entry: Place,
    to: Place,
    format: "FormName" = "safetensors",
    *,
    suite: Place | None = None,
    scale: str | None = None,
    data: Place | None = None,
    runs: Place = "runs",
    plugins: Sequence[Place] = (),
) -> Path:
    """Writes the model of an entry into a folder, to be used without audiobench's records, with a model card.

    The card, ``README.md``, states what the model is, the data and the method of its pretraining, and its figures as
    the leaderboard has them. The model is that of the first of the suite's seeds.

    Args:
        entry: as for ``load``; the card of a folder has no figures.
        to: a new folder, or an empty one. It is written whole, or not at all.
        format: ``safetensors`` (read by ``load``), ``hf`` (read by ``transformers.AutoModel``), ``pt2``
            (``torch.export``), ``onnx``, or ``hear`` (a module with HEAR's API, and X-ARES' class).
        suite: path or name of the suite; None for the only suite that was run and has such an entry.
        scale: one of the suite's scales.
        data: the folder of data sets, for a suite as it is now; None for the suite as it was run last.
        runs: the folder of records.
        plugins: Python files with components, besides the suite's own.

    Returns:
        The folder.

    Raises:
        Mistake: if there is no such model, it cannot be exported in this form, or the folder is not free.
    """
    from benchmark.export.forms import publish, require_free
    from leaderboard.card import card

    folder = Path(to)
    require_free(folder)
    model = _model(entry, suite, scale, data, runs, plugins)
    publish(model, format, folder, card(model, format, Path(runs)))
    return folder


def _model(
    entry: Place,
    suite: Place | None,
    scale: str | None,
    data: Place | None,
    runs: Place,
    plugins: Sequence[Place],
) -> "Model":
    """The model of an entry, or in a folder, on the CPU."""
    from benchmark.jobs.model import choose_device
    from benchmark.ledger.entry import Wanted, load_model
    from benchmark.store.store import Store

    named = fspath(suite) if suite else None
    wanted = Wanted(fspath(entry), named, scale, _path(data), tuple(map(Path, plugins)), _tell)
    return load_model(wanted, Store(Path(runs)), choose_device("cpu", "fp32"))


def _path(place: Place | None) -> Path | None:
    return None if place is None else Path(place)


def _tell(line: str) -> None:
    from registry.text import say

    say(line, sys.stderr)
