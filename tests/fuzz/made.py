"""A finished suite made by hand, in milliseconds: a plan, and a sealed record of each kind that it has."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmark.ledger.plan import Plan, Row
from benchmark.store.integrity import seal
from benchmark.store.job import AnyJob
from benchmark.store.store import Store, write_json
from registry.tensors import write_tensors
from tests.jobs import EMBEDDED, PACKED, embed_job, evaluate_job, evaluation_record, made_facts, pack_job, pretrain_job

CLIPS = {fold: [f"{fold}-{i}.wav" for i in range(6)] for fold in (1, 2)}
NAMES = [name for of_fold in CLIPS.values() for name in of_fold]
_RIGHT = {"moco": 5, "random": 3}
_EPOCHS = [1, 2]


def made_store(root: Path) -> Plan:
    """Two entries, evaluated with every epoch, and all that this rests on."""
    store, pack = Store(root), pack_job()
    facts = made_facts(
        title="Made", control="random", entries=list(_RIGHT), tasks={"sounds": [1, 2]}, protocols=["freeze"]
    )
    plan = Plan("made", facts)
    plan.add(pack)
    _packed(store, pack)
    for entry, right in _RIGHT.items():
        trained = pretrain_job(pack.key, epochs=2) if entry == "moco" else None
        if trained:
            plan.add(trained)
            _pretrained(store, trained)
        embedded = embed_job(pack.key, trained.key if trained else None)
        plan.add(embedded)
        _embedded(store, embedded)
        job = evaluate_job(pack.key, embedded.key, "freeze", epochs=2)
        plan.rows.append(Row(entry, "sounds", "freeze", 0, plan.add(job)))
        _evaluated(store, job, right)
    store.save_plan("made", {"schema": 1, "request": "", "asked": "1" * 64, "plan": plan.to_json()})
    return plan


def _keep(store: Store, job: AnyJob, record: dict[str, Any]) -> None:
    folder = store.folder(job)
    write_json(folder / "job.json", job.to_json())
    write_json(folder / "result.json", seal({**record, "key": job.key}, folder))


def _folder(store: Store, job: AnyJob) -> Path:
    store.folder(job).mkdir(parents=True)
    return store.folder(job)


def _packed(store: Store, job: AnyJob) -> None:
    folder = _folder(store, job)
    rows = [
        {"id": name, "source": name[:3], "hash": name, "label": i % 2, "fold": int(name[0]), "samples": 4}
        for i, name in enumerate(NAMES)
    ]
    pd.DataFrame(rows).to_parquet(folder / "clips.parquet", index=False)
    (folder / "samples.i16").write_bytes(np.zeros(4 * len(NAMES), np.int16).tobytes())
    _keep(store, job, {**PACKED, "clips": len(NAMES), "classes": ["a", "b"]})


def _pretrained(store: Store, job: AnyJob) -> None:
    folder = _folder(store, job)
    rows = [{"epoch": epoch, "loss": 1.0 / epoch, "seconds": 0.5} for epoch in _EPOCHS]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_tensors(folder / "encoder.safetensors", {"weight": torch.ones(2)})
    record = {"schema": 1, "summary": "", "loss": 0.5, "steps_per_second": 1.0, "data_hash": "x", "clips": len(NAMES)}
    _keep(store, job, record)


def _embedded(store: Store, job: AnyJob) -> None:
    window_WD = torch.randn(len(NAMES), 3, generator=torch.Generator().manual_seed(0))
    tensors = {"window": window_WD, "clip": torch.arange(len(NAMES))}
    write_tensors(_folder(store, job) / "embeddings.safetensors", tensors, {"parts": "{}"})
    _keep(store, job, {**EMBEDDED, "windows": len(NAMES), "dim": 3})


def _evaluated(store: Store, job: AnyJob, right: int) -> None:
    folder = _folder(store, job)
    label = [i % 2 for i in range(6)]
    predicted = [one if i < right else 1 - one for i, one in enumerate(label)]
    scores = [[1.0 - one, float(one)] for one in predicted]
    last = [
        pd.DataFrame({"fold": fold, "clip": clips, "source": [clip[:3] for clip in clips], "label": label}).assign(
            seen=False
        )
        for fold, clips in CLIPS.items()
    ]
    predictions = pd.concat(last, ignore_index=True).assign(predicted=predicted * 2, scores=pd.Series(scores * 2))
    predictions.to_parquet(folder / "predictions.parquet", index=False)
    curve = [
        pd.DataFrame({"fold": fold, "epoch": epoch, "clip": clips, "predicted": predicted})
        for fold, clips in CLIPS.items()
        for epoch in _EPOCHS
    ]
    pd.concat(curve).to_parquet(folder / "epochs.parquet", index=False)
    figures = {"clips": 6, "epochs": _EPOCHS, "accuracy": right / 6, "accuracy_by_epoch": [right / 6] * len(_EPOCHS)}
    _keep(store, job, evaluation_record({fold: dict(figures) for fold in CLIPS}, classes=["a", "b"]))
