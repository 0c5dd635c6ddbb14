"""Jobs, records and facts of suites made by hand: complete, and of components that need not exist."""

from typing import Any

from benchmark.jobs import embed, evaluate, measure, pack, pretrain
from benchmark.ledger.facts import SuiteFacts
from registry.lookup import ENCODERS, FRONTENDS, METHODS, PROTOCOLS, TASKS, AnyComponent, Choice, Kind
from registry.training import Pretraining


def made_facts(**asked: Any) -> SuiteFacts:
    """The facts of a suite made by hand: one task under one protocol, and what is asked besides, as plans store it."""
    plain = {
        "suite": "made",
        "scale": None,
        "title": "Made",
        "reproduces": None,
        "anchors": [],
        "control": None,
        "selection": "last",
        "seeds": [0],
        "entries": [],
        "tasks": {"esc50": [1, 2]},
        "protocols": ["knn"],
    }
    return SuiteFacts.from_json({**plain, **asked})


def component(kind: Kind[AnyComponent], name: str, **settings: Any) -> Choice[AnyComponent]:
    return Choice(kind, {"name": name, "version": 1, **settings})


def pack_job(task: str = "sounds", rate: int = 16000, inputs: str | None = "x", **settings: Any) -> pack.PackJob:
    config = pack.Config(task=component(TASKS, task, **settings), sample_rate=rate, inputs=inputs)
    return pack.PackJob(config, pack.Needs())


def measure_job(samples: int = 1, title: str = "") -> measure.MeasureJob:
    config = measure.Config(frontend=component(FRONTENDS, "logmel"), window_samples=samples, held_out=1)
    return measure.MeasureJob(config, measure.Needs(pack="p"), title)


def pretrain_job(corpus: str, method: str = "moco", epochs: int = 1, seed: int = 0) -> pretrain.PretrainJob:
    config = pretrain.Config(
        method=component(METHODS, method),
        encoder=component(ENCODERS, "cnn10"),
        frontend=component(FRONTENDS, "logmel"),
        augment=(),
        training=Pretraining(epochs=epochs, batch_size=2, learning_rate=1),
        window_samples=16000,
        seed=seed,
    )
    return pretrain.PretrainJob(config, pretrain.Needs(corpus=corpus))


def embed_job(
    packed: str, pretrained: str | None = None, width: int = 4, rate: int = 16000, seed: int = 0, blocked: str = ""
) -> embed.EmbedJob:
    weights = embed.WeightsKey(kind="pretrain") if pretrained else embed.WeightsKey(kind="random", seed=seed)
    config = embed.Config(
        encoder=component(ENCODERS, "cnn10", width=width),
        frontend=component(FRONTENDS, "logmel", sample_rate=rate),
        weights=weights,
        window_samples=rate,
    )
    return embed.EmbedJob(config, embed.Needs(pack=packed, pretrain=pretrained), blocked=blocked)


def evaluate_job(
    packed: str, embedded: str | None = None, protocol: str = "knn", seed: int = 0, **settings: Any
) -> evaluate.EvaluateJob:
    config = evaluate.Config(protocol=component(PROTOCOLS, protocol, **settings), seed=seed, folds=(1, 2))
    return evaluate.EvaluateJob(config, evaluate.Needs(pack=packed, embed=embedded))


def evaluation_record(folds: dict[int, dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """What an evaluation stored, as an early version did."""
    of_folds = {str(fold): {"clips": 4, "epochs": [], **figures} for fold, figures in folds.items()}
    known = {"schema": 1, "summary": "", "folds": of_folds, "data_hash": "x"}
    known |= {"clips_seen_in_pretraining": 0, "skipped": 0}
    return {**known, **fields}


MEASURED = {"schema": 1, "summary": "", "statistics": {}, "clips": 0, "data_hash": "x"}
PACKED = {
    "schema": 1,
    "summary": "",
    "clips": 0,
    "seconds": 0.0,
    "sample_rate": 16000,
    "classes": [],
    "content_hash": "x",
    "skipped": {},
}
EMBEDDED = {
    "schema": 1,
    "summary": "",
    "windows": 1,
    "dim": 1,
    "parameters": 1,
    "clips_per_second": 1.0,
    "data_hash": "x",
}
