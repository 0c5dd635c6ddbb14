"""How each kind of job does its work: from its configuration and what it needs to files in its folder."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.data.remarks import remarks
from benchmark.jobs.corpus import DataSet, Usable, held_by, require_clips, usable_clips
from benchmark.jobs.embedding import embed, load_embeddings, require_finite, save_embeddings
from benchmark.jobs.loop import pretrain
from benchmark.jobs.measuring import measure
from benchmark.jobs.model import Device, build_encoder, build_views, load_weights, place
from benchmark.jobs.net import net_state
from benchmark.jobs.packing import Pack, make_pack, open_pack
from benchmark.jobs.watch import Probe
from benchmark.ledger.plan import pretraining_of
from benchmark.progress import Progress
from benchmark.store.digests import Digests
from benchmark.store.files import file_digest, write_tensors
from benchmark.store.job import Job
from benchmark.store.store import Store
from registry.encoders import Encoder
from registry.encoders.timm import hub_file
from registry.errors import Mistake
from registry.frontends import Frontend
from registry.lookup import recall
from registry.methods import Corpus, Method
from registry.metrics import ranking
from registry.protocols import Embeddings, Labels, Model, Outcome, Subject
from registry.seeding import seed_everything
from registry.training import Pretraining
from registry.views import Views


@dataclass(frozen=True)
class Workplace:
    """What jobs use besides their configuration; none of it changes a figure.

    Args:
        store: where results are found.
        data: the folder of data sets.
        jobs: of the plan, by key.
        files: path of a weight file by its SHA-256.
        device: where to compute.
        progress: told how far a job is.
        skip_bad: leave unusable recordings out instead of stopping.
    """

    store: Store
    data: Path | None
    jobs: Mapping[str, Job]
    files: dict[str, str]
    device: Device
    progress: Progress
    skip_bad: bool


def work(job: Job, folder: Path, at: Workplace) -> dict[str, Any]:
    """Does a job: writes its files into ``folder`` and returns its record."""
    return _WORK[job.kind](job, folder, at)


def _pack(job: Job, folder: Path, at: Workplace) -> dict[str, Any]:
    component, settings = recall("tasks", job.config["task"])
    task = component(settings)
    clips = task.clips(at.data)
    at.progress.expect(len(clips))
    rate, samples = job.config["sample_rate"], job.config.get("samples", "int16")
    result = make_pack(task, clips, rate, folder, at.progress, samples=samples, skip_bad=at.skip_bad)
    if Digests(at.store.root / "digests").listing(job.config["task"]["name"], clips) != job.config["inputs"]:
        raise Mistake("recordings changed after the suite was planned", where=str(at.data), fix="run it again")
    odd = remarks(task, [clip for clip in clips if clip.id not in result["skipped"]])
    for remark in odd:
        at.progress.say(f"{job.title}: {remark}")
    summary = f"{result['clips']} clips, {result['audio_seconds'] / 60:.1f} min of audio"
    over = result["clipped"]
    if over["clips"]:
        summary += f", {over['clips']} of them over full scale and clipped"
    return {**result, "remarks": list(odd), "summary": summary}


def _measure(job: Job, folder: Path, at: Workplace) -> dict[str, Any]:
    pack = _opened_pack(job.needs["pack"], at)
    held_out = job.config["held_out"]
    if held_out is None:  # a corpus: what is pretrained on it is measured
        clips_N = torch.from_numpy(_corpus(job, "pack", at)[1].clips)
    else:
        require_clips(pack, [held_out])
        clips_N = torch.tensor([i for i, fold in enumerate(pack.folds) if fold != held_out])
    at.progress.expect(len(clips_N))
    frontend = build_views(job.config["frontend"]).frontend.to(at.device.device)
    found = measure(frontend, pack.recordings, clips_N, job.config["window"], at.device.device, at.progress)
    summary = "; ".join(f"mean {mean:.3f}, deviation {std:.3f}" for mean, std in found.values())
    return {"summary": summary, "statistics": found, "clips": len(clips_N), "data_hash": pack.content_hash}


def _pretrain(job: Job, folder: Path, at: Workplace) -> dict[str, Any]:
    config = job.config
    data_set, usable = _corpus(job, "corpus", at)
    corpus, clips_M = data_set.pack, torch.from_numpy(usable.clips)
    recordings = corpus.recordings.subset(clips_M)
    seed_everything(config["seed"], "weights")
    views = build_views(config["frontend"], config["augment"], _statistics(job, at))
    encoder = build_encoder(config["encoder"], views.frontend)
    component, settings = recall("methods", config["method"])
    known = Corpus(recordings, torch.tensor(corpus.labels)[clips_M], len(corpus.classes))
    method: Method = place(component(settings, encoder, views, known), at.device)
    training = Pretraining.model_validate(config["training"])
    log = pretrain(
        method,
        recordings,
        training,
        config["crop"],
        config["seed"],
        at.device,
        at.store.checkpoint(job),
        at.progress,
        _probe(job, at, training.monitor_every),
    )
    write_tensors(folder / "encoder.safetensors", net_state(encoder, views.frontend))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log.epochs), encoding="utf-8")
    return {
        "summary": f"loss {log.epochs[-1]['loss']:.3f}" + (f", epoch {log.kept} kept" * (training.keep == "best")),
        "loss": log.epochs[-1]["loss"],
        "kept_epoch": log.kept,
        "steps_per_second": round(log.steps_per_second, 3),
        "data_hash": corpus.content_hash,
        "clips": len(clips_M),
        "excluded": usable.excluded,
    }


def _corpus(job: Job, role: str, at: Workplace) -> tuple[DataSet, Usable]:
    """The corpus that a job needs in this role, and which of its clips are pretrained on."""
    corpus = _data_set(job.needs[role], at)
    exclude = [_data_set(key, at) for other, key in job.needs.items() if other.startswith("exclude ")]
    return corpus, usable_clips(corpus, exclude)


def _data_set(pack: str, at: Workplace) -> DataSet:
    """A task with its pack, from the pack's key."""
    config = at.jobs[pack].config["task"]
    component, settings = recall("tasks", config)
    return DataSet(config["name"], component(settings), _opened_pack(pack, at))


def _opened_pack(key: str, at: Workplace) -> Pack:
    with at.store.opened("pack", key, "clips.parquet") as path:
        return open_pack(path.parent)


def _probe(job: Job, at: Workplace, every: int) -> Probe | None:
    """Neighbours on the task that a pretraining is monitored on, where it names one."""
    if "monitor" not in job.needs:
        return None
    monitor = _data_set(job.needs["monitor"], at)
    return Probe(monitor.pack, _labels(monitor.pack), monitor.task.folds, job.config["crop"], at.device, every)


def _embed(job: Job, folder: Path, at: Workplace) -> dict[str, Any]:
    pack = _opened_pack(job.needs["pack"], at)
    at.progress.expect(len(pack.ids))
    frontend, encoder = _net(job, at)
    began = time.monotonic()
    made = embed(Views(frontend), encoder, pack.recordings, pack.ids, job.config["window"], at.device, at.progress)
    rate = len(pack.ids) / (time.monotonic() - began)
    save_embeddings(made, folder / "embeddings.safetensors")
    windows, dim = made.window_WD.shape
    return {
        "summary": f"{windows} windows of {dim}",
        "windows": windows,
        "dim": dim,
        "parameters": sum(p.numel() for module in (frontend, encoder) for p in module.parameters()),
        "weights_sha256": _downloaded(job, at),
        "clips_per_second": round(rate, 2),
        "data_hash": pack.content_hash,
    }


def _evaluate(job: Job, folder: Path, at: Workplace) -> dict[str, Any]:
    import pandas as pd

    config = job.config
    pack = _opened_pack(job.needs["pack"], at)
    require_clips(pack, config["folds"])
    component, settings = recall("protocols", config["protocol"])
    outcomes: list[Outcome] = component(settings).evaluate(
        _subject(job, pack, at),
        replace(_labels(pack), shots=config.get("shots"), draw=config.get("draw", 0), seed=config["seed"]),
        config["folds"],
        config["seed"],
        lambda fact: at.progress.advance(1, fact),
    )
    for outcome in outcomes:
        require_finite(torch.from_numpy(outcome.scores), [pack.ids[i] for i in outcome.clips], "the score")
    seen_N, pretraining = _pretraining(job, pack, at)
    pd.concat([_predictions(outcome, pack, seen_N) for outcome in outcomes]).to_parquet(
        folder / "predictions.parquet", index=False
    )
    pd.concat([_curve(outcome, pack) for outcome in outcomes]).to_parquet(folder / "epochs.parquet", index=False)
    several = pack.labels.ndim > 1
    figures = _rankings if several else _accuracies
    folds = {str(o.fold): {"clips": len(o.clips), "epochs": o.epochs, **figures(o, pack), **o.facts} for o in outcomes}
    metric = "mAP" if several else "accuracy"
    mean = float(np.mean([fold[metric] for fold in folds.values()]))
    return {
        "summary": f"{metric} {mean:.3f}",
        "metric": metric,
        "folds": folds,
        "classes": list(pack.classes),
        "data_hash": pack.content_hash,
        **pretraining,
        "skipped": len(pack.skipped),
        "missing": pack.missing,
        "embedding": _embedding(job, at),
        "weights_sha256": _downloaded(job, at),
    }


def _accuracies(outcome: Outcome, pack: Pack) -> dict[str, Any]:
    accuracy = (outcome.predicted == pack.labels[outcome.clips]).mean(1).tolist()
    return {"accuracy": accuracy[-1], "accuracy_by_epoch": accuracy if outcome.epochs else []}


def _rankings(outcome: Outcome, pack: Pack) -> dict[str, Any]:
    found = ranking(pack.labels[outcome.clips].astype(np.float32), outcome.scores)
    return {"mAP": found.mean_average_precision, "auc": found.auc, "d_prime": found.d_prime, "classes": found.classes}


_WORK: dict[str, Callable[[Job, Path, Workplace], dict[str, Any]]] = {
    "pack": _pack,
    "measure": _measure,
    "pretrain": _pretrain,
    "embed": _embed,
    "evaluate": _evaluate,
}


def _net(job: Job, at: Workplace) -> tuple[Frontend, Encoder]:
    """The front end and the encoder that a job names, with their weights, on the device."""
    config = job.config
    seed_everything(config["weights"].get("seed", 0), "weights")
    frontend = build_views(config["frontend"], statistics=_statistics(job, at)).frontend
    encoder = build_encoder(config["encoder"], frontend)
    weights = dict(config["weights"])
    if "sha256" in weights:
        weights["path"] = at.files[weights["sha256"]]
    if "pretrain" in job.needs:
        with at.store.opened("pretrain", job.needs["pretrain"], "encoder.safetensors") as path:
            load_weights(encoder, weights, path, frontend)
    else:
        load_weights(encoder, weights, None, frontend)
    return frontend.to(at.device.device), place(encoder, at.device)


def _statistics(job: Job, at: Workplace) -> dict[str, list[float]] | None:
    """What a measurement found, where the front end is normalised by it."""
    if "statistics" not in job.needs:
        return None
    found: dict[str, list[float]] = at.store.result("measure", job.needs["statistics"])["statistics"]
    return found


def _downloaded(job: Job, at: Workplace) -> str | None:
    """SHA-256 of the file that weights without a path came from, if the hub's cache has it; in no key, see plan.py."""
    if "embed" in job.needs:
        found: str | None = at.store.result("embed", job.needs["embed"])["weights_sha256"]
        return found
    name = job.config.get("weights", {}).get("model")
    path = hub_file(name) if name else None
    return file_digest(path) if path else None


def _embedding(job: Job, at: Workplace) -> dict[str, Any] | None:
    """What the embeddings that were evaluated cost: size, parameters of the encoder, clips a second and where."""
    if "embed" not in job.needs:
        return None
    result = at.store.result("embed", job.needs["embed"])
    facts = {name: result[name] for name in ("dim", "parameters", "clips_per_second")}
    return {**facts, "device": result["environment"]["device"], "precision": result["environment"]["precision"]}


def _subject(job: Job, pack: Pack, at: Workplace) -> Subject:
    embeddings: Embeddings | None = None
    model: Model | None = None
    config = job.config
    if "embed" in job.needs:
        with at.store.opened("embed", job.needs["embed"], "embeddings.safetensors") as path:
            embeddings = load_embeddings(path)
    if "encoder" in config:
        views = build_views(config["frontend"], config["augment"], _statistics(job, at)).to(at.device.device)

        def encoder() -> Encoder:
            frontend, made = _net(job, at)
            views.frontend.load_state_dict(frontend.state_dict())
            views.frontend.eval()
            return made

        model = Model(encoder, views, Views(views.frontend), config["window"])
    return Subject(embeddings, pack.recordings, at.device.device, at.device.autocast, model)


def _labels(pack: Pack) -> Labels:
    number = {source: i for i, source in enumerate(dict.fromkeys(pack.sources))}
    return Labels(
        label_N=torch.tensor(pack.labels),
        fold_N=torch.tensor(pack.folds),
        source_N=torch.tensor([number[source] for source in pack.sources]),
        classes=len(pack.classes),
    )


def _predictions(outcome: Outcome, pack: Pack, seen_N: NDArray[np.bool_]) -> Any:
    """One row a test clip: fold, clip, what it was cut from, whether pretraining saw it, label, and what was predicted
    after the last epoch.
    """
    import pandas as pd

    return pd.DataFrame(
        {
            "fold": outcome.fold,
            "clip": [pack.ids[i] for i in outcome.clips],
            "source": [pack.sources[i] for i in outcome.clips],
            "seen": seen_N[outcome.clips],
            "label": [
                label if pack.labels.ndim == 1 else np.flatnonzero(label) for label in pack.labels[outcome.clips]
            ],
            "predicted": outcome.predicted[-1],
            "scores": list(outcome.scores),
        }
    )


def _curve(outcome: Outcome, pack: Pack) -> Any:
    """One row a test clip and epoch: what was predicted after it."""
    import pandas as pd

    epochs, clips = len(outcome.epochs), len(outcome.clips)
    return pd.DataFrame(
        {
            "fold": outcome.fold,
            "epoch": np.repeat(np.array(outcome.epochs, np.int64), clips),
            "clip": np.tile(np.array([pack.ids[i] for i in outcome.clips], object), epochs),
            "predicted": outcome.predicted.reshape(-1) if epochs else np.empty(0, np.int64),
        }
    )


def _pretraining(job: Job, pack: Pack, at: Workplace) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Which clips of the task the encoder's pretraining saw, and what the record says of it."""
    key = pretraining_of(job, at.jobs)
    if not key:
        return np.zeros(len(pack.ids), bool), {"clips_seen_in_pretraining": 0}
    pretrained = at.jobs[key]
    corpus, usable = _corpus(pretrained, "corpus", at)
    tested = _data_set(job.needs["pack"], at)
    seen_N = held_by(corpus, usable.clips, tested)
    method, settings = recall("methods", pretrained.config["method"])
    seen: dict[str, Any] = {
        "clips_seen_in_pretraining": int((seen_N & np.isin(tested.pack.folds, tested.task.folds)).sum()),
        "labels_seen_in_pretraining": method.uses_labels(settings),
    }
    if at.store.done(pretrained):  # embeddings outlive the encoder that made them
        seen["steps_per_second"] = at.store.result("pretrain", key)["steps_per_second"]
    return seen_N, seen
