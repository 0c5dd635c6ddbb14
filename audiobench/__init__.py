"""The door: the names that users and plugins import. Each is loaded when it is first used.

from audiobench import Encoder, Settings   # what a component is made of
from audiobench import run, leaderboard    # what the command line does
"""

TYPE_CHECKING = False  # importing ``typing`` would double the time until the command line handles Ctrl-C
if TYPE_CHECKING:
    from typing import Any

    from audiobench.api import export as export
    from audiobench.api import leaderboard as leaderboard
    from audiobench.api import load as load
    from audiobench.api import plan as plan
    from audiobench.api import records as records
    from audiobench.api import run as run
    from audiobench.embedder import Embedder as Embedder
    from benchmark.export.description import blank_net as blank_net

_PUBLIC = {
    "Answers": "registry.metrics",
    "Augmentation": "registry.augmentations",
    "AugmentationConfig": "registry.augmentations",
    "Clip": "registry.tasks",
    "Embedder": "audiobench.embedder",
    "Encoder": "registry.encoders",
    "Frontend": "registry.frontends",
    "Judge": "registry.metrics",
    "Labels": "registry.protocols",
    "Method": "registry.methods",
    "Metric": "registry.metrics",
    "Mistake": "registry.errors",
    "Objection": "registry.standing",
    "Objective": "registry.targets",
    "Outcome": "registry.protocols",
    "Protocol": "registry.protocols",
    "Settings": "registry.settings",
    "Split": "registry.protocols",
    "Standing": "registry.standing",
    "Subject": "registry.protocols",
    "Target": "registry.targets",
    "Task": "registry.tasks",
    "Weights": "registry.weights",
    "blank_net": "benchmark.export.description",
    "export": "audiobench.api",
    "leaderboard": "audiobench.api",
    "load": "audiobench.api",
    "plan": "audiobench.api",
    "projection": "registry.methods",
    "records": "audiobench.api",
    "run": "audiobench.api",
    "seed_everything": "registry.seeding",
    "seed_for": "registry.seeding",
    "unit": "registry.methods",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> "Any":
    if name not in _PUBLIC:
        raise AttributeError(f"audiobench has no {name!r}; it hands on {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)
