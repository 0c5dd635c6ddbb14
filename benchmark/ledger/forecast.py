"""Forecasts of what jobs take: how much there is of each unit of work, times the unit's rate in a calibration.

RUNS/forecasts/KEY.json has the forecast of a job, as ``audiobench plan`` said last; the job's record keeps it, too.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from benchmark.jobs.contents import Contents
from benchmark.jobs.embed import EmbedJob
from benchmark.jobs.evaluate import EvaluateJob
from benchmark.jobs.measure import MeasureJob
from benchmark.jobs.pack import PackJob
from benchmark.jobs.pretrain import PretrainJob
from benchmark.jobs.rates import Calibration, Cost
from benchmark.store.files import write_text
from benchmark.store.job import AnyJob, Environment, Forecast, Record
from benchmark.store.store import Store

_FLOAT = 4  # bytes
_WINDOW = 8  # bytes of the number of a window's clip
_EPOCH = 350  # bytes of an epoch in metrics.jsonl

Units = dict[str, float]  # how much there is of each unit of work; the chief unit is the last
B = TypeVar("B", bound=BaseModel)


def machine(environment: Environment) -> dict[str, Any]:
    """What calibrations and forecasts are bound to: all of an environment but the commit of the code."""
    return environment.model_dump(exclude={"commit"})


@dataclass(frozen=True)
class Scope:
    """What a job works on.

    Args:
        clips: of the data set.
        probed: those of the task that probes a pretraining, if there is one.
        windows: whose embeddings the job makes or evaluates; else 0.
        dim: of these embeddings; else 0.
    """

    clips: Contents
    probed: Contents | None = None
    windows: int = 0
    dim: int = 0


def units(job: AnyJob, scope: Scope) -> Units:
    """How much there is of each unit of a job's work."""
    clips, probed = scope.clips, scope.probed
    if isinstance(job, PackJob):
        return {"second of sound": clips.seconds}
    if isinstance(job, MeasureJob | EmbedJob):
        return {"net": 1, "window": clips.amount(job.config.window_samples)}
    if isinstance(job, PretrainJob):
        training = job.config.training
        probes = training.epochs // training.monitor_every
        of_probes = {"probed window": probes * probed.amount(job.config.window_samples)} if probed else {}
        steps = training.epochs * (len(clips) // training.batch_size)
        return {"net": 1, "epoch": training.epochs, **of_probes, "step": steps}
    assert isinstance(job, EvaluateJob)
    later = (getattr(job.config.protocol.settings, "epochs", 1) - 1) * len(clips)
    return {"clip of an epoch": later, "pair of clips": len(clips) ** 2, "clip": len(clips)}


def forecast(job: AnyJob, scope: Scope, made: Calibration) -> Forecast:
    """What a job takes, by a calibration of its work."""
    cost = Cost()
    for unit, count in units(job, scope).items():
        cost = cost.plus(made.rates.get(unit, Cost()), count)
    more = int(mapped(job, scope) * max(1 - made.clips / len(scope.clips), 0))
    peak = {where: most + more * (where == "host") for where, most in made.peak_memory.items()}
    return Forecast(**cost.model_dump(), peak_memory=peak, disk=int(disk(job, scope, made)))


def mapped(job: AnyJob, scope: Scope) -> int:
    """Bytes of files that a job reads where they lie: they count as its memory, until the system takes them back."""
    pack = job.kind in ("measure", "embed", "pretrain") or (isinstance(job, EvaluateJob) and job.config.model)
    return (scope.clips.bytes if pack else 0) + scope.windows * scope.dim * _FLOAT


def disk(job: AnyJob, scope: Scope, made: Calibration) -> float:
    """Bytes of the files that a job leaves beside its record."""
    if isinstance(job, PackJob):
        return scope.clips.bytes + made.sizes["clip"] * len(scope.clips)
    if isinstance(job, EmbedJob):
        return scope.windows * (scope.dim * _FLOAT + _WINDOW)
    if isinstance(job, PretrainJob):
        return made.sizes["net"] + _EPOCH * job.config.training.epochs
    if isinstance(job, EvaluateJob):
        tested = int(np.isin(scope.clips.fold_N, job.config.folds).sum())
        return tested * made.sizes["tested clip"]
    return 0


def keep(store: Store, job: AnyJob, said: Forecast, here: Environment) -> None:
    """Stores the forecast of a job on a machine, unless the store is read-only."""
    with suppress(OSError):
        store_model(_path(store, job.key), said, machine=machine(here))


def kept(store: Store, job: AnyJob, here: Environment | None) -> Forecast | None:
    """The last forecast of a job, if it was for this machine; None stands for any machine."""
    path = _path(store, job.key)
    said = stored_model(path, Forecast)
    if said is None or here is None:
        return said
    return said if json.loads(path.read_bytes()).get("machine") == machine(here) else None


def _path(store: Store, key: str) -> Path:
    return store.root / "forecasts" / f"{key}.json"


def store_model(path: Path, model: BaseModel, **about: Any) -> None:
    """Writes a model and what it is about as JSON."""
    write_text(path, json.dumps({**model.model_dump(), **about}, indent=1))


def stored_model(path: Path, kind: type[B]) -> B | None:
    """What ``store_model`` wrote; None if there is nothing, or nothing that can be read: it is made again."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def size_of_files(record: Record, folder: Path) -> int:
    """Bytes of the files beside a record that are still there."""
    return sum(path.stat().st_size for name in record.files if (path := folder / name).exists())


def errors(record: Record, disk_bytes: int) -> dict[str, float]:
    """By how much of each real cost its forecast was off: ``seconds``, ``cpu_seconds``, ``memory`` and ``disk``.

    A cost of nothing has no error.

    Args:
        record: of a job with a forecast.
        disk_bytes: of the files beside it.
    """
    said = record.forecast
    assert said
    pairs = {
        "seconds": (said.seconds, record.seconds),
        "cpu_seconds": (said.cpu_seconds, record.cpu_seconds),
        "memory": (said.peak_memory.get("host", 0), record.peak_memory.get("host", 0)),
        "disk": (said.disk, disk_bytes),
    }
    return {name: abs(expected - came) / came for name, (expected, came) in pairs.items() if came}


def median_errors(all_errors: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each error over the jobs that have it."""
    names = dict.fromkeys(name for of_job in all_errors for name in of_job)
    return {name: median(of_job[name] for of_job in all_errors if name in of_job) for name in names}
