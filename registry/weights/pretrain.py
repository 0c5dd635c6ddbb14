"""Weights from a pretraining."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from registry.lookup import AugmentationReference, MethodReference, TaskReference
from registry.settings import Settings
from registry.training import Pretraining
from registry.weights import Weights
from registry.weights.checkpoint import Checkpoint
from registry.windows import Seconds

if TYPE_CHECKING:
    from registry.encoders import Encoder
    from registry.frontends import Frontend


class Pretrain(Weights["Pretrain.Config"]):
    """Weights that a method pretrains on a corpus, in a job of its own."""

    source: ClassVar[str] = "audiobench"
    value = "method"

    class Config(Settings):
        method: MethodReference = Field(..., description="that pretrains")
        corpus: TaskReference = Field(..., description="data set to pretrain on")
        exclude: tuple[TaskReference, ...] = Field((), description="tasks whose recordings are left out of the corpus")
        augment: tuple[AugmentationReference, ...] = Field((), description="augmentations while pretraining")
        monitor: TaskReference | None = Field(None, description="task that probes the encoder during the pretraining")
        crop: Seconds | None = Field(None, description="seconds of a window of the pretraining; the entry's by default")
        training: Pretraining = Field(..., description="budget, optimiser, schedule")

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        return Checkpoint.load(encoder, frontend, stated, path)
