"""A store with any number of finished evaluations: whole records and their plan, with figures that nobody measured.

    python -m tests.scale.finished FOLDER ENTRIES TASKS SEEDS [CLIPS]

Every file is what a run writes, by the code that writes it in a run; only predictions are drawn, and embeddings are
zeros. ``audiobench run FOLDER/many.yaml --runs FOLDER/runs`` then has nothing left to do.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.jobs import embed, evaluate, pack, predictions
from benchmark.jobs.model import choose_device
from benchmark.jobs.packing import Pack, open_pack
from benchmark.jobs.workplace import Workplace
from benchmark.ledger.execute import do_here
from benchmark.ledger.plan import Plan, Row
from benchmark.ledger.request import Request
from benchmark.progress import Progress
from benchmark.store.integrity import seal
from benchmark.store.job import RECORD_SCHEMA, AnyJob, Record
from benchmark.store.store import Store, write_json
from registry.protocols import Outcome
from registry.targets import find_judge
from registry.tensors import write_tensors

EPOCHS = [1, 2]
_JUDGE = find_judge("targets/one-label")


def finished_suite(folder: Path, entries: int, tasks: int, seeds: int, clips: int = 2) -> tuple[Path, Path]:
    """Writes a suite, and records of everything that it asks for: one for each entry, task and seed.

    Args:
        folder: of both.
        entries: of the suite; all have one small net, and differ in its dropout.
        tasks: columns of the task ``sounds``, each with a seed of its own.
        seeds: of the suite.
        clips: of each of the ten classes in each of the five folds; two clips share a recording.

    Returns:
        The suite's file and the folder of records.
    """
    folder.mkdir(exist_ok=True)
    suite, store = folder / "many.yaml", Store(folder / "runs")
    suite.write_text(_suite(entries, tasks, seeds, clips))
    request = Request(suite, None, None)
    plan = request.plan(store)
    request.keep(plan, store)
    packs = {job.key: _packed(job, plan, store) for job in plan.jobs.values() if isinstance(job, pack.PackJob)}
    skill = dict(zip(plan.facts.entries, np.random.default_rng(0).uniform(0.3, 0.9, entries), strict=True))
    for row in plan.rows:
        job = plan.evaluation(row)
        assert job.needs.embed
        of_pack = packs[job.needs.pack]
        _embedded(plan.jobs[job.needs.embed], of_pack, store)
        _evaluated(job, row, float(skill[row.entry]), of_pack, store)
    return suite, store.root


def _suite(entries: int, tasks: int, seeds: int, clips: int) -> str:
    lines = [
        "schema_version: 1",
        "name: many",
        "control: e0",
        f"seeds: {list(range(seeds))}",
        "frontend: {name: logmel, n_fft: 512, win_length: 512, hop_length: 320, n_mels: 32}",
        "crop: 0.5",
        "entries:",
        *(
            f"  e{i}: {{encoder: {{name: cnn10, width: 4, dropout: {i / 10_000}}}, weights: random}}"
            for i in range(entries)
        ),
        "tasks:",
        *(f"  t{i}: {{name: sounds, clips: {clips}, seed: {i}}}" for i in range(tasks)),
        "protocols:",
        f"  freeze: {{epochs: {len(EPOCHS)}}}",
    ]
    return "\n".join(lines) + "\n"


def _packed(job: AnyJob, plan: Plan, store: Store) -> Pack:
    here = choose_device("cpu", "fp32")
    do_here(job, Workplace(store, None, plan.jobs, plan.files, here, Progress(), skip_bad=False))
    return open_pack(store.folder(job))


def _embedded(job: AnyJob, of_pack: Pack, store: Store) -> None:
    folder = store.folder(job)
    if not folder.exists():
        folder.mkdir(parents=True)
        count = len(of_pack.ids)
        tensors = {"window": torch.zeros(count, 2), "clip": torch.arange(count)}
        write_tensors(folder / "embeddings.safetensors", tensors, {"parts": "{}"})
        record = embed.Record(
            summary="", windows=count, dim=2, parameters=9, clips_per_second=1.0, data_hash=of_pack.content_hash
        )
        _seal(job, record, folder)


def _evaluated(job: evaluate.EvaluateJob, row: Row, skill: float, of_pack: Pack, store: Store) -> None:
    """The record of an entry that is right about a share of the clips: the same clips as other entries, mostly."""
    folder = store.folder(job)
    folder.mkdir(parents=True)
    hardness_N = np.random.default_rng(1).uniform(size=len(of_pack.ids))
    rng = np.random.default_rng([int(row.entry[1:]), int(row.task[1:]), row.seed])
    outcomes = [_outcome(fold, skill, hardness_N, of_pack, rng) for fold in job.config.folds]
    predictions.write(outcomes, of_pack, np.zeros(len(of_pack.ids), bool), folder)
    record = evaluate.Record(
        summary="",
        folds=predictions.figures(outcomes, of_pack, _JUDGE),
        classes=of_pack.classes,
        data_hash=of_pack.content_hash,
    )
    _seal(job, record, folder)


def _outcome(
    fold: int, skill: float, hardness_N: NDArray[np.float64], of_pack: Pack, rng: np.random.Generator
) -> Outcome:
    at = np.flatnonzero(of_pack.folds == fold)
    label_EN = np.tile(of_pack.labels[at], (len(EPOCHS), 1))
    wrong_EN = rng.normal(hardness_N[at], 0.2, label_EN.shape) > skill
    predicted_EN = (label_EN + wrong_EN * rng.integers(1, len(of_pack.classes), label_EN.shape)) % len(of_pack.classes)
    scores = np.eye(len(of_pack.classes), dtype=np.float32)[predicted_EN[-1]]
    return Outcome(fold, at, scores, EPOCHS, predicted_EN)


def _seal(job: AnyJob, record: Record, folder: Path) -> None:
    stated = record.model_copy(update={"key": job.key, "seconds": 0.1}).model_dump(mode="json")
    write_json(folder / "job.json", job.to_json())
    write_json(folder / "result.json", seal({"schema": RECORD_SCHEMA, **stated}, folder))


if __name__ == "__main__":
    where, *counts = sys.argv[1:]
    Path(where).mkdir(parents=True, exist_ok=True)
    print(*finished_suite(Path(where), *map(int, counts)))
